"""High-rises, monuments, stepped pyramids, arenas and mills. Each function: Traits -> (faces, skins)."""

from __future__ import annotations

import numpy as np

from .facade import bare, facade, roof
from .sacred import Parts
from .solids import Face, dome, flat, gable, loft, panel, prism, rectangle, regular, turned
from .traits import Traits


def high_rise(traits: Traits) -> Parts:
    """A modern tower of stacked, turned or stepped blocks of glass and panels."""
    side, total, blocks = traits.number("block side", 14, 24), traits.number("rise", 45, 95), traits.count("blocks", 1, 5)
    twist, step, sides = (
        traits.pick("twist", (0.0, 0.0, 0.12, 0.3)),
        traits.number("setback", 0.74, 1.0),
        traits.pick("plan", (4, 4, 4, 3, 6, 12)),
    )
    tint = traits.colour("curtain", ((90, 120, 150), (70, 96, 92), (150, 160, 170), (120, 96, 70), (60, 66, 80), (170, 120, 90)))
    skins = {"foot": facade(traits, "foot", side, 8, entrance=True, arcade=True), "roof": bare(traits, "roof", 10, 10, "plaster")}
    for number in range(blocks):
        glass = (
            bare(traits, f"glass {number % 2}", side, total / blocks, "glass", tint * (1.0 if number % 2 == 0 else 0.8))
            if traits.chance("glazed", 0.7)
            else facade(traits, f"block {number % 2}", side, total / blocks)
        )
        lit = (traits.noise(f"lit {number}").random(glass.shape[:2]) < 0.02).astype(np.uint8) * 160
        skins[f"block {number}"] = np.dstack([glass[..., :3], np.maximum(lit, glass[..., 3]) if glass.shape[2] == 4 else lit])
    faces = prism(regular(sides, side * 0.85), 0, 6, "foot", "roof")
    radius, level = side / 1.41, 6.0
    for number in range(blocks):
        outline = regular(sides, radius, turn=twist * number)
        faces += prism(outline, level, level + total / blocks, f"block {number}", "roof")
        level += total / blocks
        radius *= step
    top = traits.pick("high top", ("flat", "needle", "wedge", "crown"))
    if top == "needle":
        faces += turned([(1.2, level), (0.6, level + total * 0.15), (0, level + total * 0.3)], 5, "roof")
    elif top == "wedge":
        faces += loft(regular(sides, radius), level, regular(sides, radius * 0.1), level + radius * 1.6, "block 0")
    elif top == "crown":
        faces += prism(regular(sides, radius * 0.6), level, level + 6, "foot", "roof")
    return faces, skins


def monument(traits: Traits) -> Parts:
    """An obelisk or a column with a figure, on a stepped and carved base."""
    base, high = traits.number("base", 6, 12), traits.number("shaft", 14, 34)
    skins = {
        "stone": bare(traits, "stone", 10, 4),
        "pedestal": facade(traits, "pedestal", base, base * 0.7, crown="relief", blank=True),
        "shaft": facade(traits, "shaft", 4, high, blank=True),
        "figure": bare(
            traits, "figure", 3, 4, "plaster", traits.colour("bronze", ((96, 128, 110), (84, 70, 54), (226, 222, 210), (190, 150, 60)))
        ),
    }
    faces, level = [], 0.0
    for step in range(traits.count("monument steps", 1, 5)):
        wide = base * (2.2 - 0.22 * step)
        faces += prism(rectangle(wide, wide), level, level + 0.6, "stone", "stone")
        level += 0.6
    block = rectangle(base, base)
    faces += prism(block, level, level + base * 0.7, "pedestal", "stone")
    level += base * 0.7
    radius = base * traits.number("shaft radius", 0.16, 0.3)
    kind = traits.pick("shaft kind", ("obelisk", "column", "column", "pillars"))
    if kind == "obelisk":
        faces += loft(rectangle(2 * radius, 2 * radius), level, rectangle(1.3 * radius, 1.3 * radius), level + high, "shaft") + loft(
            rectangle(1.3 * radius, 1.3 * radius), level + high, rectangle(0.01, 0.01), level + high + 1.5 * radius, "figure"
        )
    else:
        for x, y in ((0, 0),) if kind == "column" else ((-0.35, -0.35), (0.35, -0.35), (0.35, 0.35), (-0.35, 0.35)):
            faces += turned(
                [(radius, level), (radius * 0.85, level + high * 0.6), (radius * 1.5, level + high * 0.64)],
                10,
                "shaft",
                (x * base, y * base),
                wrap=True,
            )
        level += high * 0.64
        faces += prism(
            rectangle(base * 0.9 if kind == "pillars" else 3 * radius, base * 0.9 if kind == "pillars" else 3 * radius),
            level,
            level + 1.0,
            "stone",
            "stone",
        )
        size = high * traits.number("figure", 0.12, 0.25)
        faces += turned(
            [
                (size * 0.32, level + 1),
                (size * 0.26, level + 1 + size * 0.5),
                (size * 0.36, level + 1 + size * 0.75),
                (size * 0.12, level + 1 + size * 0.85),
                (size * 0.16, level + 1 + size),
                (0, level + 1 + size * 1.1),
            ],
            7,
            "figure",
        )
        faces += prism(
            rectangle(size * traits.number("arms", 0.4, 1.8), size * 0.15),
            level + 1 + size * 0.6,
            level + 1 + size * 0.72,
            "figure",
            "figure",
        )
    return faces, skins


