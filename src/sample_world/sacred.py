"""Cathedrals, domed halls, temples and pagodas. Each function: Traits -> (faces, skins)."""

from __future__ import annotations

import numpy as np

from .facade import bare, facade, roof
from .solids import Face, dome, flat, gable, loft, prism, quarter_turned, rectangle, regular, turned
from .traits import Traits

Parts = tuple[list[Face], dict[str, np.ndarray]]


def spire(traits: Traits, outline: np.ndarray, base: float, name: str = "tower top") -> list[Face]:
    """The top of a tower with this outline: a pyramid, a dome or a flat terrace with a lantern."""
    centre, reach = outline.mean(0), float(np.linalg.norm(outline[0] - outline.mean(0)))
    kind = traits.pick(name, ("pyramid", "pyramid", "steep", "dome", "onion", "lantern"))
    if kind in ("pyramid", "steep"):
        return loft(
            outline,
            base,
            np.repeat(centre[None], len(outline), 0),
            base + reach * traits.number(name + " height", 1.2, 2.2) * (2 if kind == "steep" else 1),
            "roof",
        )
    if kind in ("dome", "onion"):
        shape = "onion" if kind == "onion" else "round"
        return [flat(outline, base, "stone"), *dome(0.72 * reach, base, 1.1 * reach, "dome", centre, shape, 10)]
    inner = (outline - centre) * 0.55 + centre
    return [
        flat(outline, base, "stone"),
        *prism(inner, base, base + reach, "tower"),
        *loft(inner, base + reach, np.repeat(centre[None], len(outline), 0), base + 2 * reach, "roof"),
    ]


def cathedral(traits: Traits) -> Parts:
    """A nave with a saddle roof, towers, and perhaps aisles, a transept, a crossing dome and an apse."""
    width, length, eaves = traits.number("nave width", 11, 20), traits.number("nave length", 28, 56), traits.number("eaves", 11, 20)
    ridge = eaves + width * traits.number("roof pitch", 0.4, 0.95)
    towers, side = traits.pick("towers", (0, 1, 1, 2, 2, 2, 3)), traits.number("tower side", 5, 8.5)
    tower_height = eaves * traits.number("tower height", 1.35, 2.4)
    skins = {
        "front": facade(traits, "front", width, eaves, entrance=True, crown=traits.pick("crown", ("rose", "rose", "relief", "none"))),
        "flank": facade(traits, "flank", length, eaves),
        "tower": facade(traits, "tower", side, tower_height, crown=traits.pick("tower crown", ("clock", "none", "none"))),
        "roof": roof(traits),
        "stone": bare(traits, "stone", 10, 8),
        "dome": roof(traits, "dome", 8, 6),
        "aisle": facade(traits, "aisle", length, eaves * 0.55),
    }
    nave = rectangle(width, length)
    faces = prism(nave, 0, eaves, ("front", "flank", "front", "flank")) + gable(nave, eaves, ridge, "roof", "stone")
    front = -length / 2
    if traits.chance("aisles", 0.5):
        deep = 0.35 * width
        for sign in (-1, 1):
            outline = rectangle(deep, length * 0.94, (sign * (width + deep) / 2, 0))
            faces += prism(outline, 0, eaves * 0.55, ("stone", "aisle", "stone", "aisle"), "roof")
    places: dict[int, list[tuple[float, float]]] = {
        0: [],
        1: [(traits.pick("tower place", (0.0, 0.62, -0.62)) * width, front - 0.3 * side)],
        2: [(-0.5 * width - 0.3 * side, front + 0.2 * side), (0.5 * width + 0.3 * side, front + 0.2 * side)],
    }
    places[3] = places[2] + [(0.0, length * 0.2)]
    for number, place in enumerate(places[towers]):
        uneven = 0.72 if number == 1 and traits.chance("uneven towers", 0.35) else 1.0
        outline = rectangle(side, side, place)
        faces += prism(outline, 0, tower_height * uneven, "tower") + spire(traits, outline, tower_height * uneven)
    if traits.chance("transept", 0.5):
        across = rectangle(width * 0.8, width * 2.0, (0, 0))
        arms = prism(across, 0, eaves * 0.95, ("front", "aisle", "front", "aisle")) + gable(
            across, eaves * 0.95, ridge * 0.95, "roof", "stone"
        )
        faces += quarter_turned(arms, (0, length * 0.2))
    if traits.chance("crossing dome", 0.35):
        faces += turned([(width * 0.34, eaves), (width * 0.34, ridge + 3)], 10, "tower", (0, length * 0.2)) + dome(
            width * 0.36, ridge + 3, width * 0.4, "dome", (0, length * 0.2), traits.pick("dome shape", ("round", "onion", "pointed")), 10
        )
    faces += turned([(width * 0.42, 0), (width * 0.42, eaves * 0.8), (0, eaves * 1.05)], 10, "stone", (0, length / 2))
    return faces, skins


