"""A pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.3  # metres; anything nearer is clipped


@dataclass(frozen=True)
class Camera:
    """position: (3,) metres. axes: (3, 3), rows = right, down, forward. matrix: (3, 3) intrinsics in pixels. size: (width, height)."""

    position: np.ndarray
    axes: np.ndarray
    matrix: np.ndarray
    size: tuple[int, int]

    @property
    def projection(self) -> np.ndarray:
        """(3, 3) that takes (point - position) to homogeneous pixels; the third coordinate is the depth in metres."""
        return self.matrix @ self.axes

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) metres -> (n, 2) pixels and (n,) depths; pixels are invalid where the depth is below NEAR."""
        homogeneous = (np.asarray(points, float) - self.position) @ self.projection.T
        depth = homogeneous[:, 2]
        return homogeneous[:, :2] / np.maximum(depth, NEAR)[:, None], depth


def look_at(
    position: np.ndarray, target: np.ndarray, roll: float, focal: float, size: tuple[int, int], shift: tuple[float, float] = (0.0, 0.0)
) -> Camera:
    """A camera at position that looks at target.

    roll: radians about the line of sight. focal: in units of the longer image side.
    shift: where the target falls, as a share of the image side from the middle (right, down).
    """
    forward = np.asarray(target, float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cosine, sine = np.cos(roll), np.sin(roll)
    axes = np.stack([cosine * right + sine * down, cosine * down - sine * right, forward])
    width, height = size
    pixels = focal * max(size)
    matrix = np.array([[pixels, 0, width * (0.5 + shift[0])], [0, pixels, height * (0.5 + shift[1])], [0, 0, 1]])
    return Camera(np.asarray(position, float), axes, matrix, size)
