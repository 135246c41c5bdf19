"""Ornament: friezes, paintings and floors, the details that distinguish look-alikes."""

from __future__ import annotations

import cv2
import numpy as np


def motif(rng: np.random.Generator, side: int = 7) -> np.ndarray:
    """(side, side) float32 of 0 and 1, symmetric left to right: a stone carver's emblem."""
    half = rng.random((side, (side + 1) // 2)) < 0.5
    return np.concatenate([half, half[:, : side // 2][:, ::-1]], axis=1).astype(np.float32)


def frieze(rng: np.random.Generator, height: int, width: int, colour: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(height, width, 3) float32 RGB: two motifs in turn along a band."""
    pair = np.concatenate([np.pad(motif(rng), 1), np.pad(motif(rng), 1)], axis=1)
    repeats = max(1, round(width / (2 * height)))
    band = cv2.resize(np.tile(pair, (1, repeats)), (width, height), interpolation=cv2.INTER_AREA if height < 9 else cv2.INTER_LINEAR)[
        ..., None
    ]
    return (band * colour + (1 - band) * ground).astype(np.float32)


def mosaic(rng: np.random.Generator, side: int, colours: np.ndarray) -> np.ndarray:
    """(side, side, 3) float32 RGB of one floor tile pattern with fourfold symmetry. colours: (n, 3) RGB."""
    quarter = rng.integers(len(colours), size=(4, 4))
    quarter = np.triu(quarter) + np.triu(quarter, 1).T
    whole = np.concatenate([quarter, quarter[:, ::-1]], axis=1)
    whole = np.concatenate([whole, whole[::-1]], axis=0)
    return cv2.resize(colours[whole].astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)


def painting(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB of a framed picture: a portrait, a landscape or an abstract."""
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = rng.integers(30, 150, 3)
    kind = int(rng.integers(3))
    if kind == 0:
        robe, skin = rng.integers(20, 220, 3).tolist(), (214, 176, 146)
        cv2.ellipse(canvas, (width // 2, height), (width // 3, height // 2), 0, 0, 360, robe, -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (width // 2, int(height * 0.36)), (max(2, width // 8), max(3, height // 7)), 0, 0, 360, skin, -1, cv2.LINE_AA)
    elif kind == 1:
        canvas[: height // 2] = rng.integers(120, 230, 3)
        for _ in range(4):
            x, y = int(rng.integers(width)), int(rng.uniform(0.4, 0.9) * height)
            cv2.ellipse(
                canvas,
                (x, y),
                (int(width * rng.uniform(0.1, 0.5)), int(height * rng.uniform(0.08, 0.3))),
                0,
                0,
                360,
                rng.integers(30, 200, 3).tolist(),
                -1,
                cv2.LINE_AA,
            )
    else:
        for _ in range(7):
            corners = (rng.random((4, 2)) * [width, height]).astype(np.int32)
            cv2.fillPoly(canvas, [cv2.convexHull(corners)], rng.integers(20, 240, 3).tolist(), cv2.LINE_AA)
    frame = tuple(int(value) for value in rng.choice([(150, 112, 42), (60, 40, 28), (196, 180, 140)]))
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), frame, max(2, min(height, width) // 10))
    return canvas