def stepped_pyramid(traits: Traits) -> Parts:
    """Terraces of stone with a stair up the front and a shrine on top."""
    tiers, side, high = traits.count("terraces", 3, 8), traits.number("foot", 30, 52), traits.number("terrace", 2.4, 4.6)
    slope, last = traits.number("batter", 0.0, 0.8), traits.number("top share", 0.25, 0.5)
    skins = {
        "wall": facade(traits, "wall", side, high, blank=traits.chance("blind terraces", 0.6)),
        "stone": bare(traits, "stone", side * 0.5, high * 3),
        "shrine": facade(traits, "shrine", side * last * 0.7, 6, entrance=True, crown=traits.pick("crown", ("relief", "none"))),
        "roof": roof(traits),
        "stair": bare(traits, "stair", 6, 12, "panels"),
    }
    faces = []
    for tier in range(tiers):
        wide = side * (1 - (1 - last) * tier / max(1, tiers - 1))
        faces += loft(
            rectangle(wide, wide), tier * high, rectangle(wide - slope * high, wide - slope * high), tier * high + high, "wall"
        ) + [flat(rectangle(wide - slope * high, wide - slope * high), tier * high + high, "stone")]
    top, broad = tiers * high, side * traits.number("stair width", 0.12, 0.3)
    foot, head = np.array([-broad / 2, -side * 0.62, 0.0]), np.array([-broad / 2, -side * last * 0.5, top])
    faces.append(Face(head, np.array([broad, 0, 0]), foot - head, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), "stair"))
    for sign in (-1, 1):
        x = sign * broad / 2
        ends = ((x, -side * 0.62), (x, -side * last * 0.5))
        slant = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        faces.append(
            panel(*ends, 0, top, "stone", slant) if sign > 0 else panel(ends[1], ends[0], 0, top, "stone", slant * [-1, 1] + [1, 0])
        )
    shrine = rectangle(side * last * 0.7, side * last * 0.6)
    rise = traits.number("shrine height", 4, 9)
    faces += (
        prism(shrine, top, top + rise, "shrine")
        + {
            "flat": [flat(shrine, top + rise, "stone")],
            "pyramid": loft(shrine, top + rise, shrine * 0.2, top + rise * 2, "roof"),
            "gable": gable(shrine, top + rise, top + rise * 1.5, "roof", "stone"),
        }[traits.pick("shrine roof", ("flat", "pyramid", "gable"))]
    )
    return faces, skins


