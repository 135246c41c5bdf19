"""Palaces, castles, towers and gates. Each function: Traits -> (faces, skins)."""

from __future__ import annotations

import numpy as np

from .facade import bare, facade, roof
from .openings import arch_outline
from .sacred import Parts, spire
from .solids import Face, battlements, dome, flat, gable, loft, panel, prism, rectangle, regular, turned
from .traits import Traits


def palace(traits: Traits) -> Parts:
    """A long front with wings or pavilions, hipped roofs, and a portico, dome or clock turret in the middle."""
    width, depth, eaves = (
        traits.number("palace width", 38, 70),
        traits.number("palace depth", 12, 20),
        traits.number("palace eaves", 10, 18),
    )
    pitch, pavilion = traits.number("palace roof", 2.5, 7), traits.number("pavilion", 9, 15)
    skins = {
        "front": facade(traits, "front", width, eaves, entrance=True, arcade=traits.chance("arcaded", 0.4)),
        "side": facade(traits, "side", depth, eaves),
        "tower": facade(traits, "tower", pavilion, eaves * 1.4, crown=traits.pick("tower crown", ("none", "clock", "relief"))),
        "roof": roof(traits),
        "stone": bare(traits, "stone", 10, 8),
        "dome": roof(traits, "dome", 8, 6),
    }
    main = rectangle(width, depth)
    faces = prism(main, 0, eaves, ("front", "side", "front", "side")) + _hip(main, eaves, pitch)
    for x in {"none": (), "ends": (-0.5, 0.5), "four": (-0.5, -0.22, 0.22, 0.5)}[
        traits.pick("pavilions", ("none", "ends", "ends", "four"))
    ]:
        block = rectangle(pavilion, depth * 1.3, (x * width, 0))
        tall = eaves * traits.number("pavilion height", 1.0, 1.4)
        faces += prism(block, 0, tall, ("tower", "side", "tower", "side")) + _hip(block, tall, pitch * 1.4)
    if traits.chance("wings", 0.4):
        for sign in (-1, 1):
            wing = rectangle(depth * 0.8, width * 0.5, (sign * (width - depth) / 2, -width * 0.25))
            faces += prism(wing, 0, eaves * 0.9, ("side", "front", "side", "front")) + _hip(wing, eaves * 0.9, pitch)
    middle = traits.pick("palace middle", ("portico", "dome", "turret", "gable", "none"))
    if middle in ("portico", "gable"):
        porch = rectangle(width * 0.26, 5, (0, -depth / 2 - 2.5))
        top = eaves * (1.0 if middle == "portico" else 1.1)
        faces += gable(porch, top, top + width * 0.06, "roof", "stone") + prism(
            porch, top * (0.8 if middle == "portico" else 0), top, ("tower", "stone", "stone", "stone")
        )
        if middle == "portico":
            for x in np.linspace(-width * 0.12, width * 0.12, traits.count("portico columns", 4, 6)):
                faces += turned([(0.9, 0), (0.75, top * 0.8)], 6, "stone", (x, -depth / 2 - 4.4))
    elif middle == "dome":
        faces += turned([(depth * 0.4, eaves), (depth * 0.4, eaves + pitch + 3)], 10, "tower") + dome(
            depth * 0.42, eaves + pitch + 3, depth * 0.5, "dome", shape=traits.pick("dome shape", ("round", "onion", "pointed")), sides=10
        )
    elif middle == "turret":
        block = rectangle(pavilion * 0.6, pavilion * 0.6)
        top = eaves * traits.number("turret", 1.7, 2.6)
        faces += prism(block, 0, top, "tower") + spire(traits, block, top)
    return faces, skins


def _hip(outline: np.ndarray, eaves: float, rise: float) -> list[Face]:
    inset = 0.4 * float(min(np.ptp(outline, axis=0)))
    centre = outline.mean(0)
    upper = centre + np.sign(outline - centre) * (np.abs(outline - centre) - inset)
    return [*loft(outline, eaves, upper, eaves + rise, "roof"), flat(upper, eaves + rise, "roof")]


