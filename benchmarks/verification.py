"""One query verified against 100 candidates, 1000 local features of 128 dimensions each, beside the official recipe and OpenCV.

    pip install scipy scikit-image
    python benchmarks/verification.py
    python benchmarks/verification.py --quick       fewer pairs for the AUC, a minute

Speed: candidates of which ten truly match. The official recipe (Cao et al., as released: scipy cKDTree, one-way nearest neighbour,
scikit-image RANSAC) runs on three of them and is scaled up. Wall seconds of the best of several runs.
AUC: how well inlier counts tell related pairs, in which 2, 3, 5 or 10 % of the features truly match, from unrelated ones. Half of
either have repeated structure: windows in a grid, alike on every building.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import torch

from landmarks.config.verification import VerificationSettings
from landmarks.ops.local_features import LocalFeatures, quantise
from landmarks.ops.vectors import l2_normalise
from landmarks.ops.verification import pair_seed, verify_pairs

try:
    from scipy.spatial import cKDTree
    from skimage.measure import ransac as skimage_ransac
    from skimage.transform import AffineTransform
except ImportError as missing:
    raise SystemExit(f"{missing}\nthe peers of this benchmark: pip install scipy scikit-image") from None

FEATURES, DIMENSIONS, WIDTH, HEIGHT = 1000, 128, 1024, 768
CANDIDATES, OFFICIAL_CANDIDATES = 100, 3
SHARES = (0.02, 0.03, 0.05, 0.1)  # of a related pair's features that truly match
WINDOWS = 0.25  # share of the features that are windows where structure repeats
SETTINGS = VerificationSettings()


class World:
    """Descriptors lie near 24 of the 128 dimensions, so that unrelated features match by chance within a distance of 1."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.basis = self.rng.normal(size=(24, DIMENSIONS)) / np.sqrt(DIMENSIONS)
        self.windows = self._descriptors(3)  # kinds of windows, the same on every building

    def _descriptors(self, number: int) -> np.ndarray:
        return self.rng.normal(size=(number, len(self.basis))) @ self.basis + 0.1 * self.rng.normal(size=(number, DIMENSIONS))

    def _seen_again(self, descriptors: np.ndarray) -> np.ndarray:
        """From elsewhere, by other light: about 0.7 away in L2."""
        return descriptors + 0.9 * self._descriptors(len(descriptors))

    def photo(self, repeated: bool) -> tuple[np.ndarray, np.ndarray]:
        """Points (features, 2) and descriptors (features, dimensions)."""
        points, descriptors = self.rng.random((FEATURES, 2)) * (WIDTH, HEIGHT), self._descriptors(FEATURES)
        if repeated:
            number = round(WINDOWS * FEATURES)
            columns = 20
            grid = np.stack([np.arange(number) % columns, np.arange(number) // columns], axis=1)
            spacing = self.rng.uniform(25, 45, 2)
            points[:number] = self.rng.random(2) * (200, 100) + grid * spacing + self.rng.normal(0, 2, (number, 2))
            kind = self.rng.integers(0, len(self.windows)) + grid[:, 1] // 4  # storeys differ
            descriptors[:number] = self.windows[kind % len(self.windows)] + 0.4 * self._descriptors(number)
        return points, descriptors

    def related(self, points: np.ndarray, descriptors: np.ndarray, share: float, repeated: bool) -> tuple[np.ndarray, np.ndarray]:
        """Another photo of the same place, in which `share` of the features are seen again where an affine view puts them."""
        other, other_descriptors = self.photo(repeated)
        angle, zoom, stretch = self.rng.normal(0, 0.1), np.exp(self.rng.normal(0, 0.3)), np.exp(self.rng.normal(0, 0.2))
        linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([stretch, 1 / stretch])
        number = round(share * FEATURES)
        chosen, replaced = (self.rng.choice(FEATURES, number, replace=False) for _ in range(2))
        other[replaced] = (points[chosen] - (WIDTH / 2, HEIGHT / 2)) @ linear.T + (WIDTH / 2, HEIGHT / 2)
        other[replaced] += self.rng.normal(0, 4, (number, 2))
        other_descriptors[replaced] = self._seen_again(descriptors[chosen])
        return other, other_descriptors


def pairs_of(world: World, share: float, number: int) -> tuple[list, list]:
    """Photos of queries and of index, pair by pair; share 0: unrelated. Every second pair has repeated structure."""
    queries, index = [], []
    for pair in range(number):
        query = world.photo(repeated=pair % 2 == 1)
        queries.append(query)
        index.append(world.related(*query, share, repeated=pair % 2 == 1))
    return queries, index


def features_of(photos: list, storage: str) -> LocalFeatures:
    descriptors, factors = l2_normalise(np.concatenate([descriptors for _, descriptors in photos])), None
    if storage == "int8":
        descriptors, factors = quantise(descriptors)
    points = np.concatenate([points for points, _ in photos])
    keypoints = np.column_stack([points, np.ones((len(points), 2))]).astype(np.float32)
    return LocalFeatures(descriptors, factors, keypoints, np.arange(len(photos) + 1, dtype=np.int64) * FEATURES)


def with_ours(queries: LocalFeatures, index: LocalFeatures, pairs: np.ndarray) -> np.ndarray:
    seeds = np.array([pair_seed(f"query {query}", f"index {image}") for query, image in pairs])
    return verify_pairs(queries, index, pairs, seeds, SETTINGS).inliers


def with_official(queries: LocalFeatures, index: LocalFeatures, pairs: np.ndarray) -> np.ndarray:
    inliers = []
    for number, (query, image) in enumerate(pairs):
        (points, descriptors), (index_points, index_descriptors) = _of(queries, query), _of(index, image)
        tree = cKDTree(index_descriptors)
        _, nearest = tree.query(descriptors, distance_upper_bound=SETTINGS.max_distance)
        found = np.flatnonzero(nearest < FEATURES)
        count = 0
        if len(found) > 3:
            _, mask = skimage_ransac(
                (points[found], index_points[nearest[found]]),
                AffineTransform,
                min_samples=3,
                residual_threshold=SETTINGS.residual,
                max_trials=SETTINGS.trials,
                rng=number,
            )
            count = 0 if mask is None else int(mask.sum())
        inliers.append(count)
    return np.array(inliers)


def with_opencv(queries: LocalFeatures, index: LocalFeatures, pairs: np.ndarray) -> np.ndarray:
    inliers, matcher = [], cv2.BFMatcher(cv2.NORM_L2, crossCheck=True)
    for query, image in pairs:
        (points, descriptors), (index_points, index_descriptors) = _of(queries, query), _of(index, image)
        matches = [match for match in matcher.match(descriptors, index_descriptors) if match.distance <= SETTINGS.max_distance]
        count = 0
        if len(matches) > 3:
            model, mask = cv2.estimateAffine2D(
                points[[match.queryIdx for match in matches]],
                index_points[[match.trainIdx for match in matches]],
                ransacReprojThreshold=SETTINGS.residual,
                maxIters=SETTINGS.trials,
            )
            count = 0 if model is None else int(mask.sum())
        inliers.append(count)
    return np.array(inliers)


def _of(features: LocalFeatures, image: int) -> tuple[np.ndarray, np.ndarray]:
    rows = slice(features.offsets[image], features.offsets[image + 1])
    return features.keypoints[rows, :2], features.descriptors[rows]


def area_under_curve(related: np.ndarray, unrelated: np.ndarray) -> float:
    """The share of (related, unrelated) couples in which the related pair has more inliers; equal counts are half a couple."""
    return float(np.mean((related[:, None] > unrelated) + 0.5 * (related[:, None] == unrelated)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 pairs a share of true matches for the AUC, not 100")
    quick = parser.parse_args().quick
    _speed(repeats=3 if quick else 10)
    _discrimination(20 if quick else 100)


def _speed(repeats: int) -> None:
    world = World(0)
    query = world.photo(repeated=True)
    index = [world.related(*query, SHARES[number % 4] if number < 10 else 0, repeated=number % 2 == 1) for number in range(CANDIDATES)]
    pairs = np.stack([np.zeros(CANDIDATES, np.int64), np.arange(CANDIDATES)], axis=1)
    queries, images = {}, {}
    for storage in ("float32", "int8"):
        queries[storage], images[storage] = features_of([query], storage), features_of(index, storage)
    cv2.setNumThreads(torch.get_num_threads())
    print(f"a query with {FEATURES} features of {DIMENSIONS} dimensions, {CANDIDATES} candidates, {torch.get_num_threads()} threads")
    print(f"{'':24}{'ms a query':>12}{'of one core':>12}{'pairs/s':>9}")
    few = pairs[:: CANDIDATES // OFFICIAL_CANDIDATES][:OFFICIAL_CANDIDATES]
    for name, verify, storage, chosen, times in (
        ("official recipe (scaled)", with_official, "float32", few, 1),
        ("OpenCV", with_opencv, "float32", pairs, 2),
        ("ours, float32", with_ours, "float32", pairs, repeats),
        ("ours, int8", with_ours, "int8", pairs, repeats),
    ):
        verify(queries[storage], images[storage], chosen[:1])
        wall, core = np.min([_seconds(lambda: verify(queries[storage], images[storage], chosen)) for _ in range(times)], axis=0)  # noqa: B023
        scale = CANDIDATES / len(chosen)
        print(f"{name:24}{1000 * scale * wall:12.1f}{1000 * scale * core:12.1f}{len(chosen) / wall:9.0f}", flush=True)


def _seconds(work) -> tuple[float, float]:
    """On the clock, and of all cores together: the clock also counts what other programs do."""
    wall, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - core


def _discrimination(number: int) -> None:
    world = World(1)
    drawn = {share: pairs_of(world, share, number) for share in (0, *SHARES)}
    pairs = np.stack([np.arange(number)] * 2, axis=1)
    print(f"AUC of inlier counts, {number} related pairs a share of true matches against {number} unrelated ones")
    print(f"{'':24}" + "".join(f"{share:>8.0%}" for share in SHARES) + f"{'all':>8}{'most inliers of an unrelated pair':>36}")
    for name, verify, storage in (
        ("official recipe", with_official, "float32"),
        ("OpenCV", with_opencv, "float32"),
        ("ours, float32", with_ours, "float32"),
        ("ours, int8", with_ours, "int8"),
    ):
        counts = {share: verify(features_of(one, storage), features_of(other, storage), pairs) for share, (one, other) in drawn.items()}
        related = [counts[share] for share in SHARES]
        areas = [area_under_curve(some, counts[0]) for some in [*related, np.concatenate(related)]]
        print(f"{name:24}" + "".join(f"{area:8.3f}" for area in areas) + f"{counts[0].max():36}", flush=True)


if __name__ == "__main__":
    main()
