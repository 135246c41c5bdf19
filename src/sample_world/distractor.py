"""Photos without a landmark: landscapes, ordinary streets, things seen close and crowds; each seed is used once."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import look_at
from .daylight import haze, random_daylight, shades
from .facade import ROOFS, WALLS
from .landmark import build_street_house
from .masonry import MATERIALS, surface
from .model import placed
from .occluders import FOREGROUND, draw_occluder, draw_person
from .ornament import mosaic, painting
from .paint import Canvas, paint_model
from .scenery import GROUNDS, ground_tile, paint_ground, paint_hills, paint_sky

KINDS = ("landscape", "street", "street", "close-up", "crowd")


def draw_distractor(canvas: Canvas, rng: np.random.Generator, name: str) -> None:
    """Fills the canvas, (height, width, 3), with one photo. name: words that name the photo, used once."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    if kind == "close-up":
        _close_up(canvas, rng)
    else:
        _outdoors(canvas, rng, name, kind)


def _outdoors(canvas: Canvas, rng: np.random.Generator, name: str, kind: str) -> None:
    height, width = canvas.nearness.shape
    daylight = random_daylight(rng)
    eye = np.array([0.0, -25.0, rng.uniform(1.5, 3.0) if kind != "landscape" else rng.uniform(2, 25)])
    target = np.array([rng.uniform(-6, 6), 0.0, eye[2] + rng.uniform(-2, 4)])
    camera = look_at(eye, target, rng.normal(0, 0.03), rng.uniform(0.7, 1.3), (width, height))
    paint_sky(canvas, camera, daylight, rng)
    paint_hills(canvas, camera, daylight, rng, rng.uniform(0.1, 0.35) if kind == "landscape" else 0.05)
    ground = "lawn" if kind == "landscape" else GROUNDS[int(rng.integers(len(GROUNDS)))]
    paint_ground(canvas, camera, daylight, ground_tile(ground, int(rng.integers(4))), rng.uniform(0, 1.5))
    if kind == "landscape" and rng.random() < 0.5:
        water = (canvas.nearness > 0) & (canvas.nearness < rng.uniform(0.015, 0.06))
        canvas.colour[water] = np.clip(
            0.6 * daylight.zenith + 0.2 * daylight.horizon + rng.normal(0, 5, (int(water.sum()), 1)), 0, 255
        ).astype(np.uint8)
    if kind == "street":
        x = -rng.uniform(10, 26)
        for number in range(int(rng.integers(1, 4))):
            model = build_street_house(name, number)
            wide = float(np.ptp(model.vertices[:, 0]))
            model = placed(model, np.array([x + wide / 2, rng.uniform(-4, 4)]), rng.normal(0, 0.12))
            paint_model(canvas, camera, model, shades(daylight, model.normal))
            x += wide + rng.choice([0.0, 0.3, 5.0])
    canvas.colour[:] = haze(canvas.colour, canvas.nearness, daylight)
    things = {"landscape": ("tree", "bush", "tree"), "street": FOREGROUND, "crowd": ("people",)}[kind]
    for depth in sorted(rng.uniform(4, 18 if kind == "street" else 40, {"landscape": 14, "street": 6, "crowd": 6}[kind]), reverse=True):
        draw_occluder(
            canvas, camera, daylight, rng, things[int(rng.integers(len(things)))], np.array([rng.uniform(-0.6, 0.6) * depth, depth - 25])
        )
    if kind == "crowd":
        light = daylight.skylight + 0.55 * daylight.sunlight
        for depth in np.sort(rng.uniform(2.5, 22, int(rng.integers(25, 60))))[::-1]:
            pixels, _ = camera.project(np.array([[rng.uniform(-0.7, 0.7) * depth, depth - 25, 0.0]]))
            draw_person(canvas.colour, rng, pixels[0], float(camera.matrix[0, 0] / depth), light)


def _close_up(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.nearness.shape
    colours = np.array(WALLS + ROOFS, float)
    first, second = colours[rng.integers(len(colours), size=2)]
    if rng.random() < 0.25:
        tile = mosaic(rng, int(rng.integers(24, 70)), colours[rng.integers(len(colours), size=3)])
        picture = np.tile(tile, (height // len(tile) + 1, width // len(tile) + 1, 1))[:height, :width]
    else:
        material = (*MATERIALS, "tiles", "metal")[int(rng.integers(len(MATERIALS) + 2))]
        picture = surface(rng, material, first, second, height, width, rng.uniform(8, 40))
    canvas.colour[:] = np.clip(picture, 0, 255)
    subject = int(rng.integers(5))
    middle = (int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.4, 0.6)))
    size = int(min(width, height) * rng.uniform(0.2, 0.42))
    if subject == 0:  # a plate of food
        cv2.circle(canvas.colour, middle, size, (236, 234, 228), -1, cv2.LINE_AA)
        cv2.circle(canvas.colour, middle, int(size * 0.72), (214, 212, 206), -1, cv2.LINE_AA)
        for _ in range(18):
            cv2.circle(
                canvas.colour,
                (middle[0] + int(rng.normal(0, size * 0.28)), middle[1] + int(rng.normal(0, size * 0.28))),
                int(size * rng.uniform(0.06, 0.2)),
                rng.integers([90, 40, 20], [240, 200, 90]).tolist(),
                -1,
                cv2.LINE_AA,
            )
    elif subject == 1:  # a flower
        petal = rng.integers(90, 255, 3).tolist()
        for angle in np.linspace(0, 360, int(rng.integers(6, 14)), endpoint=False):
            tip = (middle[0] + int(0.55 * size * np.cos(np.radians(angle))), middle[1] + int(0.55 * size * np.sin(np.radians(angle))))
            cv2.ellipse(canvas.colour, tip, (int(size * 0.5), int(size * 0.2)), angle, 0, 360, petal, -1, cv2.LINE_AA)
        cv2.circle(canvas.colour, middle, int(size * 0.28), (220, 180, 50), -1, cv2.LINE_AA)
    elif subject == 2:  # a sign
        top, left = max(0, middle[1] - size // 2), max(0, middle[0] - size)
        cv2.rectangle(canvas.colour, (left, top), (left + 2 * size, top + size), rng.integers(20, 240, 3).tolist(), -1)
        word = "".join("ABDEFIKLMNOPRSTU"[index] for index in rng.integers(16, size=6))
        cv2.putText(
            canvas.colour,
            word,
            (left + 6, top + int(size * 0.65)),
            cv2.FONT_HERSHEY_DUPLEX,
            size / 52,
            rng.integers(120, 255, 3).tolist(),
            max(1, size // 40),
            cv2.LINE_AA,
        )
    elif subject == 3:  # a picture on a wall
        box = canvas.colour[max(0, middle[1] - size) : middle[1] + size, max(0, middle[0] - size) : middle[0] + size]
        box[:] = painting(rng, box.shape[0], box.shape[1])
