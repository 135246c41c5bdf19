"""Foreground objects: trees, people, cars, lamp posts and parasols, drawn flat at their distance."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import Camera
from .daylight import Daylight
from .paint import Canvas

FOREGROUND = ("tree", "tree", "people", "people", "people", "car", "lamp", "parasol", "bush")


def draw_occluder(canvas: Canvas, camera: Camera, daylight: Daylight, rng: np.random.Generator, kind: str, position: np.ndarray) -> None:
    """Draws one object of FOREGROUND on the ground at position (2,) metres, over everything drawn before: call the farthest first."""
    pixels, depth = camera.project(np.array([[*position, 0.0], [*position, 1.0]]))
    if depth.min() < (7.0 if kind in ("tree", "bush") else 3.0):
        return
    foot, metre = pixels[0], pixels[0] - pixels[1]
    size = float(np.linalg.norm(metre))
    if not 0.5 < size < 400 or abs(foot[0]) > 4000 or abs(foot[1]) > 4000:
        return
    light = daylight.skylight + 0.55 * daylight.sunlight
    {"tree": _tree, "people": _person, "car": _car, "lamp": _lamp, "parasol": _parasol, "bush": _bush}[kind](
        canvas.colour, rng, foot, size, light
    )


def _colour(value: object, light: np.ndarray) -> list[float]:
    return np.clip(np.asarray(value, float) * light, 0, 255).tolist()


def _point(foot: np.ndarray, x: float, z: float, size: float) -> tuple[int, int]:
    return int(round(foot[0] + x * size)), int(round(foot[1] - z * size))


def _blobs(
    layer: np.ndarray,
    rng: np.random.Generator,
    centre: tuple[float, float],
    foot: np.ndarray,
    size: float,
    spread: float,
    count: int,
    tint: np.ndarray,
    light: np.ndarray,
) -> None:
    # dark leaves first and lower, light leaves last and higher: enough to look like a crown
    for leaf in range(count):
        share = leaf / count
        x, z = rng.normal(0, spread * 0.5), rng.normal(0, spread * 0.42) + spread * (share - 0.5) * 0.6
        cv2.circle(
            layer,
            _point(foot, centre[0] + x, centre[1] + z, size),
            max(1, int(size * spread * rng.uniform(0.08, 0.24))),
            _colour(tint * (0.55 + 0.6 * share) * rng.uniform(0.85, 1.15), light),
            -1,
            cv2.LINE_AA,
        )


def _tree(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    high = rng.uniform(4, 11)
    cv2.line(
        layer,
        _point(foot, 0, 0, size),
        _point(foot, rng.uniform(-0.4, 0.4), high * 0.7, size),
        _colour((92, 74, 58), light),
        max(1, int(size * 0.035 * high)),
        cv2.LINE_AA,
    )
    if rng.random() < 0.2:
        for _ in range(14):  # a bare tree
            cv2.line(
                layer,
                _point(foot, 0, high * rng.uniform(0.35, 0.65), size),
                _point(foot, rng.normal(0, high * 0.25), high * rng.uniform(0.6, 1.1), size),
                _colour((84, 70, 60), light),
                max(1, int(size * 0.08)),
                cv2.LINE_AA,
            )
        return
    tint = np.array(((70, 104, 46), (104, 122, 52), (52, 84, 50), (160, 110, 50))[int(rng.integers(4))], float)
    if rng.random() < 0.25:
        for level in range(5):
            width = high * 0.24 * (1 - level / 5.5)
            corners = [
                _point(foot, -width, high * (0.15 + 0.16 * level), size),
                _point(foot, width, high * (0.15 + 0.16 * level), size),
                _point(foot, 0, high * (0.42 + 0.16 * level), size),
            ]
            cv2.fillConvexPoly(layer, np.array(corners), _colour(tint * (0.6 + 0.1 * level), light), cv2.LINE_AA)
        return
    _blobs(layer, rng, (0, high * 0.7), foot, size, high * 0.36, 60, tint, light)


def _bush(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    for offset in range(int(rng.integers(1, 5))):
        _blobs(layer, rng, (offset * 1.3, 0.7), foot, size, 1.4, 22, np.array([66, 98, 46.0]), light)


def draw_person(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    """One standing person, 1.5 to 1.9 m. foot: (2,) pixels; size: pixels a metre."""
    tall = rng.uniform(1.5, 1.9)
    shirt, trousers, skin, hair = (
        rng.integers(20, 235, 3),
        rng.integers(20, 110, 3),
        np.array([222, 178, 148]) * rng.uniform(0.45, 1.05),
        rng.integers(15, 110, 3),
    )
    for leg in (-0.1, 0.1):
        cv2.line(
            layer,
            _point(foot, leg * rng.uniform(0.6, 1.8), 0, size),
            _point(foot, leg * 0.8, 0.48 * tall, size),
            _colour(trousers, light),
            max(1, int(size * 0.16)),
            cv2.LINE_AA,
        )
    cv2.ellipse(
        layer,
        _point(foot, 0, 0.65 * tall, size),
        (max(1, int(size * 0.23)), max(1, int(size * 0.21 * tall))),
        0,
        0,
        360,
        _colour(shirt, light),
        -1,
        cv2.LINE_AA,
    )
    cv2.circle(layer, _point(foot, 0, 0.925 * tall, size), max(1, int(size * 0.125)), _colour(hair, light), -1, cv2.LINE_AA)
    cv2.circle(layer, _point(foot, 0.02, 0.9 * tall, size), max(1, int(size * 0.105)), _colour(skin, light), -1, cv2.LINE_AA)


def _person(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    for _ in range(int(rng.integers(1, 5))):
        draw_person(layer, rng, foot + np.array([rng.normal(0, 0.7), rng.uniform(0, 0.1)]) * size, size, light)


def _car(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    paint = rng.choice([(180, 30, 30), (230, 230, 230), (40, 44, 50), (60, 90, 150), (150, 154, 158), (220, 190, 60)])
    body = [(-2.1, 0.35), (-2.15, 0.85), (-1.4, 0.95), (-0.85, 1.45), (0.8, 1.48), (1.4, 0.98), (2.1, 0.85), (2.15, 0.35)]
    glass = [(-1.2, 0.95), (-0.78, 1.36), (0.74, 1.38), (1.15, 0.97)]
    cv2.fillPoly(layer, [np.array([_point(foot, x, z, size) for x, z in body])], _colour(paint, light), cv2.LINE_AA)
    cv2.fillPoly(layer, [np.array([_point(foot, x, z, size) for x, z in glass])], _colour((50, 60, 70), light), cv2.LINE_AA)
    for x in (-1.3, 1.3):
        cv2.circle(layer, _point(foot, x, 0.33, size), max(1, int(0.34 * size)), _colour((26, 26, 28), light), -1, cv2.LINE_AA)
        cv2.circle(layer, _point(foot, x, 0.33, size), max(1, int(0.16 * size)), _colour((140, 140, 144), light), -1, cv2.LINE_AA)


def _lamp(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    high, arm = rng.uniform(4, 8), rng.uniform(-1.2, 1.2)
    top = _point(foot, 0, high, size)
    for start, end in ((_point(foot, 0, 0, size), top), (top, _point(foot, arm, high + 0.2, size))):
        cv2.line(layer, start, end, _colour((56, 60, 62), light), max(1, int(0.14 * size)), cv2.LINE_AA)
    cv2.circle(layer, _point(foot, arm, high, size), max(1, int(0.28 * size)), _colour((240, 234, 205), light), -1, cv2.LINE_AA)


def _parasol(layer: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, light: np.ndarray) -> None:
    cloth = rng.integers(60, 240, 3)
    cv2.line(
        layer, _point(foot, 0, 0, size), _point(foot, 0, 2.4, size), _colour((190, 190, 186), light), max(1, int(0.07 * size)), cv2.LINE_AA
    )
    cv2.fillConvexPoly(
        layer, np.array([_point(foot, x, z, size) for x, z in ((-1.5, 2.1), (0, 2.8), (1.5, 2.1))]), _colour(cloth, light), cv2.LINE_AA
    )
    cv2.fillConvexPoly(
        layer,
        np.array([_point(foot, x, z, size) for x, z in ((-0.5, 2.1), (0, 2.8), (0.5, 2.1))]),
        _colour(cloth * 0.8, light),
        cv2.LINE_AA,
    )
