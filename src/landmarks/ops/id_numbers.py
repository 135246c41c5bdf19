"""Lists of image ids in text -> lists of image numbers. Scoring a submission spends most of its time here."""

from __future__ import annotations

import numba
import numpy as np

SPACE = 32  # this byte and all below it (tab, carriage return) separate ids


class IdNumbers:
    """Looks up the number of an id among `n` known ones.

    text     (bytes,) uint8: the known ids' UTF-8 bytes, one after the other
    offsets  (n + 1,) integers: id i is text[offsets[i]:offsets[i + 1]]; no id twice, none empty
    """

    def __init__(self, text: np.ndarray, offsets: np.ndarray):
        self._text, self._offsets = text, offsets.astype(np.int64)
        size = 1 << max(4, int(2 * len(offsets) - 1).bit_length())  # at most half full: a miss takes one or two probes
        self._table = np.full((size, 2), -1, np.int64)  # (number, digest) side by side: one cache line per probe
        _fill(self._text, self._offsets, self._table)

    def parse(self, text: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ids in each row of space-separated text.

        text (bytes,) uint8 and offsets (rows + 1,) as above, a row instead of an id
        Returns numbers (sum of ids,) int32, -1 = unknown, and starts (rows + 1,) int64: row r's numbers are
        numbers[starts[r]:starts[r + 1]].
        """
        offsets = offsets.astype(np.int64)
        starts = np.zeros(len(offsets), np.int64)
        np.cumsum(_count(text, offsets), out=starts[1:])
        return _parse(text, offsets, starts, self._text, self._offsets, self._table), starts


@numba.njit(cache=True, nogil=True, inline="always")
def _digest(text, start, end):
    digest = np.uint64(14695981039346656037)  # FNV-1a, 64 bits
    for position in range(start, end):
        digest = (digest ^ np.uint64(text[position])) * np.uint64(1099511628211)
    return np.int64(digest ^ (digest >> np.uint64(29)))


@numba.njit(cache=True, nogil=True)
def _fill(text, offsets, table):
    last = np.int64(len(table) - 1)
    for number in range(len(offsets) - 1):
        digest = _digest(text, offsets[number], offsets[number + 1])
        slot = digest & last
        while table[slot, 0] >= 0:
            slot = (slot + 1) & last
        table[slot, 0], table[slot, 1] = number, digest


@numba.njit(cache=True, nogil=True, inline="always")
def _equal(number, text, start, end, known, known_offsets):
    first, length = np.uint64(known_offsets[number]), np.uint64(end - start)
    if np.uint64(known_offsets[number + 1]) - first != length:
        return False
    # Unsigned positions and no early exit: six times as fast as the obvious loop, which checks for negative
    # positions and branches at every byte.
    different, begin = np.uint8(0), np.uint64(start)
    for place in range(length):
        different |= text[begin + place] ^ known[first + place]
    return different == 0


@numba.njit(cache=True, nogil=True, parallel=True)
def _count(text, offsets):
    counts = np.zeros(len(offsets) - 1, np.int64)
    for row in numba.prange(len(counts)):
        inside = False
        for position in range(offsets[row], offsets[row + 1]):
            letter = text[position] > SPACE
            counts[row] += letter and not inside
            inside = letter
    return counts


@numba.njit(cache=True, nogil=True, parallel=True)
def _parse(text, offsets, starts, known, known_offsets, table):
    numbers = np.full(starts[-1], -1, np.int32)
    last = np.int64(len(table) - 1)
    for row in numba.prange(len(offsets) - 1):
        ids = starts[row + 1] - starts[row]
        spans, digests, slots = np.empty((ids, 2), np.int64), np.empty(ids, np.int64), np.empty(ids, np.int64)
        # Three loops rather than one: the probes of one loop do not depend on each other, so that the processor
        # handles many cache misses at once.
        position, place = offsets[row], 0
        while place < ids:
            while text[position] <= SPACE:
                position += 1
            spans[place, 0] = position
            while position < offsets[row + 1] and text[position] > SPACE:
                position += 1
            spans[place, 1] = position
            digests[place] = _digest(text, spans[place, 0], position)
            place += 1
        for place in range(ids):
            slot = digests[place] & last
            while table[slot, 0] >= 0 and table[slot, 1] != digests[place]:
                slot = (slot + 1) & last
            slots[place] = slot
        for place in range(ids):
            slot = slots[place]
            while table[slot, 0] >= 0:  # different ids may have equal digests: compare the bytes
                if table[slot, 1] == digests[place] and _equal(
                    table[slot, 0], text, spans[place, 0], spans[place, 1], known, known_offsets
                ):
                    numbers[starts[row] + place] = table[slot, 0]
                    break
                slot = (slot + 1) & last
    return numbers
