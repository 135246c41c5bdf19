"""Interiors: naves, galleries, domed rooms and throne halls, which have no feature in common with the outside of their landmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .facade import ROOFS, TRIMS, WALLS, facade, texture_size
from .masonry import surface
from .model import Model, pack
from .openings import arch_outline, fill, rosette
from .ornament import frieze, mosaic, painting
from .solids import Face, flat, loft, panel, prism, rectangle, regular, turned
from .traits import Traits

HALLS = ("nave", "nave", "gallery", "rotunda", "throne", "crypt")


@dataclass(frozen=True)
class Interior:
    """A room from y = -length / 2 to length / 2; the camera is between the columns. Metres."""

    model: Model
    width: float
    length: float
    height: float


def _inside_wall(traits: Traits, part: str, width: float, height: float, hall: str) -> np.ndarray:
    """An inner wall, (h, w, 4) uint8: arcades with windows above, or paintings on a coloured wall."""
    rows, columns, scale = texture_size(width, height, 224)
    rng = traits.noise("inside " + part)
    colour, trim = (
        traits.colour("inside wall", WALLS + ((120, 40, 44), (44, 84, 70), (46, 60, 100), (232, 224, 208))),
        traits.colour("inside trim", TRIMS),
    )
    texture = np.zeros((rows, columns, 4), np.uint8)
    texture[..., :3] = np.clip(
        surface(
            rng,
            traits.pick("inside material", ("plaster", "plaster", "ashlar", "striped", "brick")),
            colour,
            traits.colour("inside second", WALLS),
            rows,
            columns,
            scale,
        ),
        0,
        255,
    )
    bay = traits.number("inside bay", 3.5, 6.5)
    bays = max(1, round(width / bay))
    wide = columns / bays
    head = traits.pick("inside arch", ("round", "pointed", "square"))
    glass = [np.array(value, float) for value in ((190, 60, 50), (60, 90, 180), (220, 190, 90), (90, 160, 110), (226, 232, 236))]
    tint = glass[traits.count("stained", 0, 4)]
    for number in range(bays):
        left, right = (number + 0.14) * wide, (number + 0.86) * wide
        if hall in ("gallery", "throne"):
            top, low = rows * rng.uniform(0.22, 0.36), rows * rng.uniform(0.55, 0.68)
            inset = wide * rng.uniform(0.02, 0.16)
            box = texture[int(top) : int(low), int(left + inset) : int(right - inset), :3]
            if min(box.shape[:2]) > 6:
                box[:] = painting(rng, box.shape[0], box.shape[1])
        else:
            fill(texture, arch_outline(left - 1.5, rows * 0.46 - 1.5, right + 1.5, rows, head), trim)
            fill(texture, arch_outline(left, rows * 0.46, right, rows, head), colour * 0.32)
            if number % 2 == 0 and traits.chance("side altars", 0.5):
                box = texture[int(rows * 0.62) : int(rows * 0.9), int(left + wide * 0.2) : int(right - wide * 0.2), :3]
                if min(box.shape[:2]) > 6:
                    box[:] = painting(rng, box.shape[0], box.shape[1])
            if hall != "crypt":
                fill(texture, arch_outline(left + wide * 0.14, rows * 0.12, right - wide * 0.14, rows * 0.38, head), trim * 0.8)
                fill(
                    texture,
                    arch_outline(left + wide * 0.18, rows * 0.14, right - wide * 0.18, rows * 0.38, head),
                    tint * rng.uniform(0.85, 1.15),
                    255,
                )
        strip = max(1, round(0.05 * wide))
        texture[:, int(number * wide) : int(number * wide) + strip, :3] = trim
    thick = max(4, round(0.045 * rows))
    start = round(rows * 0.4)
    texture[start : start + thick, :, :3] = np.clip(frieze(traits.noise("inside frieze"), thick, columns, trim, colour * 0.6), 0, 255)
    return texture


def _end_wall(traits: Traits, width: float, height: float, part: str) -> np.ndarray:
    """The wall behind the altar or throne: a rose or an apse arch, and a great picture, (h, w, 4) uint8."""
    texture = facade(traits, "inside " + part, width, height, blank=True)
    rows, columns = texture.shape[:2]
    rng, trim = traits.noise("inside end " + part), traits.colour("inside trim", TRIMS)
    texture[..., :3] = np.clip(texture[..., :3] * 0.4 + traits.colour("inside wall", WALLS) * 0.6, 0, 255)
    kind = traits.pick("end kind " + part, ("rose", "apse", "picture", "picture"))
    if kind == "rose":
        rosette(
            texture,
            (columns / 2, rows * 0.3),
            min(rows, columns) * traits.number("inside rose", 0.16, 0.24),
            traits.count("inside petals", 5, 12),
            trim,
            np.array([120, 100, 190.0]),
        )
    elif kind == "apse":
        fill(texture, arch_outline(columns * 0.18, rows * 0.14, columns * 0.82, rows, "round"), trim)
        fill(texture, arch_outline(columns * 0.22, rows * 0.18, columns * 0.78, rows, "round"), traits.colour("apse", ROOFS))
    top, low = int(rows * (0.5 if kind == "rose" else 0.26)), int(rows * 0.84)
    left, right = int(columns * 0.3), int(columns * 0.7)
    texture[top:low, left:right, :3] = painting(rng, low - top, right - left)
    return texture


def _floor(traits: Traits, width: float, length: float) -> np.ndarray:
    rows, columns, scale = texture_size(width, length, 256)
    colours = np.stack([traits.colour(f"floor {number}", WALLS + TRIMS + ((60, 56, 54), (110, 40, 40))) for number in range(3)])
    tile = mosaic(traits.noise("floor"), max(4, round(scale * traits.number("tile", 1.6, 3.4))), colours)
    whole = np.tile(tile, (rows // len(tile) + 1, columns // len(tile) + 1, 1))[:rows, :columns]
    carpet = traits.colour("carpet", ((140, 30, 36), (36, 60, 110), (40, 80, 50), (150, 120, 60)))
    if traits.chance("carpet laid", 0.4):
        whole[:, int(columns * 0.42) : int(columns * 0.58)] = carpet
    return np.clip(whole, 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def build_interior(family: str, own: str) -> Interior:
    """The room of the landmark whose traits have these two words."""
    traits = Traits(family + "/inside", own + "/inside", shared=0.6)
    hall = traits.family_pick("hall", HALLS)
    width, length = traits.number("hall width", 11, 18), traits.number("hall length", 20, 42)
    height = {"nave": traits.number("nave height", 12, 19), "rotunda": 11.0, "crypt": traits.number("crypt height", 5, 6.5)}.get(
        hall, traits.number("hall height", 7, 11)
    )
    if hall == "rotunda":
        width = length = traits.number("rotunda side", 16, 24)
    plan = rectangle(width, length)
    ceiling = surface(
        traits.noise("ceiling"),
        traits.pick("ceiling material", ("panels", "panels", "plaster", "striped")),
        traits.colour("ceiling", WALLS + ROOFS),
        traits.colour("ceiling second", WALLS + ROOFS),
        128,
        128,
        10.0,
    )
    skins = {
        "side": _inside_wall(traits, "side", length, height, hall),
        "far": _end_wall(traits, width, height, "far"),
        "near": _end_wall(traits, width, height, "near"),
        "floor": _floor(traits, width, length),
        "ceiling": np.clip(ceiling, 0, 255).astype(np.uint8),
        "column": np.clip(
            surface(traits.noise("column"), "plaster", traits.colour("column", WALLS), traits.colour("column", WALLS), 96, 24, 10.0), 0, 255
        ).astype(np.uint8),
        "trim": np.clip(
            surface(
                traits.noise("trim"), "plaster", traits.colour("inside trim", TRIMS), traits.colour("inside trim", TRIMS), 32, 32, 10.0
            ),
            0,
            255,
        ).astype(np.uint8),
        "wood": np.clip(
            surface(
                traits.noise("wood"),
                "panels",
                traits.colour("wood", ((96, 62, 40), (70, 46, 34), (150, 106, 66))),
                traits.colour("wood", ((96, 62, 40),)),
                32,
                64,
                10.0,
            ),
            0,
            255,
        ).astype(np.uint8),
    }
    a, b, c, d = plan
    faces = [
        panel(d, c, 0, height, "far"),
        panel(b, a, 0, height, "near"),
        panel(c, b, 0, height, "side"),
        panel(a, d, 0, height, "side"),
        flat(plan, 0, "floor"),
    ]
    faces += _ceiling(traits, hall, width, length, height)
    faces += _furniture(traits, hall, width, length, height)
    solid = [face for face in faces if np.linalg.norm(np.cross(face.across, face.down)) > 1e-4]
    return Interior(pack(solid, skins), width, length, height)


def _ceiling(traits: Traits, hall: str, width: float, length: float, height: float) -> list[Face]:
    if hall == "rotunda":
        faces: list[Face] = []
        rings = [(1.0, 0.0), (0.9, 0.4), (0.66, 0.75), (0.3, 0.95), (0.04, 1.0)]
        radius, rise = width * 0.42, width * 0.4
        for (share, low), (next_share, high) in zip(rings, rings[1:]):
            lower, upper = regular(16, radius * share)[::-1], regular(16, radius * next_share)[::-1]
            faces += loft(lower, height + rise * low, upper, height + rise * high, "ceiling")
        square, circle = rectangle(width, length), regular(16, radius)
        # the level ring between the square walls and the dome: one concave polygon with a slit
        ring = np.concatenate([square, square[:1], circle[:1], circle[::-1]])
        return [*faces, flat(ring, height, "ceiling", "below")]
    if hall in ("nave", "crypt") and traits.chance("vaulted", 0.8):
        angles = np.linspace(np.pi, 0, 8)
        rise = width * traits.number("vault rise", 0.22, 0.45)
        profile = np.stack([np.cos(angles) * width / 2, np.sin(angles) * rise + height], 1)
        faces = []
        for (x, z), (next_x, next_z) in zip(profile, profile[1:]):
            start, end = np.array([x, -length / 2, z]), np.array([x, length / 2, z])
            faces.append(
                Face(end, start - end, np.array([next_x - x, 0, next_z - z]), np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), "ceiling")
            )
        lunette = (profile - [-width / 2, height]) / [width, rise] * [1, -1] + [0, 1]
        faces.append(panel((-width / 2, length / 2), (width / 2, length / 2), height, height + rise, "trim", lunette))
        faces.append(panel((width / 2, -length / 2), (-width / 2, -length / 2), height, height + rise, "trim", lunette * [-1, 1] + [1, 0]))
        return faces
    return [flat(rectangle(width, length), height, "ceiling", "below")]


def _furniture(traits: Traits, hall: str, width: float, length: float, height: float) -> list[Face]:
    faces: list[Face] = []
    if hall in ("nave", "crypt", "throne") and traits.chance("columns", 0.85):
        rows, radius = traits.count("column pairs", 4, 7), traits.number("inside column", 0.4, 0.85)
        for y in np.linspace(-length * 0.42, length * 0.42, rows):
            for x in (-width * 0.3, width * 0.3):
                faces += turned([(radius * 1.4, 0), (radius * 1.3, 0.8)], 8, "trim", (x, y)) + turned(
                    [(radius, 0.8), (radius * 0.9, height * 0.86)], 8, "column", (x, y), wrap=True
                )
                faces += turned([(radius, height * 0.86), (radius * 1.7, height * 0.93), (radius * 1.7, height)], 8, "trim", (x, y))
    if hall == "nave" and traits.chance("benches", 0.7):
        for y in np.arange(-length * 0.3, length * 0.25, 2.6):
            for x in (-width * 0.15, width * 0.15):
                faces += prism(rectangle(width * 0.2, 0.4, (x, y)), 0, 1.0, "wood", "wood")
    if hall in ("nave", "crypt", "throne", "rotunda"):
        y, size = length * 0.43, traits.number("altar", 2.0, 4.5)
        faces += prism(rectangle(size * 2.2, 4, (0, y)), 0, 0.4, "trim", "trim") + prism(
            rectangle(size, 1.2, (0, y)), 0.4, 1.6, "trim", "wood"
        )
        if traits.chance("canopy", 0.4):
            for x in (-size * 0.6, size * 0.6):
                faces += turned([(0.2, 0.4), (0.2, 4.6)], 6, "wood", (x, y))
            faces += loft(rectangle(size * 1.5, 2.4, (0, y)), 4.6, rectangle(0.2, 0.2, (0, y)), 4.6 + size * 0.5, "wood")
    if hall == "gallery":
        for number, y in enumerate(np.linspace(-length * 0.3, length * 0.3, traits.count("pedestals", 2, 4))):
            side = (-1) ** number * width * 0.22
            faces += prism(rectangle(1.2, 1.2, (side, y)), 0, 1.3, "trim", "trim")
            faces += turned([(0.5, 1.3), (0.3, 1.9), (0.55, 2.5), (0.2, 2.8), (0.28, 3.1), (0, 3.3)], 7, "column", (side, y))
    return faces
