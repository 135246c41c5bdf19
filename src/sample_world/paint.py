"""Painting faces: one perspective warp a visible face, with a depth buffer.

The plane of a face maps to the image by a homography whose inverse also gives 1 / depth as a linear function of the pixel, so
the depth test costs one outer sum per face, and faces may intersect in any order.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .camera import NEAR, Camera
from .model import Model

_FRACTION_BITS = 4


class Canvas:
    """colour: (height, width, 3) uint8 RGB. nearness: (height, width) float32, 1 / depth in 1/metres, 0 = nothing there yet."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.colour = np.zeros((height, width, 3), np.uint8)
        self.nearness = np.zeros((height, width), np.float32)


def clip_near(outline: np.ndarray, depth_of: np.ndarray) -> np.ndarray:
    """The part of a polygon (k, 2) with depth_of @ (u, v, 1) >= NEAR (Sutherland-Hodgman against one line)."""
    depths = outline @ depth_of[:2] + depth_of[2] - NEAR
    if (depths >= 0).all():
        return outline
    kept = []
    for point, after, depth, next_depth in zip(outline, np.roll(outline, -1, 0), depths, np.roll(depths, -1)):
        if depth >= 0:
            kept.append(point)
        if (depth >= 0) != (next_depth >= 0):
            kept.append(point + (after - point) * (depth / (depth - next_depth)))
    return np.array(kept).reshape(-1, 2)


def paint_model(canvas: Canvas, camera: Camera, model: Model, shades: np.ndarray) -> None:
    """Paints every face that looks at the camera, in place.

    shades: (n, 3, 4) float, one matrix a face that takes (red, green, blue, glow) to the colour in the picture.
    """
    projection = camera.projection
    offset = model.origin - camera.position
    homographies = np.stack([model.across @ projection.T, model.down @ projection.T, offset @ projection.T], axis=2)
    pixels, depth = camera.project(model.vertices)
    nearest = np.minimum.reduceat(depth, model.starts)
    low, high = np.minimum.reduceat(pixels, model.starts), np.maximum.reduceat(pixels, model.starts)
    in_frame = (high > 0).all(1) & (low < camera.size).all(1)
    cut = nearest < NEAR  # its corners cannot be projected before it is clipped
    faces_camera = (offset * model.normal).sum(1) < -1e-6
    determinants = np.linalg.det(homographies)
    wanted = np.flatnonzero(
        faces_camera & (in_frame | cut) & (np.maximum.reduceat(depth, model.starts) > NEAR) & (np.abs(determinants) > 1e-9)
    )
    for face in wanted[np.argsort(nearest[wanted], kind="stable")].tolist():  # near ones first, so that hidden ones need no warp
        homography, outline = homographies[face], model.outlines[face]
        start = model.starts[face]
        corners = pixels[start : start + len(outline)]
        if cut[face]:
            outline = clip_near(outline, homography[2])
            projected = outline @ homography[:, :2].T + homography[:, 2]
            corners = projected[:, :2] / projected[:, 2:]
        if len(outline) >= 3:
            _paint_face(canvas, homography, determinants[face], outline, corners, model.textures[model.skins[face]], shades[face])


def _paint_face(
    canvas: Canvas,
    homography: np.ndarray,
    determinant: float,
    outline: np.ndarray,
    corners: np.ndarray,
    texture: tuple[np.ndarray, ...],
    shade: np.ndarray,
) -> None:
    """homography: texture units -> homogeneous pixels; corners: (k, 2) pixels of the outline."""
    height, width = canvas.nearness.shape
    low, high = corners.min(0).tolist(), corners.max(0).tolist()
    left, top = max(math.floor(low[0]), 0), max(math.floor(low[1]), 0)
    right, bottom = min(math.ceil(high[0]) + 1, width), min(math.ceil(high[1]) + 1, height)
    if right - left < 1 or bottom - top < 1:
        return
    covered = np.zeros((bottom - top, right - left), np.uint8)
    # OpenCV keeps coordinates in 16 + 4 bits: far corners of very near faces are clamped
    local = np.minimum(np.maximum(corners - (left, top), -8000), 8000)
    cv2.fillPoly(covered, [np.rint(local * (1 << _FRACTION_BITS)).astype(np.int32)], 255, cv2.LINE_8, _FRACTION_BITS)
    # the third row of the inverse homography: 1 / depth over the image
    (a, b, _), (c, d, _), (e, f, _) = homography.tolist()
    across, down, constant = (c * f - d * e) / determinant, (e * b - a * f) / determinant, (a * d - b * c) / determinant
    rows, columns = np.arange(top, bottom, dtype=np.float32), np.arange(left, right, dtype=np.float32)
    nearness = (rows * np.float32(down) + np.float32(constant))[:, None] + columns * np.float32(across)
    region = canvas.nearness[top:bottom, left:right]
    visible = (nearness > region * np.float32(1.0005)) & (covered > 0)
    if not visible.any():
        return
    source = texture[_level(texture, outline, local)]
    to_image = homography / (source.shape[1], source.shape[0], 1.0)
    to_image[0] -= left * to_image[2]
    to_image[1] -= top * to_image[2]
    warped = cv2.warpPerspective(source, to_image, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = visible.view(np.uint8)
    cv2.copyTo(cv2.transform(warped, shade), mask, canvas.colour[top:bottom, left:right])
    cv2.copyTo(nearness, mask, region)


def _level(texture: tuple[np.ndarray, ...], outline: np.ndarray, corners: np.ndarray) -> int:
    """The pyramid level with about one texture pixel an image pixel."""
    texels = cv2.contourArea(outline.astype(np.float32)) * texture[0].shape[0] * texture[0].shape[1]
    ratio = texels / max(cv2.contourArea(corners.astype(np.float32)), 1e-6)
    return min(max(round(0.5 * math.log2(max(ratio, 1e-6)) - 0.2), 0), len(texture) - 1)
