"""A landmark photographed from outside, with its surroundings."""

from __future__ import annotations

import numpy as np

from .camera import Camera, look_at
from .daylight import Daylight, haze, random_daylight, shades
from .landmark import Landmark, build_street_house
from .model import placed
from .occluders import FOREGROUND, draw_occluder
from .paint import Canvas, paint_model
from .scenery import GROUNDS, cast_shadows, ground_tile, paint_ground, paint_hills, paint_sky
from .seeds import generator

STREET_HOUSES = 14  # shared by the whole town, so that a landmark cannot be recognised by its neighbours


def draw_exterior(canvas: Canvas, rng: np.random.Generator, seed: int, landmark: Landmark) -> None:
    """Fills the canvas with one photo of the landmark."""
    height, width = canvas.nearness.shape
    place = generator(landmark.traits.own, "place")
    daylight = random_daylight(rng)
    camera = _viewpoint(rng, landmark, (width, height))
    paint_sky(canvas, camera, daylight, rng)
    paint_hills(canvas, camera, daylight, place)
    kind, variant, turn = GROUNDS[int(place.integers(len(GROUNDS)))], int(place.integers(4)), place.uniform(0, 1.5)
    paint_ground(canvas, camera, daylight, ground_tile(kind, variant), turn)
    cast_shadows(canvas, camera, daylight, landmark.model)
    paint_model(canvas, camera, landmark.model, shades(daylight, landmark.model.normal))
    _paint_neighbours(canvas, camera, daylight, place, seed, landmark.radius)
    canvas.colour[:] = haze(canvas.colour, canvas.nearness, daylight)
    _draw_foreground(canvas, camera, daylight, rng, landmark.radius)


def _viewpoint(rng: np.random.Generator, landmark: Landmark, size: tuple[int, int]) -> Camera:
    """A visitor's viewpoint: mostly before the front or a corner, at times from behind, above, far off or close below."""
    azimuth = rng.normal(0, 0.75) if rng.random() < 0.62 else rng.uniform(-np.pi, np.pi)
    reach = max(landmark.radius, 0.55 * landmark.height)
    kind = rng.random()
    focal = float(np.exp(rng.uniform(np.log(0.65), np.log(1.5))))
    if kind < 0.68:  # the whole building
        distance, aim, spread = reach * focal * rng.uniform(1.8, 3.0) + 4, 0.42, 0.12
    elif kind < 0.88:  # a part of it
        distance, aim, spread = reach * focal * rng.uniform(1.0, 1.7) + 4, 0.55, 0.3
    else:  # from afar
        distance, aim, spread = reach * focal * rng.uniform(3.2, 5.0) + 4, 0.4, 0.1
    distance = max(distance, landmark.radius * 1.06 + 3)
    eye_level = 1.7 if rng.random() < 0.6 else rng.uniform(2, 0.35 * distance + 4)
    eye = np.array([np.sin(azimuth) * distance, -np.cos(azimuth) * distance, eye_level])
    target = np.array([*rng.normal(0, 0.12 * landmark.radius, 2), landmark.height * float(np.clip(rng.normal(aim, spread), 0.1, 0.95))])
    roll = rng.normal(0, 0.025) if rng.random() < 0.85 else rng.normal(0, 0.14)
    shift = (float(rng.normal(0, 0.1)), float(rng.normal(0, 0.06)))
    return look_at(eye, target, roll, focal, size, shift)


def _paint_neighbours(canvas: Canvas, camera: Camera, daylight: Daylight, place: np.random.Generator, seed: int, radius: float) -> None:
    towards = np.arctan2(camera.position[1], camera.position[0])
    for _ in range(int(place.integers(3, 8))):
        number, angle, distance = int(place.integers(STREET_HOUSES)), place.uniform(-np.pi, np.pi), radius * place.uniform(1.5, 2.4) + 14
        between = abs((angle - towards + np.pi) % (2 * np.pi) - np.pi)
        if between < 0.9:  # no house between the camera and the landmark
            continue
        model = placed(build_street_house(seed, "street", number), np.array([np.cos(angle), np.sin(angle)]) * distance, angle + np.pi / 2)
        paint_model(canvas, camera, model, shades(daylight, model.normal))


def _draw_foreground(canvas: Canvas, camera: Camera, daylight: Daylight, rng: np.random.Generator, radius: float) -> None:
    ahead = camera.axes[2, :2] / np.linalg.norm(camera.axes[2, :2])
    side = np.array([ahead[1], -ahead[0]])
    distance = np.linalg.norm(camera.position[:2])
    count = int(rng.choice([0, 1, 2, 3, 5, 8], p=[0.16, 0.2, 0.22, 0.2, 0.14, 0.08]))
    for share in np.sort(rng.uniform(0.12, 0.9, count))[::-1]:
        depth = share * max(distance - 0.6 * radius, 8)
        # a spread as wide as the view at that depth, and a little more
        position = (
            camera.position[:2] + ahead * depth + side * rng.uniform(-0.62, 0.62) * depth * max(canvas.nearness.shape) / camera.matrix[0, 0]
        )
        draw_occluder(canvas, camera, daylight, rng, FOREGROUND[int(rng.integers(len(FOREGROUND)))], position)
