"""From a planned Shot to its picture."""

from __future__ import annotations

import cv2
import numpy as np

from .distractor import draw_distractor
from .exterior import draw_exterior
from .interior import build_interior
from .landmark import build_landmark, landmark_traits
from .lens import develop
from .paint import Canvas
from .plan import Shot
from .room_view import draw_interior
from .seeds import generator

ASPECTS = (4 / 3, 4 / 3, 4 / 3, 3 / 2, 3 / 2, 1.0, 16 / 9, 3 / 4, 3 / 4, 2 / 3, 9 / 16)  # width / height, as cameras and phones have them
OVERSAMPLING = 1.5  # edges are painted without smoothing, and smoothed by shrinking


def render_shot(shot: Shot, longest_side: int) -> np.ndarray:
    """The photo of a shot, (height, width, 3) uint8 RGB, max(height, width) == longest_side.

    The picture depends only on the shot and the size: any process can render any shot, in any order. About 10 ms at 192 pixels.
    """
    rng = generator(shot.seed, "photo", shot.id)
    aspect = ASPECTS[int(rng.integers(len(ASPECTS)))]
    width = longest_side if aspect >= 1 else max(8, round(longest_side * aspect))
    height = longest_side if aspect <= 1 else max(8, round(longest_side / aspect))
    canvas = Canvas((round(width * OVERSAMPLING), round(height * OVERSAMPLING)))
    if shot.landmark is None:
        if rng.random() < 0.15:
            name = f"{shot.seed}/room {shot.id}"
            draw_interior(canvas, rng, build_interior(name, name))
        else:
            draw_distractor(canvas, rng, f"{shot.seed}/{shot.id}")
    elif shot.view == "exterior":
        draw_exterior(canvas, rng, shot.seed, build_landmark(shot.seed, shot.landmark, shot.family))
    else:
        traits = landmark_traits(shot.seed, shot.landmark, shot.family)
        draw_interior(canvas, rng, build_interior(traits.family, traits.own))
    return develop(cv2.resize(canvas.colour, (width, height), interpolation=cv2.INTER_AREA), rng)
