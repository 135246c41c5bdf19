"""How many pictures a GPU computes at a time: by their pixels, and fewer once its memory has not been enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from landmarks.cuda import is_out_of_memory
from landmarks.data.ahead import EXTRACTION_PIXELS, images_of_extraction
from landmarks.data.extract_set import Batch
from landmarks.errors import UserError
from landmarks.progress import say

Result = TypeVar("Result")


class BatchSize:
    """The size of the batches of a process; a memory that was not enough is remembered.

    most    pictures of a batch
    pixels  of a batch, all its pictures together
    """

    def __init__(self, most: int, pixels: int = EXTRACTION_PIXELS):
        self.most, self.pixels = most, pixels

    def images(self, shape: tuple[int, int]) -> int:
        """Pictures of this height and width in a batch, at least 1."""
        return images_of_extraction(shape, self.most, self.pixels)

    def halve(self, shape: tuple[int, int], images: int) -> None:
        """So many pictures of the shape were too many."""
        self.pixels = (images // 2) * shape[0] * shape[1]

    def compute(self, compute: Callable[[Batch], Result], batch: Batch) -> list[Result]:
        """The results of the batch in parts that fit the memory, in its order. Raises UserError where one picture does not fit."""
        results: list[Result] = []
        done, count = 0, len(batch.positions)
        while done < count:
            part = batch.part(slice(done, done + self.images(batch.shape)))
            result = _attempted(compute, part)
            if result is not None:
                results.append(result)
                done += len(part.positions)
                continue
            images = len(part.positions)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if images == 1:
                raise UserError(
                    "the GPU's memory is not enough for a single picture of {} x {} pixels".format(*batch.shape[::-1]),
                    where="extract.longest_side, extract.scales",
                    next="smaller ones, extract.precision=bfloat16 or float16, or run.device=cpu; and no other program on the GPU",
                )
            self.halve(batch.shape, images)
            say(f"the GPU's memory is not enough for {images} pictures of {batch.shape[1]} x {batch.shape[0]}: {images // 2} from here on")
        return results


def _attempted(compute: Callable[[Batch], Result], part: Batch) -> Result | None:
    """None where the memory was not enough; the error itself, which holds on to what was computed, ends here."""
    try:
        return compute(part)
    except RuntimeError as error:
        if is_out_of_memory(error):
            return None
        raise
