"""Effects of the camera: blur, vignette, white balance, exposure, tone and noise."""

from __future__ import annotations

import cv2
import numpy as np


def develop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random camera's version of a picture, (h, w, 3) uint8 RGB -> the same shape and type."""
    height, width = picture.shape[:2]
    side = max(height, width)
    metered = (105 / max(float(picture.mean()), 12.0)) ** 0.55  # automatic exposure: night becomes brighter, but stays dark
    kind = rng.random()
    if kind < 0.07:
        picture = _shaken(picture, rng.uniform(0.010, 0.028) * side, rng.uniform(0, np.pi))
    elif kind < 0.17:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.003, 0.007) * side))
    elif kind < 0.30:  # an old or small camera: detail lost for good
        share = rng.uniform(0.35, 0.65)
        small = cv2.resize(picture, (max(8, int(width * share)), max(8, int(height * share))), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    balance = np.exp(rng.normal(0, [0.07, 0.02, 0.09]))
    exposure, gamma, contrast = np.exp(rng.normal(0.02, 0.16)), np.exp(rng.normal(0, 0.12)), rng.uniform(0.82, 1.22)
    tones = np.linspace(0, 1, 256)[:, None] * balance * exposure * metered
    tones = np.clip((np.clip(tones, 0, None) ** gamma - 0.45) * contrast + 0.45, 0, 1) * 255
    picture = cv2.LUT(picture, np.round(tones).astype(np.uint8)[None])
    style = rng.random()
    if style < 0.12:
        grey = np.array([[0.299, 0.587, 0.114]]).repeat(3, 0)
        share = 1.0 if style < 0.05 else rng.uniform(0.3, 0.8)
        tint = np.diag([1.08, 1.0, 0.86]) if style < 0.02 else np.eye(3)  # sepia
        picture = cv2.transform(picture, tint @ (share * grey + (1 - share) * np.eye(3)))
    grain = np.exp(rng.uniform(np.log(0.6), np.log(6.0)))
    # colour noise of a sensor is coarser than brightness noise: coarse noise per channel, fine noise common to all
    noise = cv2.resize(rng.standard_normal((height // 2, width // 2, 3), dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    noise = (noise + rng.standard_normal((height, width, 1), dtype=np.float32)) * np.float32(0.75 * grain)
    if rng.random() < 0.4:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        fall = (1 - rng.uniform(0.1, 0.4) * (x * x + y * y) / 2).astype(np.float32)[..., None]
        return np.clip(picture * fall + noise, 0, 255).astype(np.uint8)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _shaken(picture: np.ndarray, length: float, angle: float) -> np.ndarray:
    size = max(3, int(length) | 1)
    kernel = np.zeros((size, size), np.float32)
    middle, reach = size // 2, size / 2
    start = (round(middle - reach * np.cos(angle)), round(middle - reach * np.sin(angle)))
    end = (round(middle + reach * np.cos(angle)), round(middle + reach * np.sin(angle)))
    cv2.line(kernel, start, end, 1.0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