def castle(traits: Traits) -> Parts:
    """Curtain walls with towers at the corners, battlements, a gate and a keep."""
    width, depth, high = traits.number("bailey width", 32, 54), traits.number("bailey depth", 26, 44), traits.number("curtain", 6, 12)
    radius, tall = traits.number("tower radius", 3.2, 5.5), high * traits.number("tower rise", 1.25, 2.0)
    sides = traits.pick("tower sides", (4, 8, 12, 12))
    skins = {
        "wall": facade(traits, "wall", width, high, blank=True),
        "gate": facade(traits, "gate", 8, high * 1.3, entrance=True),
        "tower": facade(traits, "tower", radius * 4, tall, blank=True),
        "keep": facade(traits, "keep", 14, 22),
        "stone": bare(traits, "stone", 8, 6),
        "roof": roof(traits),
        "dome": roof(traits, "dome", 8, 6),
    }
    outer = rectangle(width, depth)
    faces = prism(outer, 0, high, "wall") + [flat(outer, high * 0.75, "stone")] + battlements(outer, high, 1.6, "stone", 3.2)
    places = [*outer] + ([np.array([0.0, depth / 2])] if traits.chance("fifth tower", 0.4) else [])
    for place in places:
        outline = regular(sides, radius, place)
        faces += prism(outline, 0, tall, "tower", "stone", wrap=True)
        faces += (
            loft(
                regular(sides, radius * 1.15, place),
                tall,
                np.repeat(np.array(place)[None], sides, 0),
                tall + radius * traits.number("cone", 1.2, 2.6),
                "roof",
            )
            if traits.chance("cones", 0.5)
            else battlements(outline, tall, 1.6, "stone", 2.4)
        )
    gate = rectangle(8, 6, (0, -depth / 2))
    faces += prism(gate, 0, high * 1.3, ("gate", "stone", "stone", "stone"), "stone") + battlements(gate, high * 1.3, 1.4, "stone", 2.4)
    keep = rectangle(
        traits.number("keep width", 9, 18),
        traits.number("keep depth", 9, 16),
        (traits.number("keep x", -8, 8), traits.number("keep y", -2, 8)),
    )
    top = high * traits.number("keep rise", 1.8, 3.2)
    faces += prism(keep, 0, top, "keep", "stone")
    faces += {
        "flat": battlements(keep, top, 1.8, "stone", 2.8),
        "gable": gable(keep, top, top + 6, "roof", "stone"),
        "hip": _hip(keep, top, 6),
    }[traits.pick("keep top", ("flat", "gable", "hip"))]
    return faces, skins


def tower(traits: Traits) -> Parts:
    """A tall tower in sections, with a clock, a gallery and a top."""
    radius, sections, sides = traits.number("radius", 4, 7.5), traits.count("sections", 2, 4), traits.pick("sides", (4, 4, 4, 6, 8, 12))
    total, taper = traits.number("total", 34, 70), traits.number("taper", 0.72, 1.0)
    skins = {"stone": bare(traits, "stone", 8, 6), "roof": roof(traits), "dome": roof(traits, "dome", 8, 6)}
    faces: list[Face] = []
    level, reach = 0.0, radius
    for number in range(sections):
        high = total * (0.5 if number == 0 else 0.5 / (sections - 1))
        clock_here = traits.pick("clock section", (-1, 1, 1, 2)) == number
        name = "tower" if number == sections - 1 else f"section {number}"
        skins[name] = facade(
            traits,
            f"section {number}" if number % 2 == 0 else f"tower {number}",
            1.41 * reach,
            high,
            entrance=number == 0,
            crown="clock" if clock_here else "none",
            blank=traits.chance(f"blank {number}", 0.3),
        )
        outline = regular(sides, reach)
        faces += prism(outline, level, level + high, name)
        level += high
        if traits.chance(f"gallery {number}", 0.5):
            wide = regular(sides, reach * 1.18)
            faces += [*prism(wide, level, level + 1.5, "stone", "stone"), flat(wide, level, "stone", "below")]
            level += 1.5
        else:
            faces.append(flat(outline, level, "stone"))
        reach *= taper
    return faces + spire(traits, regular(sides, reach), level), skins


