"""A model: the faces and textures of one building or room, packed for painting."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .solids import Face


@dataclass(frozen=True)
class Model:
    """Faces as arrays, textures as pyramids.

    origin, across, down: (n, 3) float64 metres, as in Face; normal: (n, 3) unit vectors pointing out.
    outlines: n polygons (k, 2) in texture units.
    vertices: (m, 3) metres, the corners of all outlines in a row; starts: (n,) where each outline's begin.
    skins: n indices into textures.
    textures: pyramids, finest first, of (height, width, 4) uint8 red, green, blue, glow.
    """

    origin: np.ndarray
    across: np.ndarray
    down: np.ndarray
    normal: np.ndarray
    outlines: tuple[np.ndarray, ...]
    vertices: np.ndarray
    starts: np.ndarray
    skins: tuple[int, ...]
    textures: tuple[tuple[np.ndarray, ...], ...]


def pyramid(texture: np.ndarray, smallest: int = 8) -> tuple[np.ndarray, ...]:
    """The texture and its halvings; an RGB texture gets a glow channel of zeros. Far faces read a small one, so they do not flicker."""
    if texture.shape[2] == 3:
        texture = np.dstack([texture, np.zeros(texture.shape[:2], np.uint8)])
    levels = [np.ascontiguousarray(texture)]
    while min(levels[-1].shape[:2]) >= 2 * smallest and len(levels) < 5:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return tuple(levels)


def pack(faces: list[Face], skins: dict[str, np.ndarray]) -> Model:
    """A Model of faces; every face's skin must be a key of skins, (height, width, 3 or 4) uint8."""
    names = list(skins)
    across, down = np.stack([face.across for face in faces]), np.stack([face.down for face in faces])
    normal = np.cross(down, across)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    corners = [face.origin + face.outline[:, :1] * face.across + face.outline[:, 1:] * face.down for face in faces]
    starts = np.cumsum([0, *(len(part) for part in corners[:-1])])
    return Model(
        np.stack([face.origin for face in faces]),
        across,
        down,
        normal,
        tuple(face.outline for face in faces),
        np.concatenate(corners),
        starts,
        tuple(names.index(face.skin) for face in faces),
        tuple(pyramid(skins[name]) for name in names),
    )


def placed(model: Model, position: np.ndarray, turn: float) -> Model:
    """The model turned about z by `turn` radians and moved by position (2,) metres."""
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    return Model(
        model.origin @ rotation + [*position, 0.0],
        model.across @ rotation,
        model.down @ rotation,
        model.normal @ rotation,
        model.outlines,
        model.vertices @ rotation + [*position, 0.0],
        model.starts,
        model.skins,
        model.textures,
    )
