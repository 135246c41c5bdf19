"""A room photographed from inside."""

from __future__ import annotations

import numpy as np

from .camera import look_at
from .interior import Interior
from .occluders import draw_person
from .paint import Canvas, paint_model


def draw_interior(canvas: Canvas, rng: np.random.Generator, room: Interior) -> None:
    """One photo of the room: along it, across it, or up into the vault; lamps are on, or only the windows light it."""
    height, width = canvas.nearness.shape
    kind = rng.random()
    eye = np.array([rng.uniform(-0.24, 0.24) * room.width, rng.uniform(-0.46, -0.1) * room.length, 1.65])
    if kind < 0.6:  # towards the altar
        target = np.array([rng.normal(0, 0.15) * room.width, 0.5 * room.length, rng.uniform(0.2, 0.6) * room.height])
    elif kind < 0.75:  # back to the door
        eye[1] = -eye[1]
        target = np.array([rng.normal(0, 0.15) * room.width, -0.5 * room.length, rng.uniform(0.2, 0.6) * room.height])
    elif kind < 0.9:  # along a side
        side = rng.choice([-1, 1])
        eye[0] = -side * 0.2 * room.width
        target = np.array([side * 0.5 * room.width, eye[1] + rng.uniform(0.1, 0.4) * room.length, rng.uniform(0.2, 0.6) * room.height])
    else:  # up
        target = np.array([0.0, eye[1] + 0.3 * room.length, room.height * 1.1])
    camera = look_at(
        eye,
        target,
        rng.normal(0, 0.03),
        float(np.exp(rng.uniform(np.log(0.5), np.log(1.0)))),
        (width, height),
        (float(rng.normal(0, 0.05)), float(rng.normal(0, 0.05))),
    )
    lamp = (
        np.array([1.0, 0.88, 0.70]) * rng.uniform(0.75, 1.3)
        if rng.random() < 0.6
        else np.array([0.62, 0.66, 0.74]) * rng.uniform(0.75, 1.3)
    )
    # a soft light from one side and from above gives every wall a tone of its own
    source = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.6, 0.6), 0.6])
    factors = (0.72 + 0.28 * (room.model.normal @ source))[:, None] * lamp
    matrices = np.zeros((len(factors), 3, 4))
    matrices[:, [0, 1, 2], [0, 1, 2]] = factors
    matrices[:, :, 3] = rng.uniform(0.0, 0.5) * np.array([1.0, 0.97, 0.9])
    paint_model(canvas, camera, room.model, matrices)
    fall = 1 / (1 + (0.018 * rng.uniform(0.3, 1.6)) / np.maximum(canvas.nearness, 1e-3))
    canvas.colour[:] = np.clip(canvas.colour * fall.astype(np.float32)[..., None] * 1.2, 0, 255)
    for _ in range(int(rng.choice([0, 0, 1, 3, 6]))):
        position = np.array([rng.uniform(-0.35, 0.35) * room.width, rng.uniform(-0.4, 0.4) * room.length, 0.0])
        pixels, depth = camera.project(position[None])
        if depth[0] > 2.0 and abs(pixels).max() < 3000:
            draw_person(canvas.colour, rng, pixels[0], float(camera.matrix[0, 0] / depth[0]), lamp * 0.9)
