"""Exact nearest neighbours by products in bfloat16, on processors that multiply twice as many of them; the best are scored again.

A product of rounded vectors differs from the exact one by no more than a bound that is known beforehand. So every row that may be among
the nearest is kept, and the kept ones are scored exactly: the result is the same as if all had been.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from landmarks.ops.half import float32_value, kernel_rows

MOST = 1024  # neighbours; for more of them, the kept rows are too many
_QUERIES, _ROWS = 1024, 8192  # whose products are in memory at once: 16 MB
_KEPT = 4  # rows that a query keeps at most, for each neighbour
_LEAST_KEPT = 512
_TOGETHER = 16  # products of which the largest is found first
_ROUNDING = 2.0**-8  # at least half of the distance to the next bfloat16, of 1


def has_products() -> bool:
    """Whether this processor has instructions for products of bfloat16 (AVX-512 BF16, AMX)."""
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


class Bfloat16Index:
    """An index (n, d) of finite float16 or float32 rows, which stays where it is, and a copy of it in bfloat16."""

    def __init__(self, index: np.ndarray):
        self._rows = kernel_rows(index)
        self._narrow, lengths, errors = _rounded(self._rows)
        self._length, self._error = lengths.max(), errors.max()

    def search(self, queries: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Similarities (n_query, neighbours) float32, indices int32, and whether each query has its neighbours, (n_query,) bool.

        queries     (n_query, d) float32, finite
        neighbours  at most MOST and the rows of the index
        Most similar first, equal similarities by index order. A similarity is summed in float64 and then rounded. A query has none where so
        many rows are nearly as similar as the last neighbour that they are not kept.
        """
        parts = [self._block(queries[start : start + _QUERIES], neighbours) for start in range(0, len(queries), _QUERIES)]
        scores, indices, settled = (np.concatenate(some) for some in zip(*parts, strict=True))
        return scores, indices, settled

    def _block(self, queries: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        queries = np.ascontiguousarray(queries, np.float32)
        narrow, lengths, errors = _rounded(queries)
        count, width = queries.shape
        # |q x - q' x'| <= |q - q'| |x| + |q'| |x - x'|; then d sums, each rounded by 2^-24 of what it may reach, counted twice.
        slack = errors * self._length + (lengths + errors) * self._error
        slack += 2.0**-23 * width * (lengths + errors) * (self._length + self._error) + 1e-30
        most = max(_LEAST_KEPT, _KEPT * neighbours)
        keys, places = np.empty((count, most), np.int16), np.empty((count, most), np.int32)
        kept, least = np.zeros(count, np.int64), np.full(count, -(2**15), np.int16)
        products = torch.empty(count, _ROWS, dtype=torch.bfloat16)
        asked = _as_torch(narrow)
        for start in range(0, len(self._narrow), _ROWS):
            rows = _as_torch(self._narrow[start : start + _ROWS])
            out = products[:, : len(rows)] if len(rows) == _ROWS else torch.empty(count, len(rows), dtype=torch.bfloat16)
            torch.mm(asked, rows.T, out=out)
            _keep(out.view(torch.int16).numpy(), start, neighbours, slack, keys, places, kept, least)
        scores, indices = np.empty((count, neighbours), np.float32), np.empty((count, neighbours), np.int32)
        _score(queries, self._rows, neighbours, slack, keys, places, kept, scores, indices)
        return scores, indices, kept >= 0


def _as_torch(bits: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)


def _rounded(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`kernel_rows` rows rounded to bfloat16, as bits (n, d) uint16; their lengths (n,), and those of what was rounded off, float64."""
    bits = np.empty(rows.shape, np.uint16)
    lengths, errors = np.empty(len(rows)), np.empty(len(rows))
    _round(rows, bits, lengths, errors)
    return bits, lengths, errors


@numba.njit(cache=True, parallel=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _round(rows, bits, lengths, errors):
    for row in numba.prange(len(rows)):
        squares, lost = 0.0, 0.0
        for column in range(rows.shape[1]):
            value = np.float32(float32_value(rows[row, column]))
            pattern = _bits(value)
            # To the nearest, ties to even.
            short = np.uint32(np.uint32(pattern + np.uint32(0x7FFF) + ((pattern >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))
            bits[row, column] = np.uint16(short)
            wide = np.float64(value)
            left = wide - np.float64(np.uint32(short << np.uint32(16)).view(np.float32))
            squares += wide * wide
            lost += left * left
        lengths[row], errors[row] = np.sqrt(squares), np.sqrt(lost)


@numba.njit(cache=True, nogil=True)
def _bits(value):
    return np.float32(value).view(np.uint32)


@numba.njit(cache=True, nogil=True)
def _key(pattern):
    """The bits of a bfloat16, int16, as a whole number that is ordered as the values are; -0 is the one below 0."""
    return np.int16(pattern ^ ((pattern >> np.int16(15)) & np.int16(0x7FFF)))


@numba.njit(cache=True, nogil=True)
def _least_key(key, slack):
    """The key of the lowest product that a row can have whose exact one is at least as large as of any row with `key` or above.

    Products are rounded to bfloat16: the sum behind `key` may be lower by half a step. It and the other's may both be wrong by `slack`.
    """
    pattern = _key(key)  # its own inverse
    value = np.float64(np.uint32(np.uint32(np.uint16(pattern)) << np.uint32(16)).view(np.float32))
    lowest = np.float32(value - abs(value) * _ROUNDING - 2 * slack)
    bits = _bits(np.float32(lowest - abs(lowest) * np.float32(2.0**-23)))  # what float32 rounded up
    short = np.int32(bits >> np.uint32(16))
    if lowest <= 0:  # cut bits make it larger, not smaller
        return np.int16(max(-(2**15), -int(short & 0x7FFF) - 2))
    return np.int16(short)


@numba.njit(cache=True, nogil=True)
def _raise(keys, places, kept, neighbours, slack):
    """Leave out what cannot be among the neighbours any more, in place: how many remain, and the least key of what may still come."""
    if kept < neighbours:
        return kept, np.int16(-(2**15))
    last = np.partition(keys[:kept], kept - neighbours)[kept - neighbours]
    least, remain = _least_key(last, slack), 0
    for place in range(kept):
        if keys[place] >= least:
            keys[remain], places[remain] = keys[place], places[place]
            remain += 1
    return remain, least


@numba.njit(cache=True, parallel=True, nogil=True)
def _keep(products, start, neighbours, slack, keys, places, kept, least):
    """Append the rows whose products, bits of bfloat16, may be among the nearest; `kept` becomes -1 where they are too many."""
    for query in numba.prange(len(products)):
        kept[query], least[query] = _keep_of(
            products[query], start, neighbours, slack[query], keys[query], places[query], kept[query], least[query]
        )


@numba.njit(cache=True, nogil=True)
def _keep_of(row, start, neighbours, slack, keys, places, count, lowest):
    """For one query: how many rows are kept now, and the least key of what may still come."""
    if count < 0:
        return count, lowest
    groups = -(-len(row) // _TOGETHER)  # of rows that are `groups` apart: the largest of each are found many at a time
    largest = np.full(groups, -(2**15), np.int16)
    for first in range(0, len(row), groups):
        part = row[first : first + groups]
        for group in range(len(part)):
            largest[group] = max(largest[group], _key(part[group]))
    if count == 0 and groups >= neighbours:  # as many rows as are asked for are at least as near as this
        lowest = _least_key(np.partition(largest, groups - neighbours)[groups - neighbours], slack)
    for group in range(groups):
        if largest[group] < lowest:
            continue
        for place in range(group, len(row), groups):
            key = _key(row[place])
            if key < lowest:
                continue
            if count == len(keys):
                count, lowest = _raise(keys, places, count, neighbours, slack)
                if count > len(keys) * 3 // 4:
                    return -1, lowest
                if key < lowest:
                    continue
            keys[count], places[count] = key, start + place
            count += 1
    return count, lowest


@numba.njit(cache=True, parallel=True, nogil=True)
def _score(queries, rows, neighbours, slack, keys, places, kept, scores, indices):
    """The nearest of the kept rows by their exact products."""
    for query in numba.prange(len(queries)):
        if kept[query] >= 0:
            count, _ = _raise(keys[query], places[query], kept[query], neighbours, slack[query])
            _nearest(queries[query], rows, places[query, :count], scores[query], indices[query])


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _nearest(query, rows, places, scores, indices):
    """The rows at `places` with the largest products: most similar first, equal ones by their place."""
    ranks = np.empty(len(places), np.int64)  # ordered as the negative products are, then as the places
    for number in range(len(places)):
        total, row = 0.0, rows[places[number]]
        for column in range(len(query)):
            total += np.float64(query[column]) * np.float64(float32_value(row[column]))
        pattern = np.int64(_bits(np.float32(-total) + np.float32(0)))  # no -0, which would differ from 0
        ranks[number] = ((pattern if pattern < 2**31 else 2**31 - pattern) << 32) | np.int64(places[number])
    ranks.sort()
    for number in range(len(scores)):
        upper = ranks[number] >> 32
        bits = np.uint32(upper if upper >= 0 else 2**31 - upper)
        scores[number], indices[number] = -bits.view(np.float32), ranks[number] & 0xFFFFFFFF
