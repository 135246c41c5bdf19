"""Exact nearest neighbours by inner product on GPUs: any number of neighbours, an index of any size, float16 as it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from landmarks.cuda import free_memory
from landmarks.ops.half import native

CHUNK = 65_536  # index rows that queries are compared with at a time
QUERIES = 4_096  # whose similarities to a chunk are in memory at once: 1 GB
_SHARE = 0.6  # of a card's free memory that the index may fill; the rest is for similarities and their selection


class TorchIndex:
    """An index on each of several devices, as float16 where it is float16: half the memory of FAISS's, and numbers as exact.

    Products are computed in float32, so that neighbours are those of a CPU but for rounding. Where a card's memory is not enough for the
    index, its rows stay where they are, mapped from disk say, and go by chunk by chunk for each call of `search`.

    index    (n_index, d) float16 or float32
    devices  that share the queries
    """

    def __init__(self, index: np.ndarray, devices: Sequence[torch.device], *, chunk: int = CHUNK):
        self._index, self._chunk = index, chunk
        self._pool = ThreadPoolExecutor(len(devices))
        self._devices = [(device, self._copies(device) if self._fits(device) else None) for device in devices]

    @property
    def together(self) -> int:
        """Queries that one call of `search` should have: more where the index goes by for each call."""
        return len(self._devices) * QUERIES * (1 if all(kept is not None for _, kept in self._devices) else 16)

    def search(
        self, queries: np.ndarray, neighbours: int, on_chunk: Callable[[int], object] = lambda rows: None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Similarities (n_query, neighbours) float32 and indices, most similar first; at most as many neighbours as rows.

        on_chunk  called by the first device after each chunk, with its number of index rows
        """
        parts = np.array_split(queries, len(self._devices))
        calls = [on_chunk, *[lambda rows: None] * (len(parts) - 1)]
        found = list(self._pool.map(self._on_device, *zip(*self._devices, strict=True), parts, [neighbours] * len(parts), calls))
        return np.concatenate([scores for scores, _ in found]), np.concatenate([indices for _, indices in found])

    @torch.inference_mode()
    def _on_device(
        self,
        device: torch.device,
        kept: list[torch.Tensor] | None,
        queries: np.ndarray,
        neighbours: int,
        on_chunk: Callable[[int], object],
    ) -> tuple[np.ndarray, np.ndarray]:
        asked = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32)).to(device)
        scores = torch.empty(len(asked), 0, device=device)
        indices = torch.empty(len(asked), 0, dtype=torch.int32, device=device)
        for number, start in enumerate(range(0, len(self._index), self._chunk)):
            rows = (self._copy(start, device) if kept is None else kept[number]).float()
            best = min(neighbours, len(rows))
            parts = [torch.topk(block @ rows.T, best, dim=1) for block in asked.split(QUERIES)]
            # What was found before comes first.
            both = torch.cat([scores, torch.cat([part.values for part in parts])], dim=1)
            places = torch.cat([indices, torch.cat([part.indices.int() + start for part in parts])], dim=1)
            scores, order = torch.topk(both, min(neighbours, both.shape[1]), dim=1)
            indices = places.gather(1, order)
            on_chunk(len(rows))
        return scores.cpu().numpy(), indices.cpu().numpy()

    def _fits(self, device: torch.device) -> bool:
        return self._index.nbytes <= _SHARE * free_memory(device)

    def _copies(self, device: torch.device) -> list[torch.Tensor]:
        return [self._copy(start, device) for start in range(0, len(self._index), self._chunk)]

    def _copy(self, start: int, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(np.array(native(self._index[start : start + self._chunk]))).to(device)
