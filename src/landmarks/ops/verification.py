"""Geometric verification of pairs of images: matched local features that one transform explains."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np

from landmarks.lifeline import cancelled_on_error
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.matching import mutual_matches
from landmarks.ops.ransac import ransac
from landmarks.seeds import seed_of

# What a camera could have made (ours): a photo is taken from at most so many times closer than the other, and appears at most so
# many times narrower in one direction than in another.
MAX_ZOOM, MAX_ANISOTROPY = 8.0, 4.0


class Verification(Protocol):
    """How pairs are verified: any object with these attributes, such as the configuration's verification section.

    transform        "affine", "similarity" or "homography"
    residual         pixels of the index image between a point and its match, at most
    trials           random samples
    max_distance     L2 between matching descriptors, at most
    ratio            distance to the nearest / to the second nearest, at most; 1 = off
    min_matches      a pair with fewer matches has 0 inliers
    """

    @property
    def transform(self) -> str: ...
    @property
    def residual(self) -> float: ...
    @property
    def trials(self) -> int: ...
    @property
    def max_distance(self) -> float: ...
    @property
    def ratio(self) -> float: ...
    @property
    def min_matches(self) -> int: ...


class Verified(NamedTuple):
    """matches (p,) int32: number of mutual nearest neighbours; inliers (p,) int32: how many of those the model explains;
    models (p, 3, 3) float32: homogeneous points of the query -> index image in pixels, zeros where there is none."""

    matches: np.ndarray
    inliers: np.ndarray
    models: np.ndarray


class Match(NamedTuple):
    """One pair: rows (m, 2) int32 of the two images' features, the most distinctive match first; inside (m,) bool, which of them are
    inliers; model (3, 3) float64, zeros where there is none."""

    rows: np.ndarray
    inside: np.ndarray
    model: np.ndarray


def pair_seed(query_id: str, index_id: str) -> int:
    """The seed of a pair's random samples, from the ids of its images."""
    return seed_of("verify", query_id, index_id)


def verify_pairs(queries: LocalFeatures, index: LocalFeatures, pairs: np.ndarray, seeds: np.ndarray, settings: Verification) -> Verified:
    """Verify pairs of images, on as many cores as torch has threads.

    pairs  (p, 2) integers: an image of `queries` and one of `index`
    seeds  (p,) integers, as `pair_seed` gives them
    A pair's result depends only on its features and its seed, not on the other pairs, their order or the threads.
    """
    import torch

    verified = Verified(np.zeros(len(pairs), np.int32), np.zeros(len(pairs), np.int32), np.zeros((len(pairs), 3, 3), np.float32))
    query_images, index_images, seed_list = pairs[:, 0].tolist(), pairs[:, 1].tolist(), seeds.tolist()

    def verify_chunk(chunk: range) -> None:
        torch.set_num_threads(1)  # of this worker: one core a pair is faster than all cores on each small product
        for number in chunk:
            match = match_pair(queries, index, query_images[number], index_images[number], seed_list[number], settings)
            verified.matches[number], verified.inliers[number] = len(match.rows), match.inside.sum()
            verified.models[number] = match.model

    threads = torch.get_num_threads()
    try:
        with cancelled_on_error(ThreadPoolExecutor(threads)) as pool:
            size = max(1, math.ceil(len(pairs) / (8 * threads)))
            list(pool.map(verify_chunk, [range(len(pairs))[start : start + size] for start in range(0, len(pairs), size)]))
    finally:
        torch.set_num_threads(threads)
    return verified


def match_pair(queries: LocalFeatures, index: LocalFeatures, query: int, image: int, seed: int, settings: Verification) -> Match:
    """Verify image number `query` of `queries` against number `image` of `index`; arguments as of `verify_pairs`."""
    descriptors, factors, points = _image_features(queries, query)
    index_descriptors, index_factors, index_points = _image_features(index, image)
    rows, ratios = mutual_matches(descriptors, index_descriptors, factors, index_factors, settings.max_distance, settings.ratio)
    rows = rows[np.argsort(ratios, kind="stable")]
    if len(rows) < settings.min_matches:
        return Match(rows, np.zeros(len(rows), bool), np.zeros((3, 3)))
    model, inside = ransac(
        points[rows[:, 0]],
        index_points[rows[:, 1]],
        seed,
        settings.transform,
        settings.residual,
        settings.trials,
        MAX_ZOOM,
        MAX_ANISOTROPY,
    )
    return Match(rows, inside, model)


def _image_features(features: LocalFeatures, image: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Descriptors (m, d), factors (m,) or None, and points (m, 2) of one image."""
    rows = slice(features.offsets[image], features.offsets[image + 1])
    factors = None if features.factors is None else features.factors[rows]
    return features.descriptors[rows], factors, features.keypoints[rows, :2]
