"""RANSAC: the transform that the most matches agree with.

Samples come from the most distinctive matches first (after Chum and Matas, "Matching with PROSAC", 2005), and each best model is
refined on its inliers (Chum et al., "Locally optimized RANSAC", 2003).
"""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.geometry import SAMPLE, centred, fit, fit_sample, in_pixels, is_plausible

FIRST = 10  # the first samples are drawn from this many matches
REFINEMENTS = 4  # rounds of least squares at most, on the inliers of a model that is the best so far
STRICT = 0.5  # of the residual: only matches within it determine the final model, since near the limit many inliers are wrong matches
KEPT = 0.9  # of the inliers: a final model that keeps fewer is rejected


def ransac(
    query: np.ndarray,
    index: np.ndarray,
    seed: int,
    transform: str = "affine",
    residual: float = 20.0,
    trials: int = 1000,
    max_zoom: float = 8.0,
    max_anisotropy: float = 4.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The transform query -> index with the most inliers among `trials` random minimal samples, each best one refined.

    query, index     (m, 2) x, y in pixels: row i of one matches row i of the other; the most distinctive match first, since trial t
                     draws from the first m t / trials of them
    seed             the result depends only on it and the points
    transform        "similarity" from 2 points, "affine" from 3, "homography" from 4
    residual         an inlier lands at most this many pixels from its match
    max_zoom, max_anisotropy  see `geometry.is_plausible`; a model that collapses the query would agree with any match
    Returns the model (3, 3) float64, zeros where there is none, and (m,) bool, which matches are its inliers.
    """
    inside, matrix = np.zeros(len(query), bool), np.zeros((3, 3))
    if len(query) >= SAMPLE[transform]:
        points, unit, *centres = centred(query, index)
        squared = np.float32((residual / unit) ** 2)
        model = _ransac(points, np.uint64(seed), SAMPLE[transform], squared, trials, max_zoom, max_anisotropy, REFINEMENTS, inside)
        if inside.any():
            matrix = in_pixels(model, unit, *centres)
    return matrix, inside


@numba.njit(cache=True, nogil=True)
def _ransac(points, seed, sample_size, squared_residual, trials, max_zoom, max_anisotropy, refinements, best_inside):
    best, best_model, model = 0, np.zeros(9), np.zeros(9)
    inside, sample = np.zeros_like(best_inside), np.zeros(sample_size, np.int64)
    state = seed
    m = points.shape[1]
    for trial in range(trials):
        state = _draw(state, min(m, max(FIRST, 1 + m * trial // trials)), sample)
        if _repeats(sample) or not fit_sample(points, sample, squared_residual, model):
            continue
        for refinement in range(refinements + 1):
            if not is_plausible(model, max_zoom, max_anisotropy):
                break
            count = _mark_inliers(points, model, squared_residual, inside)
            if count < best or (count == best and refinement == 0):  # of equal counts least squares is the better model
                break
            best = count
            best_model[:] = model
            best_inside[:] = inside
            if refinement == refinements or count <= sample_size or not fit(points, np.flatnonzero(inside), sample_size, model):
                break
    for _ in range(refinements):
        _mark_inliers(points, best_model, squared_residual * np.float32(STRICT**2), inside)
        model[:] = best_model
        if best <= sample_size or not fit(points, np.flatnonzero(inside), sample_size, model):
            break
        if not is_plausible(model, max_zoom, max_anisotropy) or _mark_inliers(points, model, squared_residual, inside) < KEPT * best:
            break
        best_model[:] = model
        best_inside[:] = inside
    return best_model


@numba.njit(cache=True, nogil=True)
def _draw(state, m, sample):
    """Fill the sample with numbers below m and return the next state: SplitMix64 (Steele et al., 2014)."""
    for place in range(len(sample)):
        state = state + np.uint64(0x9E3779B97F4A7C15)
        bits = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = bits ^ (bits >> np.uint64(31))
        sample[place] = np.int64(((bits >> np.uint64(32)) * np.uint64(m)) >> np.uint64(32))
    return state


@numba.njit(cache=True, nogil=True)
def _repeats(sample):
    for i in range(len(sample)):
        for j in range(i):
            if sample[i] == sample[j]:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def _mark_inliers(points, model, squared_residual, inside):
    # Locals and float32 throughout, and no division: LLVM then takes sixteen matches at a time.
    a, b, c = np.float32(model[0]), np.float32(model[1]), np.float32(model[2])
    d, e, f = np.float32(model[3]), np.float32(model[4]), np.float32(model[5])
    g, h = np.float32(model[6]), np.float32(model[7])
    xs, ys, us, vs = points[0], points[1], points[2], points[3]
    count = np.int32(0)
    for i in range(len(xs)):
        w = g * xs[i] + h * ys[i] + np.float32(1)
        across = a * xs[i] + b * ys[i] + c - w * us[i]
        down = d * xs[i] + e * ys[i] + f - w * vs[i]
        is_inlier = (across * across + down * down <= squared_residual * w * w) & (w > np.float32(0))
        inside[i] = is_inlier
        count += np.int32(is_inlier)
    return count
