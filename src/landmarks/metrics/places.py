"""Place recognition: which index images show a query's place, and Recall@N."""

from __future__ import annotations

import numpy as np

from landmarks.metrics.google_landmarks import relevant_places

_PAIRS = 8_000_000  # distances in memory at once, 8 bytes each


def near_places(
    queries: np.ndarray,
    index: np.ndarray,
    metres: float = 25.0,
    headings: tuple[np.ndarray, np.ndarray] | None = None,
    degrees: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The index images taken within `metres` of each query, that limit included.

    queries (n_query, 2), index (n_index, 2)  easting and northing in metres (UTM), float64
    headings, degrees  the camera's compass angles (n_query,) and (n_index,) in degrees may differ by at most `degrees`; None = by any

    Returns truth (sum of m,) int32 and offsets (n_query + 1,) int64: query q's images are truth[offsets[q]:offsets[q + 1]].
    Raises ValueError for a limit in degrees without headings.
    """
    if degrees is not None and headings is None:
        raise ValueError("a limit in degrees needs headings")
    parts, counts = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    rows = max(1, _PAIRS // max(1, len(index)))
    for start in range(0, len(queries), rows):
        part = slice(start, start + rows)
        easting, northing = (queries[part, None, axis] - index[None, :, axis] for axis in (0, 1))
        near = easting**2 + northing**2 <= metres**2
        if headings is not None and degrees is not None:
            turn = (headings[0][part, None] - headings[1][None, :] + 180) % 360 - 180
            near &= np.abs(turn) <= degrees
        parts.append(np.nonzero(near)[1].astype(np.int32))
        counts.append(near.sum(axis=1))
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)


def found_within(predicted: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray, at: int) -> np.ndarray:
    """Whether one of the first `at` images is a true one: (n_query,) bool. Recall@`at` is its mean.

    predicted  (n_query, k) integers, best first, -1 = none; truth and offsets as `near_places` returns them
    """
    return np.any(relevant_places(predicted[:, :at], truth, truth_offsets), axis=1)
