"""Wall and roof materials: the plain surface before windows are cut into it."""

from __future__ import annotations

import cv2
import numpy as np

MATERIALS = ("brick", "ashlar", "plaster", "striped", "panels", "rubble")


def weather(rng: np.random.Generator, height: int, width: int, strength: float) -> np.ndarray:
    """(height, width, 1) float32 factors around 1: stains at two sizes, stretched downwards as by rain."""
    coarse = cv2.resize(rng.standard_normal((4, 6), dtype=np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    streaks = cv2.resize(rng.standard_normal((8, 32), dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    return (1 + strength * (0.6 * coarse + 0.5 * streaks + 0.35 * grain))[..., None]


def courses(rng: np.random.Generator, height: int, width: int, rows: int, columns: int, spread: float, joint: float) -> np.ndarray:
    """(height, width, 1) float32 factors of staggered blocks: each block its own tone (standard deviation `spread`),
    the joints between them darker by the share `joint`."""
    rows, columns = max(1, rows), max(1, columns)
    tones = 1 + spread * rng.standard_normal((rows, columns + 2), dtype=np.float32)
    y = np.arange(height, dtype=np.float32) * rows / height
    row = y.astype(int)
    x = np.arange(width, dtype=np.float32)[None] * columns / width + 0.5 * (row % 2)[:, None]
    column = x.astype(int)
    factors = tones[row[:, None], column]
    if height >= 3 * rows:  # joints finer than a third of a block would only darken the whole wall
        factors = factors * np.where((y - row)[:, None] * height < rows, 1 - joint, 1)
        if width >= 4 * columns:
            factors = factors * np.where((x - column) * width < columns, 1 - joint, 1)
    return factors[..., None].astype(np.float32)


def surface(
    rng: np.random.Generator, material: str, colour: np.ndarray, second: np.ndarray, height: int, width: int, pixels_per_metre: float
) -> np.ndarray:
    """A bare wall, (height, width, 3) float32 RGB around 0..255 (not clipped).

    material: one of MATERIALS, or "tiles", "metal" and "glass" for roofs and curtain walls.
    colour, second: (3,) RGB 0..255; the second colour serves materials of two colours.
    """
    metres_high, metres_wide = height / pixels_per_metre, width / pixels_per_metre
    wall = np.empty((height, width, 3), np.float32)
    wall[:] = colour
    if material == "brick":
        wall *= courses(rng, height, width, int(metres_high * 1.6), int(metres_wide * 0.9), 0.08, 0.22)
    elif material == "ashlar":
        wall *= courses(rng, height, width, int(metres_high * 0.9), int(metres_wide * 0.5), 0.07, 0.18)
    elif material == "rubble":
        wall *= courses(rng, height, width, int(metres_high * 1.1), int(metres_wide * 1.1), 0.16, 0.12)
    elif material == "striped":
        bands = (np.arange(height) * metres_high / height / 1.3).astype(int) % 2 == 1
        wall[bands] = second
        wall *= courses(rng, height, width, int(metres_high * 0.8), int(metres_wide * 0.4), 0.04, 0.12)
    elif material == "panels":
        wall *= courses(rng, height, width, max(1, int(metres_high / 4)), max(1, int(metres_wide / 3)), 0.05, 0.35)
    elif material == "tiles":
        wall *= courses(rng, height, width, int(metres_high * 1.4), int(metres_wide * 1.2), 0.10, 0.25)
    elif material == "metal":
        seams = np.arange(width) * max(1, int(metres_wide / 1.5)) / width % 1 < 0.15
        wall[:, seams] *= 0.72
    elif material == "glass":
        wall *= courses(rng, height, width, max(2, int(metres_high / 3.5)), max(2, int(metres_wide / 2.5)), 0.13, 0.35)
        wall *= np.linspace(1.25, 0.75, height, dtype=np.float32)[:, None, None]
    strength = 0.035 if material == "glass" else 0.075
    return wall * weather(rng, height, width, strength)
