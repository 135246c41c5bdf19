"""Lists of pictures turned into lists of sequences: consecutive frames are found together."""

from __future__ import annotations

import numpy as np

_DAMPING = 60  # the constant of reciprocal rank fusion (Cormack et al., SIGIR 2009): the larger, the less the first places dominate


def consecutive(sequences: np.ndarray, frames: np.ndarray, length: int) -> np.ndarray:
    """Every run of `length` consecutive frames of one sequence: (m, length) int64 rows of the pictures, in order.

    sequences  (n,) the drive that a picture is from; frames (n,) int64: its number in that drive
    """
    order = np.lexsort((frames, np.unique(sequences, return_inverse=True)[1]))
    windows = np.lib.stride_tricks.sliding_window_view(order, length) if len(order) >= length else np.empty((0, length), np.int64)
    same = (sequences[windows] == sequences[windows[:, :1]]).all(axis=1)
    steady = (np.diff(frames[windows], axis=1) == 1).all(axis=1)
    windows = windows[same & steady]
    return windows[np.argsort(windows[:, length // 2], kind="stable")]


def fuse_lists(indices: np.ndarray, queries: np.ndarray, entries: np.ndarray, index_size: int, kept: int) -> np.ndarray:
    """The entries that the frames of each query sequence find together.

    indices  (n_query, k) int32, -1 = none: the lists of single pictures
    queries  (m_query, frames) and entries (m_index, frames): rows of the pictures that make a sequence

    For every frame of a query an entry has the place of the best of its own frames; its score is the sum of 1 / (60 + place).
    Returns (m_query, kept) int32 into entries, -1 = none; equal scores by the entry's number.
    """
    result = np.full((len(queries), kept), -1, np.int32)
    for number, rows in enumerate(queries):
        scores = np.zeros(len(entries))
        for row in indices[rows]:
            listed = row[row >= 0]
            contribution = np.zeros(index_size)
            contribution[listed] = 1 / (_DAMPING + 1 + np.arange(len(listed)))
            scores += contribution[entries].max(axis=1)
        order = np.argsort(-scores, kind="stable")[:kept]
        order = order[scores[order] > 0]
        result[number, : len(order)] = order
    return result
