"""Solids as textured flat faces. Metres; x to the right, y away from the front, z up; the front of a building looks to -y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Face(NamedTuple):
    """A flat face: a rectangle in space that carries a texture, and the polygon of it that is solid.

    origin: (3,) metres, where the texture's top left corner lies.
    across, down: (3,) metres, from there to the top right and the bottom left corner; the face is seen from the side
        of cross(down, across).
    outline: (k, 2) polygon in texture units, (0, 0) = top left, (1, 1) = bottom right; it may be concave.
    skin: name of the texture.
    """

    origin: np.ndarray
    across: np.ndarray
    down: np.ndarray
    outline: np.ndarray
    skin: str


_WHOLE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def rectangle(width: float, depth: float, centre: Sequence[float] = (0.0, 0.0)) -> np.ndarray:
    """(4, 2) counter-clockwise ground outline, the front edge (towards -y) first."""
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, depth / 2] + np.asarray(centre, float)


def regular(sides: int, radius: float, centre: Sequence[float] = (0.0, 0.0), turn: float = 0.0) -> np.ndarray:
    """(sides, 2) counter-clockwise outline of a regular polygon, a side (not a corner) to the front. turn: radians."""
    angles = -np.pi / 2 + turn + 2 * np.pi * (np.arange(sides) - 0.5) / sides
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radius + np.asarray(centre, float)


def panel(left: Sequence[float], right: Sequence[float], bottom: float, top: float, skin: str, outline: np.ndarray = _WHOLE) -> Face:
    """An upright face between two ground points, left and right as seen by the viewer."""
    start, end = np.array([*left, top], float), np.array([*right, top], float)
    return Face(start, end - start, np.array([0.0, 0.0, bottom - top]), outline, skin)


def flat(outline: np.ndarray, level: float, skin: str, seen_from: str = "above") -> Face:
    """A level face with a ground outline (k, 2), seen from "above" (a terrace) or "below" (a ceiling)."""
    low, high = outline.min(0), outline.max(0)
    size = high - low
    if seen_from == "above":
        local = (outline - [low[0], high[1]]) / [size[0], -size[1]]
        return Face(np.array([low[0], high[1], level]), np.array([size[0], 0.0, 0.0]), np.array([0.0, -size[1], 0.0]), local, skin)
    local = (outline - low) / size
    return Face(np.array([*low, level]), np.array([size[0], 0.0, 0.0]), np.array([0.0, size[1], 0.0]), local, skin)


def loft(lower: np.ndarray, bottom: float, upper: np.ndarray, top: float, skins: str | Sequence[str], wrap: bool = False) -> list[Face]:
    """The sides between two counter-clockwise outlines (n, 2) whose edges are parallel: prisms, pyramids, hipped roofs.

    skins: one texture name for every side, or one a side.
    wrap: the texture runs once around the whole solid instead of once a side.
    """
    sides, faces = len(lower), []
    for side in range(sides):
        after = (side + 1) % sides
        a, b = np.array([*lower[side], bottom]), np.array([*lower[after], bottom])
        c, d = np.array([*upper[after], top]), np.array([*upper[side], top])
        edge = b - a if np.linalg.norm(b - a) > np.linalg.norm(c - d) else c - d
        length = float(edge @ edge)
        if length < 1e-9:
            continue
        rise = (d - a) - edge * float((d - a) @ edge) / length
        along = np.array([float((point - a) @ edge) / length for point in (d, c, b, a)])
        start, span = along.min(), along.max() - along.min()
        outline = np.stack([(along - start) / span, [0, 0, 1, 1]], 1)
        origin, across = a + rise + start * edge, span * edge
        if wrap:
            outline = (outline + [side, 0]) / [sides, 1]
            origin, across = origin - side * across, across * sides
        faces.append(Face(origin, across, -rise, outline, skins if isinstance(skins, str) else skins[side]))
    return faces


def prism(
    outline: np.ndarray, bottom: float, top: float, skins: str | Sequence[str], lid: str | None = None, wrap: bool = False
) -> list[Face]:
    """Upright walls on a ground outline, with a lid if a texture is named for it."""
    faces = loft(outline, bottom, outline, top, skins, wrap)
    return [*faces, flat(outline, top, lid)] if lid else faces


def turned(
    profile: Sequence[tuple[float, float]], sides: int, skin: str, centre: Sequence[float] = (0.0, 0.0), wrap: bool = False
) -> list[Face]:
    """A body turned on a lathe. profile: (radius, z) pairs from the bottom up; a radius 0 closes it to a point."""
    faces: list[Face] = []
    for (radius, bottom), (next_radius, top) in zip(profile, profile[1:]):
        faces += loft(regular(sides, radius, centre), bottom, regular(sides, next_radius, centre), top, skin, wrap)
    return faces


def dome(
    radius: float, bottom: float, height: float, skin: str, centre: Sequence[float] = (0.0, 0.0), shape: str = "round", sides: int = 12
) -> list[Face]:
    """A dome: "round" (half an ellipsoid), "onion" (bulging, with a tip) or "pointed" (straight ribs)."""
    profiles = {
        "round": [(1, 0), (0.92, 0.38), (0.71, 0.71), (0.38, 0.92), (0, 1)],
        "onion": [(0.85, 0), (1.12, 0.22), (1.0, 0.45), (0.55, 0.68), (0.14, 0.85), (0, 1)],
        "pointed": [(1, 0), (0.86, 0.35), (0.5, 0.72), (0, 1)],
    }
    return turned([(radius * r, bottom + height * z) for r, z in profiles[shape]], sides, skin, centre)


def gable(outline: np.ndarray, eaves: float, ridge: float, roof: str, wall: str) -> list[Face]:
    """A saddle roof on a rectangle(); the ridge runs front to back, the triangles are at the front and the back."""
    front_left, front_right, back_right, back_left = outline
    front, back = (front_left + front_right) / 2, (back_left + back_right) / 2
    triangle = np.array([[0.5, 0.0], [1.0, 1.0], [0.0, 1.0]])
    faces = [panel(front_left, front_right, eaves, ridge, wall, triangle), panel(back_right, back_left, eaves, ridge, wall, triangle)]
    for near, top_near, top_far in ((front_right, front, back), (back_left, back, front)):
        start, end = np.array([*top_near, ridge]), np.array([*top_far, ridge])
        faces.append(Face(start, end - start, np.array([*near, eaves]) - start, _WHOLE, roof))
    return faces


def battlements(outline: np.ndarray, bottom: float, height: float, skin: str, tooth: float = 1.6) -> list[Face]:
    """A toothed parapet along a ground outline, seen from both sides. tooth: metres of a tooth and a gap together."""
    faces = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0)):
        count = max(2, int(np.linalg.norm(end - start) / tooth))
        steps = np.repeat(np.arange(2 * count), 2)[1:] / (2 * count - 1)
        levels = np.tile([0.0, 0.0, 1.0, 1.0], count)[: len(steps)] * 0.6
        teeth = np.concatenate([np.stack([steps, levels], 1), [[1.0, levels[-1]], [1.0, 1.0], [0.0, 1.0]]])
        faces.append(panel(start, end, bottom, bottom + height, skin, teeth))
        faces.append(panel(end, start, bottom, bottom + height, skin, teeth))
    return faces


def quarter_turned(faces: list[Face], centre: Sequence[float]) -> list[Face]:
    """The faces turned by 90 degrees about the upright axis, then moved to centre (x, y)."""
    moved = np.array([*centre, 0.0])
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return [Face(turn @ face.origin + moved, turn @ face.across, turn @ face.down, face.outline, face.skin) for face in faces]
