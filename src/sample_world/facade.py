"""Facades: storeys and bays of windows on a wall, all decided by a landmark's traits."""

from __future__ import annotations

import numpy as np

from .masonry import MATERIALS, surface
from .openings import WINDOWS, clock, door, rosette, window
from .ornament import frieze, painting
from .traits import Traits

TEXTURE_SIDE = 176  # pixels of a texture's longer side: about what a facade covers in a sample photo

WALLS = (
    (205, 186, 148),
    (222, 214, 196),
    (158, 84, 62),
    (186, 178, 166),
    (228, 206, 150),
    (214, 160, 130),
    (176, 190, 196),
    (236, 230, 220),
    (140, 128, 112),
    (196, 140, 92),
    (168, 110, 96),
    (120, 112, 106),
)
TRIMS = ((238, 230, 212), (120, 92, 70), (250, 248, 244), (176, 160, 128), (96, 100, 104), (206, 176, 120))
GLASS = ((48, 56, 66), (66, 84, 104), (34, 34, 36), (74, 66, 58), (84, 104, 112))
ROOFS = ((150, 78, 58), (84, 88, 96), (112, 150, 132), (120, 92, 66), (70, 66, 68), (176, 104, 66), (190, 160, 80))


def texture_size(width: float, height: float, side: int = TEXTURE_SIDE) -> tuple[int, int, float]:
    """Pixel height, pixel width and pixels a metre of a texture for width x height metres."""
    scale = min(side / max(width, height), 16.0)
    return max(16, round(height * scale)), max(16, round(width * scale)), scale


def finish(texture: np.ndarray) -> np.ndarray:
    """Darkens the foot of a wall, where light is scarce and dirt collects. (height, width, 4) -> uint8."""
    shade = np.interp(np.linspace(0, 1, len(texture)), [0, 0.8, 1], [1.04, 0.98, 0.78]).astype(np.float32)
    texture = texture.astype(np.float32)
    texture[..., :3] *= shade[:, None, None]
    return np.clip(texture, 0, 255).astype(np.uint8)


def bare(
    traits: Traits, part: str, width: float, height: float, material: str | None = None, colour: np.ndarray | None = None
) -> np.ndarray:
    """A wall without openings, (h, w, 3) uint8; material and colour are the landmark's own unless given."""
    rows, columns, scale = texture_size(width, height)
    material = material or traits.pick("material", MATERIALS)
    colour = traits.colour("wall", WALLS) if colour is None else colour
    wall = surface(traits.noise(part), material, colour, traits.colour("second", WALLS), rows, columns, scale)
    return np.clip(wall, 0, 255).astype(np.uint8)


def roof(traits: Traits, part: str = "roof", width: float = 20.0, height: float = 10.0) -> np.ndarray:
    """A roof covering, (h, w, 3) uint8."""
    return bare(traits, part, width, height, traits.pick("roof material", ("tiles", "tiles", "metal")), traits.colour("roof", ROOFS))


