"""Chooses the queries that the report shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from landmarks.seeds import seed_of

PERFECT = 100.0  # percent


def choose_queries(ids: np.ndarray, before: np.ndarray, after: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Section -> positions of at most `count` queries; no query twice, and none that is not what its section says.

    Most gained, Most lost: by the change. Worst: went down, the lowest now. Lowest: did not go down, the lowest now, and not perfect.
    Best: the highest now, above 0.

    ids     (n,) strings; ties are broken by a random number derived from the id
    before  (n,) score of the first chain, from 0 to 100, as precise as it is shown: what looks the same has not changed
    after   (n,) that of the last chain
    """
    draws = [seed_of("gallery", id) for id in ids]
    change = after - before
    shown: set[int] = set()

    def first(order: np.ndarray, among: Iterable[int]) -> np.ndarray:
        best = sorted((n for n in among if n not in shown), key=lambda n: (order[n], draws[n]))[:count]
        shown.update(best)
        return np.array(best, np.int64)

    return {
        "Most gained": first(-change, np.flatnonzero(change > 0)),
        "Most lost": first(change, np.flatnonzero(change < 0)),
        "Worst": first(after, np.flatnonzero(change < 0)),
        "Lowest": first(after, np.flatnonzero((change >= 0) & (after < PERFECT))),
        "Best": first(-after, np.flatnonzero(after > 0)),
    }


def choose_any(ids: np.ndarray, count: int) -> np.ndarray:
    """Positions of at most `count` queries by a random number derived from the id, where there is no score to choose by."""
    return np.array(sorted(range(len(ids)), key=lambda n: seed_of("gallery", ids[n]))[:count], np.int64)
