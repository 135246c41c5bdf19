"""Sky, hills on the horizon, ground and cast shadows."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .camera import NEAR, Camera
from .daylight import Daylight
from .masonry import surface
from .model import Model
from .paint import Canvas
from .seeds import generator

GROUNDS = ("paving", "slabs", "lawn", "asphalt", "gravel", "mosaic")
_TILE = 128  # pixels of a ground tile


def paint_sky(canvas: Canvas, camera: Camera, daylight: Daylight, rng: np.random.Generator) -> None:
    """Fills the whole canvas with a gradient, clouds or stars, in place."""
    height, width = canvas.nearness.shape
    _, pitch_line = horizon_line(camera)
    # a sky has no fine detail: a third of the resolution is enough
    rows, columns = max(8, height // 3), max(8, width // 3)
    ramp = np.clip((pitch_line / height * rows - np.arange(rows)) / (0.9 * rows), 0, 1)[:, None].astype(np.float32) ** 0.7
    sky = np.repeat(((1 - ramp) * daylight.horizon + ramp * daylight.zenith)[:, None].astype(np.float32), columns, axis=1)
    if daylight.cloud > 0.05:
        field = np.zeros((rows, columns), np.float32)
        for size, weight in ((3, 1.0), (7, 0.55), (16, 0.25)):
            field += weight * cv2.resize(
                rng.standard_normal((2 * size, size), dtype=np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
            )
        cover = np.clip((field - 1.1 + 2.2 * daylight.cloud) * 0.8, 0, 1)[..., None]
        white = 0.5 * daylight.horizon + 0.5 * np.array([250, 250, 250.0]) * (0.85 + 0.15 * (1 - daylight.cloud))
        sky += cover * (white.astype(np.float32) * (1 - 0.08 * field[..., None]) - sky) * (0.45 + 0.4 * daylight.cloud)
    canvas.colour[:] = cv2.resize(np.clip(sky, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    if daylight.night:
        for x, y in rng.integers(0, [width, height], size=(30, 2)).tolist():
            canvas.colour[y, x] = np.minimum(canvas.colour[y, x] + rng.uniform(30, 120), 255)


def horizon_line(camera: Camera) -> tuple[np.ndarray, float]:
    """((3,) coefficients of the horizon over homogeneous pixels, positive above it; its row at the image's middle column)."""
    down_over_pixels = -(np.array([0.0, 0.0, -1.0]) @ np.linalg.inv(camera.projection))
    a, b, c = down_over_pixels
    row = -(a * camera.size[0] / 2 + c) / b if abs(b) > 1e-9 else camera.size[1] / 2
    return down_over_pixels, float(row)


def paint_hills(canvas: Canvas, camera: Camera, daylight: Daylight, layout: np.random.Generator, height: float = 0.05) -> None:
    """Two ridges of hills, woods or roofs around the horizon, the same from every side of one place. height: radians."""
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    heading = np.arctan2(camera.axes[2, 1], camera.axes[2, 0])
    ahead = round(heading / (2 * np.pi) * 180) + np.arange(-40, 41)  # 80 degrees to each side
    directions = np.stack([np.cos(angles[ahead % 180]), np.sin(angles[ahead % 180])], 1)
    for tone in (0.75, 0.5):
        ridge = sum(layout.uniform(0.2, 1.0) / octave * np.sin(octave * angles + layout.uniform(0, 6.28)) for octave in (2, 5, 11, 23))
        roofs = np.repeat(layout.uniform(0, 1, 60), 3) if layout.random() < 0.5 else np.zeros(180)
        elevation = (height * (2 - 1.2 * tone) * (0.5 + 0.25 * ridge + 0.5 * roofs))[ahead % 180]
        colour = tone * daylight.horizon + (1 - tone) * (daylight.skylight + 0.3 * daylight.sunlight) * layout.uniform(
            [30, 50, 30], [110, 110, 100]
        )
        top, depth = camera.project(camera.position + np.column_stack([directions, elevation]) * 1000)
        foot, _ = camera.project(camera.position + np.column_stack([directions, np.full(len(ahead), -0.03)]) * 1000)
        seen = depth > 50
        outline = np.concatenate([top[seen], foot[seen][::-1]])
        if len(outline):
            cv2.fillPoly(canvas.colour, [np.round(np.clip(outline, -5000, 5000)).astype(np.int32)], colour.tolist())


@lru_cache(maxsize=64)
def ground_tile(kind: str, number: int) -> np.ndarray:
    """(128, 128, 3) uint8 of a square of ground of 16 m that repeats. number: one of a few variants."""
    rng = generator("ground", kind, number)
    base = {"lawn": (96, 126, 62), "asphalt": (96, 96, 98), "gravel": (186, 168, 138)}.get(
        kind, tuple(rng.integers(120, 205) + rng.integers(-18, 18, 3))
    )
    material = {"paving": "rubble", "slabs": "panels", "mosaic": "panels"}.get(kind, "plaster")
    tile = surface(rng, material, np.array(base, float), np.array(base, float), _TILE, _TILE, _TILE / 16)
    if kind == "mosaic":
        checks = np.indices((_TILE, _TILE)).sum(0) // 16 % 2
        tile *= np.where(checks, 1.12, 0.82)[..., None]
    if kind == "lawn":
        tile *= 1 + 0.15 * rng.standard_normal((_TILE, _TILE, 1))
    return np.clip(tile, 0, 255).astype(np.uint8)


def paint_ground(canvas: Canvas, camera: Camera, daylight: Daylight, tile: np.ndarray, turn: float) -> None:
    """The plane z = 0 up to the horizon, with depth, in place. tile: from ground_tile. turn: radians."""
    height, width = canvas.nearness.shape
    scale = 16.0 / _TILE
    across, down = np.array([np.cos(turn), np.sin(turn), 0]) * scale, np.array([-np.sin(turn), np.cos(turn), 0]) * scale
    homography = camera.projection @ np.stack([across, down, -camera.position], axis=1)
    third = np.linalg.inv(homography)[2].astype(np.float32)
    nearness = (np.arange(height, dtype=np.float32) * third[1] + third[2])[:, None] + np.arange(width, dtype=np.float32) * third[0]
    below = (nearness > 1 / 900).view(np.uint8)
    light = daylight.sunlight * 1.15 * max(0.0, daylight.sun[2]) + daylight.skylight
    lit = cv2.transform(tile, np.diag(light))
    seen = cv2.warpPerspective(lit, homography, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    # far away, where a pixel covers many stones, only their mean colour is visible
    mean = np.empty_like(seen)
    mean[:] = np.round(lit.reshape(-1, 3).mean(0))
    detail = np.clip(nearness * np.float32(45), 0, 1)
    cv2.copyTo(cv2.blendLinear(seen, mean, detail, 1 - detail), below, canvas.colour)
    cv2.copyTo(nearness, below, canvas.nearness)


def cast_shadows(canvas: Canvas, camera: Camera, daylight: Daylight, model: Model) -> None:
    """Darkens the ground where the sun does not reach it; before the buildings are painted, in place."""
    if daylight.sunlight.max() < 0.15 or daylight.night:
        return
    # shadows of a low sun would reach far out of the picture: they end at five times a building's height
    fallen = model.vertices - model.vertices[:, 2:] * daylight.sun / max(daylight.sun[2], 0.2)
    fallen[:, 2] = 0
    pixels, depth = camera.project(fallen)
    pixels = np.round(np.clip(pixels, -5000, 5000)).astype(np.int32)
    before = np.minimum.reduceat(depth, model.starts) > NEAR
    shadow = np.zeros(canvas.nearness.shape, np.uint8)
    for face in np.flatnonzero(before & (model.normal @ daylight.sun > 0.02)).tolist():
        cv2.fillPoly(shadow, [pixels[model.starts[face] : model.starts[face] + len(model.outlines[face])]], 255)
    strength = daylight.sunlight / (daylight.sunlight + daylight.skylight) * 0.75
    dark = cv2.transform(canvas.colour, np.diag(1 - strength))
    cv2.copyTo(dark, cv2.bitwise_and(shadow, (canvas.nearness > 0).view(np.uint8) * 255), canvas.colour)