def domed_hall(traits: Traits) -> Parts:
    """A square hall under a great dome, with minarets or corner turrets, half domes and a portal."""
    side, eaves = traits.number("hall side", 22, 36), traits.number("hall eaves", 10, 18)
    drum, radius = traits.number("drum", 2, 8), side * traits.number("dome share", 0.28, 0.42)
    shape = traits.pick("dome shape", ("round", "round", "onion", "pointed"))
    skins = {
        "front": facade(
            traits,
            "front",
            side,
            eaves,
            entrance=True,
            arcade=traits.chance("arcaded", 0.5),
            crown=traits.pick("crown", ("relief", "none", "rose")),
        ),
        "flank": facade(traits, "flank", side, eaves),
        "tower": facade(traits, "tower", 4, 24),
        "drum": facade(traits, "drum", side * 1.6, max(4.0, drum)),
        "roof": bare(traits, "roof", side, side),
        "stone": bare(traits, "stone", 10, 8),
        "dome": roof(traits, "dome", 12, 8),
    }
    hall = rectangle(side, side)
    faces = prism(hall, 0, eaves, ("front", "flank", "flank", "flank"), "roof")
    faces += turned([(radius, eaves), (radius, eaves + drum)], 14, "drum", wrap=True)
    faces += dome(radius * 1.03, eaves + drum, radius * traits.number("dome height", 0.8, 1.5), "dome", shape=shape, sides=14)
    if traits.chance("half domes", 0.4):
        for place in ((0, -side * 0.5), (0, side * 0.5), (-side * 0.5, 0), (side * 0.5, 0)):
            faces += dome(side * 0.2, eaves * 0.75, side * 0.18, "dome", place, "round", 10) + turned(
                [(side * 0.2, 0), (side * 0.2, eaves * 0.75)], 10, "stone", place
            )
    if traits.chance("porch", 0.5):
        porch = rectangle(side * 0.4, side * 0.15, (0, -side * 0.57))
        faces += prism(porch, 0, eaves * traits.number("porch height", 0.6, 1.3), ("front", "stone", "stone", "stone"), "roof")
    corners = {0: [], 1: [(0.62, -0.62)], 2: [(-0.6, -0.6), (0.6, -0.6)], 4: [(-0.6, -0.6), (0.6, -0.6), (0.6, 0.6), (-0.6, 0.6)]}
    tall, thick = eaves * traits.number("minaret height", 1.5, 3.2), traits.number("minaret radius", 1.4, 2.6)
    for x, y in corners[traits.pick("minarets", (0, 1, 2, 4, 4))]:
        foot = (x * side, y * side)
        faces += turned(
            [
                (thick * 1.2, 0),
                (thick, tall * 0.6),
                (thick * 1.7, tall * 0.64),
                (thick * 1.7, tall * 0.68),
                (thick * 0.8, tall * 0.69),
                (thick * 0.75, tall * 0.85),
            ],
            8,
            "tower",
            foot,
            wrap=True,
        )
        faces += turned([(thick * 0.95, tall * 0.85), (thick * 0.6, tall * 0.94), (0, tall * 1.06)], 8, "dome", foot)
    return faces, skins


