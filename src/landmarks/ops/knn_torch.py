"""Exact nearest neighbours by inner product on GPUs: any number of neighbours, an index of any size, float16 as it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from landmarks.cuda import free_memory, is_out_of_memory
from landmarks.ops.half import native

CHUNK = 65_536  # index rows that queries are compared with at a time
Found = tuple[np.ndarray, np.ndarray]
QUERIES = 4_096  # whose similarities to a chunk are in memory at once: 1 GB
_FEWEST = 64  # queries at a time, however little memory there is
_SHARE = 0.6  # of a card's free memory that the index may fill; the rest is for similarities and their selection


@dataclass
class _Card:
    """A device, its copy of the index in chunks (None: they go by), and how many queries are compared at a time."""

    device: torch.device
    kept: list[torch.Tensor] | None
    queries: int

    def can_take_less(self) -> bool:
        return self.kept is not None or self.queries > _FEWEST

    def take_less(self) -> None:
        """Need less memory from here on: first without a copy of the index, then for fewer queries."""
        if self.kept is not None:
            self.kept = None
        else:
            self.queries = max(_FEWEST, self.queries // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class TorchIndex:
    """An index on each of several devices, as float16 where it is float16: half the memory of FAISS's, and numbers as exact.

    Products are computed in float32, so that neighbours are those of a CPU but for rounding. Where a card's memory is not enough for the
    index, its rows stay where they are, mapped from disk say, and go by chunk by chunk for each call of `search`. Where the memory is no
    longer enough, the copy is given up, and then fewer queries are compared at a time.

    index    (n_index, d) float16 or float32
    devices  that share the queries
    """

    def __init__(self, index: np.ndarray, devices: Sequence[torch.device], *, chunk: int = CHUNK):
        self._index, self._chunk = index, chunk
        self._pool = ThreadPoolExecutor(len(devices))
        self._cards = [_Card(device, self._copies(device) if self._fits(device) else None, QUERIES) for device in devices]

    @property
    def together(self) -> int:
        """Queries that one call of `search` should have: more where the index goes by for each call."""
        return len(self._cards) * QUERIES * (1 if all(card.kept is not None for card in self._cards) else 16)

    def search(
        self, queries: np.ndarray, neighbours: int, on_chunk: Callable[[int], object] = lambda rows: None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Similarities (n_query, neighbours) float32 and indices, most similar first; at most as many neighbours as rows.

        on_chunk  called by the first device after each chunk, with its number of index rows
        """
        parts = np.array_split(queries, len(self._cards))
        calls = [on_chunk, *[lambda rows: None] * (len(parts) - 1)]
        found = list(self._pool.map(self._on_card, self._cards, parts, [neighbours] * len(parts), calls))
        return np.concatenate([scores for scores, _ in found]), np.concatenate([indices for _, indices in found])

    def _on_card(self, card: _Card, queries: np.ndarray, neighbours: int, on_chunk: Callable[[int], object]) -> Found:
        while True:
            done = [0]

            def counted(rows: int, done: list[int] = done) -> None:
                done.append(rows)
                on_chunk(rows)

            try:
                return self._searched(card, queries, neighbours, counted)
            except RuntimeError as error:
                if not is_out_of_memory(error) or not card.can_take_less():
                    raise
            card.take_less()  # here, where no error holds on to what was computed
            on_chunk(-sum(done))  # again from the first

    @torch.inference_mode()
    def _searched(self, card: _Card, queries: np.ndarray, neighbours: int, on_chunk: Callable[[int], object]) -> Found:
        device = card.device
        asked = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32)).to(device)
        scores = torch.empty(len(asked), 0, device=device)
        indices = torch.empty(len(asked), 0, dtype=torch.int32, device=device)
        for number, start in enumerate(range(0, len(self._index), self._chunk)):
            rows = (self._copy(start, device) if card.kept is None else card.kept[number]).float()
            best = min(neighbours, len(rows))
            parts = [torch.topk(block @ rows.T, best, dim=1) for block in asked.split(card.queries)]
            # What was found before comes first.
            both = torch.cat([scores, torch.cat([part.values for part in parts])], dim=1)
            places = torch.cat([indices, torch.cat([part.indices.int() + start for part in parts])], dim=1)
            scores, order = torch.topk(both, min(neighbours, both.shape[1]), dim=1)
            indices = places.gather(1, order)
            on_chunk(len(rows))
        return scores.cpu().numpy(), indices.cpu().numpy()

    def _fits(self, device: torch.device) -> bool:
        return self._index.nbytes <= _SHARE * free_memory(device)

    def _copies(self, device: torch.device) -> list[torch.Tensor] | None:
        try:
            return [self._copy(start, device) for start in range(0, len(self._index), self._chunk)]
        except RuntimeError as error:
            if is_out_of_memory(error):
                return None
            raise

    def _copy(self, start: int, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(np.array(native(self._index[start : start + self._chunk]))).to(device)
