"""Windows, doors, clocks and rose windows, drawn onto a texture of red, green, blue and glow.

The fourth channel, glow, is the light emitted at night: 255 on glass, 0 on stone.
"""

from __future__ import annotations

import cv2
import numpy as np

WINDOWS = ("square", "round", "pointed", "twin", "oculus", "grid")
_FRACTION_BITS = 4


def arch_outline(left: float, top: float, right: float, bottom: float, kind: str) -> np.ndarray:
    """(k, 2) float corners of an opening in the given box: "square", "round" (half-circle head) or "pointed" (gothic head)."""
    half, middle = (right - left) / 2, (left + right) / 2
    if kind == "round":
        angles = np.linspace(np.pi, 2 * np.pi, 9)
        rise = min(half, (bottom - top) * 0.8)
        head = np.stack([middle + half * np.cos(angles), top + rise + rise * np.sin(angles)], 1)
    elif kind == "pointed":
        # two arcs about the opposite springing points meet in the middle
        angles = np.linspace(0, np.pi / 3, 5)
        rise = min(2 * half, (bottom - top) * 0.8)
        rising = np.stack([right - 2 * half * np.cos(angles), top + rise - rise / np.sin(np.pi / 3) * np.sin(angles)], 1)
        head = np.concatenate([rising, (rising * [-1, 1] + [2 * middle, 0])[::-1]])
    else:
        head = np.array([[left, top], [right, top]])
    return np.concatenate([head, [[right, bottom], [left, bottom]]])


def fill(texture: np.ndarray, outline: np.ndarray, colour: np.ndarray, glow: int = 0) -> None:
    """Fills a polygon of (k, 2) pixel coordinates with an RGB colour and a glow, smooth at its edge, in place."""
    points = np.round(outline * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(texture, [points], (*map(float, colour), float(glow)), cv2.LINE_AA, _FRACTION_BITS)


def window(
    texture: np.ndarray, box: tuple[float, float, float, float], kind: str, frame: np.ndarray, glass: np.ndarray, glow: int = 255
) -> None:
    """Draws one window with its frame, sill and bars into box = (left, top, right, bottom) pixels, in place."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    border = max(0.8, 0.14 * width)
    bar = max(1, round(0.08 * width))
    if kind == "oculus":
        middle, radius = np.array([(left + right) / 2, (top + bottom) / 2]), min(width, height) / 2
        angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        circle = np.stack([np.cos(angles), np.sin(angles)], 1)
        fill(texture, middle + circle * radius, frame)
        fill(texture, middle + circle * (radius - border), glass, glow)
        return
    if kind == "twin":
        gap = 0.06 * width
        for start in (left, left + width / 2 + gap):
            window(texture, (start, top, start + width / 2 - gap, bottom), "round", frame, glass, glow)
        return
    head = kind if kind in ("round", "pointed") else "square"
    fill(texture, arch_outline(left - border, top - border, right + border, bottom, head), frame)
    fill(
        texture,
        np.array(
            [
                [left - 2 * border, bottom],
                [right + 2 * border, bottom],
                [right + 2 * border, bottom + border],
                [left - 2 * border, bottom + border],
            ]
        ),
        frame * 1.08,
    )
    fill(texture, arch_outline(left, top, right, bottom, head), glass, glow)
    colour = (*map(float, frame * 0.9), 0.0)
    column = round((left + right) / 2)
    if width >= 5:
        cv2.line(texture, (column, round(top)), (column, round(bottom) - 1), colour, bar)
    if height >= 8:
        for part in (0.33, 0.66) if kind == "grid" else (0.42,):
            level = round(top + part * height)
            cv2.line(texture, (round(left), level), (round(right) - 1, level), colour, bar)


def door(texture: np.ndarray, box: tuple[float, float, float, float], kind: str, frame: np.ndarray, leaf: np.ndarray) -> None:
    """Draws a portal of three receding frames around a dark door into box = (left, top, right, bottom) pixels, in place."""
    left, top, right, bottom = box
    step = 0.09 * (right - left)
    head = kind if kind in ("round", "pointed") else "square"
    for inset, tone in ((0, 1.1), (1, 0.75), (2, 0.95)):
        fill(texture, arch_outline(left + inset * step, top + inset * step, right - inset * step, bottom, head), frame * tone)
    fill(texture, arch_outline(left + 3 * step, top + 3 * step, right - 3 * step, bottom, head), leaf, 60)
    middle = round((left + right) / 2)
    cv2.line(texture, (middle, round(top + 3 * step)), (middle, round(bottom)), (*map(float, leaf * 0.5), 0.0), 1)


def rosette(texture: np.ndarray, centre: tuple[float, float], radius: float, spokes: int, frame: np.ndarray, glass: np.ndarray) -> None:
    """Draws a rose window of `spokes` petals about a centre in pixels, in place."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    fill(texture, centre + circle * radius, frame)
    fill(texture, centre + circle * radius * 0.86, glass, 255)
    for spoke in range(spokes):
        angle = 2 * np.pi * spoke / spokes
        tip = np.array(centre) + radius * 0.85 * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(
            texture,
            tuple(np.round(centre).astype(int).tolist()),
            tuple(np.round(tip).astype(int).tolist()),
            (*map(float, frame), 0.0),
            1,
            cv2.LINE_AA,
        )
    fill(texture, centre + circle * radius * 0.3, frame)
    fill(texture, centre + circle * radius * 0.18, glass, 255)


def clock(texture: np.ndarray, centre: tuple[float, float], radius: float, frame: np.ndarray, dial: np.ndarray) -> None:
    """Draws a tower clock in pixels, in place. It always shows ten past ten, so that all photos of a building show the same clock."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    fill(texture, centre + circle * radius, frame)
    fill(texture, centre + circle * radius * 0.82, dial, 200)
    for turn, length in ((-1 / 6, 0.5), (1 / 6, 0.7)):
        tip = np.array(centre) + length * radius * np.array([np.sin(2 * np.pi * turn), -np.cos(2 * np.pi * turn)])
        cv2.line(
            texture,
            tuple(np.round(centre).astype(int).tolist()),
            tuple(np.round(tip).astype(int).tolist()),
            (20.0, 20.0, 20.0, 0.0),
            max(1, round(radius * 0.12)),
            cv2.LINE_AA,
        )
