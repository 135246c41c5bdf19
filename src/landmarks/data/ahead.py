"""The batches that loading processes have ready before they are asked for, and the shared memory in which these wait. Loads no torch."""

from __future__ import annotations

from landmarks.machine import local_processes

TRAINING, EXTRACTION = 4, 2  # batches that each process has ready
# Pixels of a batch of extraction: 32 photos of 1000 x 736, or 8 of 2048 x 1376, for which DELG with ResNet-50 takes 4.4 GiB in float32.
EXTRACTION_PIXELS = 24_000_000
_LITTLE = 1 << 30  # bytes that are asked for in any case: others use this memory too


def images_of_extraction(shape: tuple[int, int], most: int, pixels: int = EXTRACTION_PIXELS) -> int:
    """Pictures of this height and width in a batch of extraction, at least 1. most: pictures of any shape."""
    return max(1, min(most, pixels // (shape[0] * shape[1])))


def training_waits(part: int, image_bytes: int, workers: int) -> int:
    """Bytes that wait for a training process, at most. part: images of a batch that it computes at a time."""
    return part * image_bytes * TRAINING * workers


def extraction_waits(side: int, images: int, workers: int) -> int:
    """Bytes that wait for a process of extraction, at most. images: pictures of side x side in a batch."""
    return 3 * side**2 * images * EXTRACTION * workers


def shared_memory_needed(waiting: float, processes: int | None = None) -> float:
    """Bytes that must be free for loading processes to hand over batches through shared memory.

    waiting    bytes of the batches of one process that wait there, at most
    processes  of this machine, each of which needs as much; None: as the launcher said
    """
    return max(_LITTLE, 1.25 * waiting * (local_processes() if processes is None else processes))