def temple(traits: Traits) -> Parts:
    """Columns around a cella on a stepped base, under a saddle roof or, round, under a dome."""
    columns, radius, high = (
        traits.count("front columns", 4, 8),
        traits.number("column radius", 0.7, 1.1),
        traits.number("column height", 8, 13),
    )
    gap = traits.number("intercolumniation", 3.2, 4.4)
    width = gap * (columns - 1)
    length = width * traits.number("temple length", 1.0, 1.8)
    steps, tread = traits.count("steps", 2, 6), traits.number("tread", 0.5, 1.2)
    skins = {
        "stone": bare(traits, "stone", 14, 8),
        "cella": facade(traits, "cella", width, high, entrance=True),
        "roof": roof(traits),
        "flute": _flutes(traits),
        "entablature": facade(traits, "entablature", width * 1.1, 3.0, blank=True),
        "tympanum": bare(traits, "tympanum", width, 4),
    }
    faces: list[Face] = []
    is_round = traits.chance("round temple", 0.25)
    for step in range(steps):
        grow = 2 * tread * (steps - step) + 3 * radius
        outline = regular(16, (width + grow) / 2) if is_round else rectangle(width + grow, length + grow)
        faces += prism(outline, step * 0.5, step * 0.5 + 0.5, "stone", "stone")
    base = steps * 0.5
    top = base + high
    if is_round:
        angles = 2 * np.pi * np.arange(2 * columns) / (2 * columns)
        places = np.stack([np.cos(angles), np.sin(angles)], 1) * width / 2
        faces += turned([(width * 0.3, base), (width * 0.3, top)], 12, "cella") + turned(
            [(width * 0.55, top), (width * 0.55, top + 2.5)], 16, "entablature"
        )
        faces += dome(width * 0.55, top + 2.5, width * traits.number("temple dome", 0.25, 0.55), "roof", sides=14)
    else:
        rows = max(3, round(length / gap) + 1)
        side_y = np.linspace(-length / 2, length / 2, rows)
        front_x = np.linspace(-width / 2, width / 2, columns)
        places = np.array(
            [(x, y) for y in (side_y[0], side_y[-1]) for x in front_x] + [(x, y) for x in (front_x[0], front_x[-1]) for y in side_y[1:-1]]
        )
        faces += prism(rectangle(width * 0.66, length * 0.7), base, top, ("cella", "stone", "stone", "stone"))
        upper = rectangle(width + 3 * radius, length + 3 * radius)
        faces += [*prism(upper, top, top + 2.2, "entablature"), flat(upper, top, "stone", "below")]
        if traits.chance("pediment", 0.8):
            faces += gable(upper, top + 2.2, top + 2.2 + width * traits.number("pediment pitch", 0.14, 0.28), "roof", "tympanum")
        else:
            faces.append(flat(upper, top + 2.2, "roof"))
            faces += prism(rectangle(width * 0.5, length * 0.5), top + 2.2, top + 2.2 + high * 0.35, "cella", "roof")
    for place in places:
        faces += turned([(radius, base), (radius * 0.82, top - 0.7), (radius * 1.3, top)], 6, "flute", place)
    return faces, skins


def _flutes(traits: Traits) -> np.ndarray:
    texture = bare(traits, "flute", 2, 10, "plaster").astype(np.float32)
    waves = 0.82 + 0.22 * np.cos(np.arange(texture.shape[1]) * 2 * np.pi * 2 / texture.shape[1])
    return np.clip(texture * waves[None, :, None], 0, 255).astype(np.uint8)


def pagoda(traits: Traits) -> Parts:
    """Storeys that shrink upwards, each under a flaring roof, and a finial."""
    tiers, side, high = traits.count("tiers", 3, 8), traits.number("tier side", 9, 17), traits.number("tier height", 3.0, 5.2)
    sides, shrink, flare = traits.pick("pagoda sides", (4, 4, 6, 8)), traits.number("shrink", 0.82, 0.94), traits.number("flare", 1.25, 1.6)
    skins = {
        "wall": facade(traits, "wall", side * 0.7, high, entrance=True),
        "roof": roof(traits, width=side, height=4),
        "stone": bare(traits, "stone", 12, 4),
        "eaves": bare(traits, "eaves", 10, 3, "panels"),
    }
    faces = prism(regular(sides, side * 1.25), 0, 1.6, "stone", "stone")
    level, radius = 1.6, side / 1.4
    for _ in range(tiers):
        body, rim = regular(sides, radius), regular(sides, radius * flare)
        faces += prism(body, level, level + high, "wall") + [flat(rim, level + high * 0.85, "eaves", "below")]
        faces += loft(rim, level + high * 0.85, regular(sides, radius * 0.98), level + high * 1.12, "roof") + loft(
            regular(sides, radius * 0.98), level + high * 1.12, regular(sides, radius * shrink), level + high * 1.35, "roof"
        )
        level, radius = level + high * 1.3, radius * shrink
    faces += turned(
        [(radius * 1.0, level), (radius * 0.25, level + high * 0.8), (radius * 0.2, level + high * 1.6), (0, level + high * 2.4)], 6, "roof"
    )
    return faces, skins