def gate(traits: Traits) -> Parts:
    """A triumphal arch of one, three or five openings, with an attic; or the same as an aqueduct in two tiers."""
    openings, opening = traits.pick("openings", (1, 1, 3, 3, 5)), traits.number("opening", 5, 8.5)
    pier, depth = traits.number("pier", 2.5, 5), traits.number("gate depth", 5, 10)
    width = openings * opening + (openings + 1) * pier
    high = opening * traits.number("opening height", 1.3, 2.0) + 3
    kind, lower = traits.pick("arch kind", ("round", "round", "pointed")), traits.number("side arches", 0.6, 1.0)
    skins = {
        "front": facade(traits, "front", width, high, blank=True),
        "stone": bare(traits, "stone", depth, high),
        "attic": facade(traits, "attic", width, 6, crown=traits.pick("attic crown", ("relief", "clock", "none"))),
        "tower": facade(traits, "tower", pier * 1.6, high),
        "roof": roof(traits),
        "dome": roof(traits, "dome", 8, 6),
    }
    faces, level = [], 0.0
    for _ in range(traits.pick("gate tiers", (1, 1, 1, 2))):
        outline = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
        for number in reversed(range(openings)):
            share = 1.0 if number == openings // 2 else lower
            left = (pier + number * (opening + pier)) / width
            # arch_outline ends with its right and left foot: walk it from the right foot over the head to the left one
            arch = arch_outline(left * width, high - share * (high - 2.5), left * width + opening, high, kind) / [width, high]
            outline += [arch[-2].tolist(), *arch[:-2][::-1].tolist(), arch[-1].tolist()]
        faces += _pierced(np.array(outline + [[0.0, 1.0]]), width, depth, level, high)
        for number in range(openings):
            left = -width / 2 + pier + number * (opening + pier)
            for x, flip in ((left, 1), (left + opening, -1)):
                near, far = (x, -depth / 2 * flip), (x, depth / 2 * flip)
                faces.append(panel(near, far, level, level + high * 0.62, "stone"))
        level += high
        faces.append(flat(rectangle(width, depth), level, "stone"))
    attic = rectangle(width * traits.number("attic width", 0.5, 1.0), depth * 0.9)
    rise = traits.number("attic height", 2.5, 7)
    faces += prism(attic, level, level + rise, ("attic", "stone", "attic", "stone"), "stone")
    top = traits.pick("gate top", ("plain", "figure", "towers", "gable"))
    if top == "figure":
        faces += prism(rectangle(4, 3), level + rise, level + rise + 1.5, "stone", "stone") + turned(
            [(1.6, level + rise + 1.5), (0.9, level + rise + 4), (1.1, level + rise + 5), (0, level + rise + 6.5)], 6, "dome"
        )
    elif top == "towers":
        for x in (-0.5, 0.5):
            plan = rectangle(pier * 1.3, depth * 1.1, (x * width, 0))
            faces += prism(plan, 0, level + rise * 1.3, "tower") + spire(traits, plan, level + rise * 1.3)
    elif top == "gable":
        faces += gable(attic, level + rise, level + rise + 4, "roof", "stone")
    return faces, skins


def _pierced(outline: np.ndarray, width: float, depth: float, bottom: float, high: float) -> list[Face]:
    left, right, front, back = -width / 2, width / 2, -depth / 2, depth / 2
    mirrored = outline * [-1, 1] + [1, 0]
    return [
        panel((left, front), (right, front), bottom, bottom + high, "front", outline),
        panel((right, back), (left, back), bottom, bottom + high, "front", mirrored),
        panel((right, front), (right, back), bottom, bottom + high, "stone"),
        panel((left, back), (left, front), bottom, bottom + high, "stone"),
    ]
