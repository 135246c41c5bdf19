"""How much of the time a loop waits for its data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Timed(Generic[Item]):
    """The items of an iterable, and the share of the time since it was made, or since the last question, that went by waiting for them."""

    def __init__(self, items: Iterable[Item]):
        self._items, self._began, self._waited = iter(items), time.perf_counter(), 0.0

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        began = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self._waited += time.perf_counter() - began

    def share_waited(self) -> float:
        """From 0 to 1; counted anew from here on."""
        now = time.perf_counter()
        share = self._waited / max(1e-9, now - self._began)
        self._began, self._waited = now, 0.0
        return min(1.0, share)
