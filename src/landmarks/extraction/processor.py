"""The device and the precision of extraction, and a trained model made ready for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from landmarks.cuda import own_cards
from landmarks.data.ahead import EXTRACTION_PIXELS
from landmarks.device import choose_device, resolve_precision
from landmarks.errors import UserError
from landmarks.extraction.batch_size import BatchSize
from landmarks.machine import keep_freed_memory
from landmarks.models.checkpoint import load_model
from landmarks.models.folding import fold_batchnorm
from landmarks.models.global_model import GlobalModel
from landmarks.models.pooling import GeM


@dataclass(frozen=True)
class Processor:
    """precision: "float32", "float16" or "bfloat16"; reason: why it is this device, in words; others: cards that share its batches."""

    device: torch.device
    precision: str
    reason: str
    others: tuple[torch.device, ...] = ()
    _sizes: dict[int, BatchSize] = field(default_factory=dict, compare=False, repr=False)

    def batch_size(self, most: int) -> BatchSize:
        """The size of batches of at most so many pictures; the same object each time, which remembers where the memory was not enough."""
        cards = 1 + len(self.others)
        return self._sizes.setdefault(most, BatchSize(cards * most, cards * EXTRACTION_PIXELS))

    @property
    def cards(self) -> list[Processor]:
        """This processor on each of its devices alone, its own first."""
        return [replace(self, device=device, others=()) for device in (self.device, *self.others)]

    def __str__(self) -> str:
        return f"{self.device.type}: {self.reason}; {self.precision}" + (f"; {1 + len(self.others)} cards" if self.others else "")


def choose_processor(device: str, precision: str, *, all_cards: bool = False) -> Processor:
    """For run.device and extract.precision. Raises UserError where there is no such device, and for float16 on a CPU.

    all_cards  this process computes on all of them, since it starts no others
    """
    chosen, reason = choose_device(device)
    if chosen.type == "cpu" and precision == "float16":
        raise UserError("float16 needs a GPU", where="extract.precision", next="extract.precision=auto")
    if chosen.type == "cpu":
        keep_freed_memory()
    others = (
        tuple(torch.device("cuda", card) for card in own_cards() if card != chosen.index) if all_cards and chosen.type == "cuda" else ()
    )
    return Processor(chosen, resolve_precision(precision, chosen), reason, others)


def open_model(folder: Path, processor: Processor, gem_power: float | None = None) -> GlobalModel:
    """The trained model, on the device. Raises UserError where it is missing or damaged.

    gem_power  in the place of the trained power of a model that pools by GeM; None: as trained
    """
    model = load_model(folder)
    if gem_power is not None and isinstance(model.pooling, GeM):
        model.pooling.power.data.fill_(gem_power)
    if processor.precision == "float32":  # in half precision a norm is exact beside the weights, and rounded once it is folded into them
        fold_batchnorm(model)
    return model.to(processor.device).to(memory_format=torch.channels_last)


def open_models(folder: Path, processor: Processor, gem_power: float | None = None) -> list[GlobalModel]:
    """As `open_model`, once for each device of the processor: read again for each, so that no card ever holds two."""
    return [open_model(folder, card, gem_power) for card in processor.cards]
