"""The light of a photo: sun, sky, lamps at night and mist, as one matrix a face and one haze a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Daylight:
    """sun: (3,) unit vector towards the sun. sunlight, skylight: (3,) RGB factors of direct and scattered light. glow: (3,) RGB
    that lit windows add (0..255). zenith, horizon: (3,) RGB 0..255 of the sky. mist: extinction a metre. cloud: 0..1. night: bool."""

    sun: np.ndarray
    sunlight: np.ndarray
    skylight: np.ndarray
    glow: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    mist: float
    cloud: float
    night: bool


def random_daylight(rng: np.random.Generator) -> Daylight:
    """Mostly day, often overcast, sometimes a low sun, night or fog."""
    height, azimuth = rng.uniform(0.25, 1.2), rng.uniform(0, 2 * np.pi)
    kind = rng.choice(["clear", "cloudy", "overcast", "evening", "night", "fog"], p=[0.37, 0.22, 0.18, 0.10, 0.08, 0.05])
    sunlight, skylight, glow = np.array([0.72, 0.68, 0.60]), np.array([0.52, 0.55, 0.60]), np.zeros(3)
    zenith, horizon, mist, cloud = np.array([70, 122, 196.0]), np.array([186, 208, 226.0]), 0.0008, rng.uniform(0.0, 0.35)
    if kind == "cloudy":
        sunlight, skylight, cloud = sunlight * rng.uniform(0.4, 0.8), skylight * 1.2, rng.uniform(0.4, 0.8)
    elif kind == "overcast":
        sunlight, skylight, cloud = sunlight * 0.08, np.array([0.80, 0.82, 0.84]), 0.9
        zenith, horizon, mist = np.array([172, 178, 186.0]), np.array([214, 216, 216.0]), 0.002
    elif kind == "evening":
        height = rng.uniform(0.06, 0.22)
        sunlight, skylight, glow = (
            np.array([0.85, 0.52, 0.28]),
            np.array([0.34, 0.32, 0.40]),
            np.array([70, 50, 20.0]) * rng.uniform(0, 1.5),
        )
        zenith, horizon, cloud = np.array([84, 92, 140.0]), np.array([244, 170, 110.0]), rng.uniform(0, 0.6)
    elif kind == "night":
        # floodlights stand low around a building: a warm "sun" near the ground
        height, sunlight, skylight = 0.1, np.array([0.75, 0.55, 0.30]) * rng.uniform(0.7, 1.5), np.array([0.20, 0.21, 0.28])
        glow, zenith, horizon, cloud = (
            np.array([200, 150, 70.0]) * rng.uniform(0.2, 1.0),
            np.array([8, 10, 26.0]),
            np.array([44, 38, 52.0]),
            0.0,
        )
    elif kind == "fog":
        sunlight, skylight, mist = sunlight * 0.05, np.array([0.78, 0.80, 0.82]), rng.uniform(0.005, 0.016)
        zenith, horizon, cloud = np.array([196, 200, 204.0]), np.array([206, 208, 210.0]), 0.0
    sun = np.array([np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height)])
    return Daylight(
        sun,
        sunlight,
        skylight,
        glow,
        zenith + rng.normal(0, 8, 3),
        horizon + rng.normal(0, 6, 3),
        float(mist),
        float(cloud),
        kind == "night",
    )


def shades(daylight: Daylight, normals: np.ndarray) -> np.ndarray:
    """(n, 3, 4) float64 colour matrices of faces with unit normals (n, 3), for paint_model."""
    direct = np.maximum(0, normals @ daylight.sun)[:, None]
    # faces that look up receive light from the whole sky, those that look down only from the ground
    scattered = (0.78 + 0.22 * normals[:, 2])[:, None]
    factors = direct * daylight.sunlight * 1.15 + scattered * daylight.skylight
    matrices = np.zeros((len(normals), 3, 4))
    matrices[:, [0, 1, 2], [0, 1, 2]] = factors
    matrices[:, :, 3] = daylight.glow / 255
    return matrices


def haze(colour: np.ndarray, nearness: np.ndarray, daylight: Daylight) -> np.ndarray:
    """The picture (h, w, 3) uint8 with the air in front of everything that has a depth; the sky, nearness 0, stays."""
    clear = cv2.exp(np.float32(-daylight.mist) / np.maximum(nearness, np.float32(1e-4)))
    clear[nearness <= 0] = 1
    air = np.empty_like(colour)
    air[:] = np.clip(daylight.horizon, 0, 255)
    return cv2.blendLinear(colour, air, clear, 1 - clear)