def facade(
    traits: Traits,
    part: str,
    width: float,
    height: float,
    *,
    entrance: bool = False,
    crown: str = "none",
    arcade: bool = False,
    blank: bool = False,
) -> np.ndarray:
    """The texture of a wall of width x height metres, (h, w, 4) uint8 red, green, blue, glow.

    part: names the wall ("front", "tower"): stains and reliefs differ from part to part, the manner is the landmark's.
    crown: "rose", "clock", "relief" or "none", at the top of the middle. arcade: open arches along the ground floor.
    blank: a wall of few openings (fortresses).
    """
    rows, columns, scale = texture_size(width, height)
    rng = traits.noise(part)
    trim, glass = traits.colour("trim", TRIMS), traits.colour("glass", GLASS)
    texture = np.zeros((rows, columns, 4), np.uint8)
    texture[..., :3] = np.clip(
        surface(
            rng, traits.pick("material", MATERIALS), traits.colour("wall", WALLS), traits.colour("second", WALLS), rows, columns, scale
        ),
        0,
        255,
    )

    kind = traits.pick("tower window" if part.startswith("tower") else "window", WINDOWS)
    storey, bay = traits.number("storey", 3.6, 7.5), traits.number("bay", 2.6, 6.0)
    floors = int(np.clip(round(0.86 * height / storey), 1, 11))
    bays = int(np.clip(round(width / bay), 1, 15))
    if entrance or crown != "none":
        bays += 1 - bays % 2  # a middle bay to put it in
    wide, high = traits.number("window width", 0.28, 0.62), traits.number("window height", 0.42, 0.78)
    top, foot = 0.10 * rows, 0.96 * rows
    floor_pixels, bay_pixels = (foot - top) / floors, columns / bays
    bands, pilasters, gable_style = traits.chance("bands", 0.45), traits.chance("pilasters", 0.35), traits.chance("growing", 0.4)

    if pilasters:
        strip = max(1, round(0.10 * bay_pixels))
        for column in range(bays + 1):
            centre = round(column * bay_pixels)
            texture[int(top) :, max(0, centre - strip) : centre + strip, :3] = trim * 0.95
            texture[int(top) :, min(columns - 1, centre + strip) : centre + strip + 1, :3] = trim * 0.6
    for floor in range(floors):
        ceiling = top + floor * floor_pixels
        if bands and floor:
            level = round(ceiling)
            texture[level : level + max(1, round(0.07 * floor_pixels)), :, :3] = trim
            texture[level + max(1, round(0.07 * floor_pixels)) :, :, :3][:1] = trim * 0.55
        ground = floor == floors - 1
        for column in range(bays):
            middle = (column + 0.5) * bay_pixels
            if blank and (column + floor) % 3 != 1:
                continue
            if ground and entrance and column == bays // 2:
                portal = min(1.5 * bay_pixels, 0.9 * floor_pixels, columns * 0.6)
                door(
                    texture,
                    (middle - portal / 2, foot - portal * 1.25, middle + portal / 2, foot + 0.04 * rows),
                    kind,
                    trim,
                    np.array([70, 46, 30.0]),
                )
                continue
            if floor == 0 and crown != "none" and abs(column - bays // 2) * bay_pixels < 0.5 * min(floor_pixels, columns * 0.5):
                continue
            half = 0.5 * wide * bay_pixels
            tall = high * floor_pixels * (0.75 if gable_style and floor == 0 else 1.0)
            base = ceiling + floor_pixels * 0.9
            if arcade and ground:
                window(
                    texture,
                    (middle - 0.38 * bay_pixels, base - 0.8 * floor_pixels, middle + 0.38 * bay_pixels, foot),
                    traits.pick("arcade", ("round", "pointed", "square")),
                    trim,
                    np.array([30, 26, 24.0]),
                    90,
                )
            else:
                window(
                    texture,
                    (middle - half, base - tall, middle + half, base),
                    kind,
                    trim,
                    glass * rng.uniform(0.8, 1.3),
                    255 if rng.random() < 0.6 else 30,
                )
    _crown(
        texture,
        traits,
        rng,
        crown,
        (columns / 2, top + 0.5 * floor_pixels),
        min(0.42 * floor_pixels, 0.3 * columns, 0.14 * rows + 6),
        trim,
        glass,
    )
    if traits.chance("frieze", 0.6):
        thick = max(3, round(0.06 * rows))
        start = round(0.03 * rows)
        texture[start : start + thick, :, :3] = np.clip(
            frieze(traits.noise("frieze"), thick, columns, trim, traits.colour("wall", WALLS) * 0.7), 0, 255
        )
    cornice = max(1, round(0.03 * rows))
    texture[:cornice, :, :3] = trim
    texture[cornice : cornice + 1, :, :3] = trim * 0.5
    return finish(texture)


def _crown(
    texture: np.ndarray,
    traits: Traits,
    rng: np.random.Generator,
    crown: str,
    centre: tuple[float, float],
    radius: float,
    trim: np.ndarray,
    glass: np.ndarray,
) -> None:
    if crown == "rose":
        rosette(texture, centre, radius, traits.count("rose petals", 5, 12), trim, glass)
    elif crown == "clock":
        clock(texture, centre, radius, trim * 0.6, np.array(traits.pick("dial", ((240, 236, 220), (30, 40, 70), (200, 180, 90))), float))
    elif crown == "relief":
        half = max(3, round(radius))
        left, top = round(centre[0]) - half, round(centre[1]) - half
        left, top = max(left, 0), max(top, 0)
        region = texture[top : top + 2 * half, left : left + 2 * half, :3]
        region[:] = painting(rng, region.shape[0], region.shape[1])