def arena(traits: Traits) -> Parts:
    """An oval arena of arcades, one rim higher than the other."""
    width, depth, tiers = traits.number("arena width", 44, 64), traits.number("arena depth", 34, 52), traits.count("arena tiers", 1, 4)
    high, ruin = traits.number("arena tier", 5, 8), traits.number("ruin", 0.0, 0.7)
    skins = {
        "wall": facade(traits, "wall", width * 1.6, high * tiers, arcade=True),
        "inner": bare(traits, "inner", 40, 12, "panels"),
        "stone": bare(traits, "stone", 10, 8),
        "sand": bare(traits, "sand", 10, 10, "plaster", np.array([206, 184, 140.0])),
    }
    sides = 20
    outer, inner, floor = regular(sides, 0.5) * [width, depth], regular(sides, 0.42) * [width, depth], regular(sides, 0.25) * [width, depth]
    faces, start = [], traits.count("ruin side", 0, sides - 1)
    for number, wall in enumerate(loft(outer, 0, outer, high * tiers, "wall", wrap=True)):
        broken = (number - start) % sides < sides * 0.45
        cut = ruin * 0.8 if broken else 0.0
        part = wall.outline.copy()
        part[:2, 1] = cut
        faces += [wall._replace(outline=part), Face(wall.origin + wall.across, -wall.across, wall.down, part * [-1, 1] + [1, 0], "stone")]
    seats = loft(inner[::-1], high * tiers * 0.75 * (1 - 0.5 * ruin), floor[::-1], 1.0, "inner")
    return faces + seats + [flat(floor, 1.0, "sand")], skins


def mill(traits: Traits) -> Parts:
    """A windmill or, without sails, a lighthouse with coloured bands."""
    radius, high, sides = traits.number("mill radius", 4.5, 7), traits.number("mill height", 14, 32), traits.pick("mill sides", (8, 12))
    skins = {
        "wall": facade(traits, "wall", radius * 4, high, entrance=True, blank=True),
        "roof": roof(traits),
        "stone": bare(traits, "stone", 8, 4),
        "sail": bare(traits, "sail", 3, 12, "panels", traits.colour("sail", ((236, 228, 210), (150, 50, 40), (90, 70, 56)))),
        "band": bare(
            traits, "band", 10, 4, "plaster", traits.colour("band", ((190, 40, 36), (30, 50, 100), (40, 40, 40), (240, 238, 230)))
        ),
        "lamp": np.dstack([bare(traits, "lamp", 4, 4, "glass", np.array([210, 220, 200.0])), np.full((64, 64), 255, np.uint8)]),
    }
    top = radius * traits.number("mill taper", 0.5, 0.8)
    bands = traits.count("mill bands", 0, 3)
    faces, parts = [], 2 * bands + 1
    for part in range(parts):
        low, up = radius + (top - radius) * part / parts, radius + (top - radius) * (part + 1) / parts
        faces += turned([(low, high * part / parts), (up, high * (part + 1) / parts)], sides, "band" if part % 2 else "wall", wrap=True)
    gallery = high * traits.number("mill gallery", 0.25, 0.4)
    faces += prism(regular(sides, radius * 1.25), gallery, gallery + 1.0, "stone", "stone")
    if traits.chance("sails", 0.6):
        faces += dome(top * 1.1, high, top * 1.2, "roof", shape=traits.pick("cap", ("round", "pointed", "onion")), sides=sides)
        hub, length, start = (
            np.array([0, -top * 1.25, high]),
            high * traits.number("sail length", 0.4, 0.62),
            traits.number("sail angle", 0, 1.5),
        )
        for blade in range(traits.pick("blades", (4, 4, 5, 6))):
            angle = start + 2 * np.pi * blade / traits.pick("blades", (4, 4, 5, 6))
            out, side = np.array([np.cos(angle), 0, np.sin(angle)]), np.array([-np.sin(angle), 0, np.cos(angle)])
            whole = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
            corner = hub + out * 1.0 - side * 0.4
            faces += [
                Face(corner, side * 2.2, out * length, whole, "sail"),
                Face(corner + side * 2.2, -side * 2.2, out * length, whole, "sail"),
            ]
    else:
        faces += [
            flat(regular(sides, top * 1.35), high, "stone", "below"),
            *prism(regular(sides, top * 1.35), high, high + 1, "stone", "stone"),
            *turned([(top * 0.7, high + 1), (top * 0.7, high + 4)], 8, "lamp"),
            *turned([(top * 0.9, high + 4), (0, high + 4 + top)], 8, "roof"),
        ]
    if traits.chance("keeper", 0.5):
        house = rectangle(radius * 2.4, radius * 1.6, (radius * traits.pick("keeper side", (-2, 2)), 0))
        faces += prism(house, 0, 4.5, "wall") + gable(house, 4.5, 7.5, "roof", "stone")
    return faces, skins
