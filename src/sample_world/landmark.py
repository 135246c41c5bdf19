"""Landmarks of the sample world, built from their seeds and cached by the process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import civic, monuments, sacred
from .house import house
from .model import Model, pack
from .seeds import digest_number
from .solids import Face
from .traits import Traits

ARCHITECTURES = (
    sacred.cathedral,
    civic.palace,
    civic.tower,
    sacred.domed_hall,
    monuments.high_rise,
    civic.castle,
    monuments.monument,
    sacred.temple,
    civic.gate,
    sacred.cathedral,
    monuments.stepped_pyramid,
    sacred.pagoda,
    civic.palace,
    monuments.arena,
    monuments.mill,
)


@dataclass(frozen=True)
class Landmark:
    """A building at (0, 0): radius of its ground plan and its height in metres."""

    traits: Traits
    model: Model
    radius: float
    height: float


def landmark_traits(seed: int, landmark: int, family: int) -> Traits:
    """The traits of landmark number `landmark`; landmarks of one family are look-alikes."""
    return Traits(f"{seed}/family {family}", f"{seed}/landmark {landmark}")


def _solid(faces: list[Face]) -> list[Face]:
    """Without faces too thin to see, which would make their homographies singular."""
    return [face for face in faces if np.linalg.norm(np.cross(face.across, face.down)) > 1e-4]


@lru_cache(maxsize=96)
def build_landmark(seed: int, landmark: int, family: int) -> Landmark:
    """The landmark's model; about 10 ms, then from the cache."""
    traits = landmark_traits(seed, landmark, family)
    # in turn, not at random, so that a town of a few dozen families has every kind
    faces, skins = ARCHITECTURES[(digest_number(seed, "architecture") + family) % len(ARCHITECTURES)](traits)
    model = pack(_solid(faces), skins)
    corners = model.vertices
    return Landmark(traits, model, float(np.linalg.norm(corners[:, :2], axis=1).max()), float(corners[:, 2].max()))


@lru_cache(maxsize=32)
def build_street_house(*words: object) -> Model:
    """An ordinary house named by words."""
    name = "/".join(map(str, words))
    faces, skins = house(Traits(name, name))
    return pack(_solid(faces), skins)
