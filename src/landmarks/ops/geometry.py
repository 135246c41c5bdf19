"""Plane transforms between two photos: from a minimal sample, by least squares, and whether a camera could produce them."""

from __future__ import annotations

import math

import numba
import numpy as np

# name -> number of points that determine it. A transform is a model of 9 numbers, row by row, the last one 1:
# w (u, v, 1) = model (x, y, 1) maps a point of the query to the index image
SAMPLE = {"similarity": 2, "affine": 3, "homography": 4}


def project(model: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (m, 2) of the query mapped to the index image by the model (3, 3): (m, 2) float64."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ np.asarray(model, np.float64).T
    return mapped[:, :2] / mapped[:, 2:]


@numba.njit(cache=True, nogil=True)
def fit_sample(points, sample, min_area, model):
    """The model through 2, 3 or 4 of the points (4, m), rows x, y, u, v. False where they are too close together, or in a line."""
    i, j = sample[0], sample[1]
    x1, y1, u1, v1 = _step(points, i, j)
    model[:] = 0
    model[8] = 1
    if len(sample) == 2:
        length = x1 * x1 + y1 * y1
        if not length > min_area:
            return False
        model[0] = model[4] = (x1 * u1 + y1 * v1) / length
        model[3] = (x1 * v1 - y1 * u1) / length
        model[1] = -model[3]
    else:
        x2, y2, u2, v2 = _step(points, i, sample[2])
        area = x1 * y2 - x2 * y1
        if not abs(area) > min_area:
            return False
        if len(sample) == 4:
            return fit(points, sample, 4, model)
        model[0], model[1] = (u1 * y2 - u2 * y1) / area, (x1 * u2 - x2 * u1) / area
        model[3], model[4] = (v1 * y2 - v2 * y1) / area, (x1 * v2 - x2 * v1) / area
    model[2] = points[2, i] - model[0] * points[0, i] - model[1] * points[1, i]
    model[5] = points[3, i] - model[3] * points[0, i] - model[4] * points[1, i]
    return True


@numba.njit(cache=True, nogil=True)
def _step(points, i, j):
    return (
        np.float64(points[0, j]) - points[0, i],
        np.float64(points[1, j]) - points[1, i],
        np.float64(points[2, j]) - points[2, i],
        np.float64(points[3, j]) - points[3, i],
    )


@numba.njit(cache=True, nogil=True)
def fit(points, chosen, sample_size, model):
    """Least squares over the points[:, chosen]; False where they do not determine the model.

    The homography minimises the algebraic error (Hartley and Zisserman, section 4.1) with model[8] = 1: for points around the origin.
    """
    unknowns = 2 * sample_size
    matrix, target, row = np.zeros((unknowns, unknowns)), np.zeros(unknowns), np.zeros(unknowns)
    for point in chosen:
        x, y = np.float64(points[0, point]), np.float64(points[1, point])
        for side in range(2):
            value = np.float64(points[2 + side, point])
            row[:] = 0
            if sample_size == 2:
                row[0], row[1] = (x, -y) if side == 0 else (y, x)
                row[2 + side] = 1
            else:
                row[3 * side], row[3 * side + 1], row[3 * side + 2] = x, y, 1
            if sample_size == 4:
                row[6], row[7] = -value * x, -value * y
            for p in range(unknowns):
                target[p] += row[p] * value
                for q in range(unknowns):
                    matrix[p, q] += row[p] * row[q]
    if not _solve(matrix, target):
        return False
    model[6] = model[7] = 0
    model[8] = 1
    if sample_size == 2:
        model[0] = model[4] = target[0]
        model[1], model[3] = -target[1], target[1]
        model[2], model[5] = target[2], target[3]
    else:
        model[:unknowns] = target
    return True


@numba.njit(cache=True, nogil=True)
def _solve(matrix, target):
    """Gaussian elimination with pivots, in place; np.linalg.solve would need SciPy here."""
    n = len(target)
    for column in range(n):
        pivot = column + np.argmax(np.abs(matrix[column:, column]))
        if not abs(matrix[pivot, column]) > 1e-9:
            return False
        for q in range(n):
            matrix[column, q], matrix[pivot, q] = matrix[pivot, q], matrix[column, q]
        target[column], target[pivot] = target[pivot], target[column]
        for row in range(column + 1, n):
            share = matrix[row, column] / matrix[column, column]
            for q in range(column, n):
                matrix[row, q] -= share * matrix[column, q]
            target[row] -= share * target[column]
    for row in range(n - 1, -1, -1):
        for q in range(row + 1, n):
            target[row] -= matrix[row, q] * target[q]
        target[row] /= matrix[row, row]
    return True


@numba.njit(cache=True, nogil=True)
def is_plausible(model, max_zoom, max_anisotropy):
    """Whether the model's linear part, at the origin, keeps the handedness, zooms by at most max_zoom either way (the square root
    of its determinant) and stretches one direction at most max_anisotropy times as much as another."""
    # of w = 1 + g x + h y at the origin: the derivative of (a x + b y + c) / w is (a - c g, b - c h)
    a, b = model[0] - model[2] * model[6], model[1] - model[2] * model[7]
    d, e = model[3] - model[5] * model[6], model[4] - model[5] * model[7]
    determinant = a * e - b * d
    if not (determinant >= 1 / max_zoom**2 and determinant <= max_zoom**2):
        return False
    # singular values s, t: (s^2 + t^2) / (s t) = s/t + t/s, which grows with the anisotropy s/t
    return a * a + b * b + d * d + e * e <= determinant * (max_anisotropy + 1 / max_anisotropy)


def centred(query: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Points (m, 2) and (m, 2) around the origin, in a unit of about the spread of the index points, so that sums of products keep
    their precision: (4, m) float32 rows x, y, u, v, the unit in pixels, and both centres (2,)."""
    query, index = query.astype(np.float64), index.astype(np.float64)
    query_centre, index_centre = query.mean(axis=0), index.mean(axis=0)
    query, index = query - query_centre, index - index_centre
    unit = max(math.sqrt((index**2).mean()), 1e-3)
    return np.ascontiguousarray(np.hstack([query, index]).T / unit, np.float32), unit, query_centre, index_centre


def in_pixels(model: np.ndarray, unit: float, query_centre: np.ndarray, index_centre: np.ndarray) -> np.ndarray:
    """A model (9,) of `centred` points as the matrix (3, 3) float64 of the points themselves, its last element 1."""
    into = np.array([[1, 0, -query_centre[0]], [0, 1, -query_centre[1]], [0, 0, unit]]) / unit
    back = np.array([[unit, 0, index_centre[0]], [0, unit, index_centre[1]], [0, 0, 1]])
    matrix = back @ model.reshape(3, 3) @ into
    return matrix / matrix[2, 2]
