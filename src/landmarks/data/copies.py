"""Smaller copies of the training pictures, laid out as the dataset's: made shard by shard, shared by processes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks.config import ShrinkSettings
from landmarks.data.images import read_image, resize
from landmarks.data.jpeg import write_jpeg
from landmarks.data.sampler import Key
from landmarks.data.train_set import SHRUNK, TrainSet
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.lifeline import cancelled_on_error
from landmarks.machine import cores, local_processes
from landmarks.processes import Processes
from landmarks.progress import progress
from landmarks.store.artefact import Artefact, fingerprint_of_file
from landmarks.store.disk import require_space
from landmarks.store.files import atomic_write, write_json
from landmarks.store.json_files import read_texts
from landmarks.store.tables import read_train

_TRIED = 64  # pictures from which the size of all is estimated
_TIMED = 32  # and the seconds


class Cost(NamedTuple):
    """Means of a picture: core seconds to prepare it for training from its file and from a copy, and to make that; bytes of the copy."""

    from_file: float
    from_copy: float
    making: float
    size: float


@dataclass(frozen=True)
class Copies:
    """Those of the pictures of a train table, <run_folder>/shrunk/train.

    table  its path; the pictures lie beside it
    side   pixels of the longest side that a copy has at most
    """

    run_folder: Path
    table: Path
    side: int
    settings: ShrinkSettings
    max_pixels: int

    @cached_property
    def artefact(self) -> Artefact:
        settings = {"side": self.side, "quality": self.settings.quality, "shard_images": self.settings.shard_images}
        return Artefact(self.run_folder / SHRUNK, "shrink", settings, {self.table.name: fingerprint_of_file(self.table)})

    @cached_property
    def ids(self) -> np.ndarray:
        return read_train(self.table).ids

    def begin(self) -> str:
        """Begin the folder, for the first of the processes that then `make`; returns what it takes, in words, or "" where nobody knows.

        Raises UserError where the disk is too small, and as `Artefact.begin` does.
        """
        self.artefact.begin()
        (self.artefact.folder / "shards").mkdir(exist_ok=True)
        sizes = [len(made) for id in _spread(self.ids, _TRIED) if isinstance(made := self._shrunk(str(id)), bytes)]
        if not sizes:
            return ""
        needed = int(np.mean(sizes) * len(self.ids))
        return require_space(self.run_folder, "the shrunken pictures", needed, "run.folder on a larger disk, or a lower shrink.quality")

    def make(self, processes: Processes) -> dict[str, str]:
        """Make what is not there, each process its shards, and finish the folder; returns why which pictures were left out.

        Every process calls it, once `begin` has returned, and returns when all copies are there.
        """
        if not processes.first:
            self.artefact.share()
        each = self.settings.shard_images
        shards = [
            (self.artefact.folder / "shards" / f"{number:05d}.json", self.ids[start : start + each])
            for number, start in enumerate(range(0, len(self.ids), each))
        ]
        self._make(processes, shards)
        # All of them look for the files: a process that waited for others where they meet would be given up after a while.
        markers = [marker for marker, _ in shards]
        processes.wait_for(markers, "the shards of the other processes")
        skipped = {id: why for marker in markers for id, why in read_texts(marker, "a shard of shrink", next=f"rm {marker}").items()}
        if processes.first:
            self.artefact.finish(without=("train",), images=len(self.ids) - len(skipped), side=self.side, skipped=skipped)
        processes.meet()
        return skipped

    def cost(self, train_set: TrainSet, clock: Callable[[], float] = time.thread_time) -> Cost | None:
        """Measured on a few pictures of a training; None where none of them can be read. clock: seconds of a core's work."""
        totals, done = np.zeros(len(Cost._fields)), 0
        with tempfile.TemporaryDirectory() as folder:
            originals, copied = copy(train_set), copy(train_set)
            originals.shrunk, copied.shrunk = None, Path(folder)
            for row in _spread(np.arange(len(train_set)), _TIMED):
                began = clock()
                made = self._shrunk(str(train_set.ids[row]))
                if isinstance(made, UserError):
                    continue
                making = clock() - began
                path = image_path(Path(folder), "train", str(train_set.ids[row]))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(made)
                seconds = []
                for pictures in (originals, copied):
                    began = clock()
                    pictures[Key(0, int(row))]
                    seconds.append(clock() - began)
                totals += (*seconds, making, len(made))
                done += 1
        return Cost(*(totals / done).tolist()) if done else None

    def _make(self, processes: Processes, shards: list[tuple[Path, np.ndarray]]) -> None:
        own = processes.own(shards)
        unmade = [(marker, some) for marker, some in own if not marker.exists()]
        total, left = sum(len(some) for _, some in own), sum(len(some) for _, some in unmade)
        threads = max(1, cores() // local_processes())  # decoding and encoding leave the interpreter alone
        with (
            progress(None, "shrink", "image", total=total, done=total - left, hidden=not processes.first) as bar,
            cancelled_on_error(ThreadPoolExecutor(threads)) as pool,
        ):
            for marker, some in unmade:
                skipped = {}
                for id, why in zip(some, pool.map(lambda id: self._write(str(id)), some), strict=True):
                    bar.update()
                    if why is not None:
                        skipped[str(id)] = why
                os.sync()  # the pictures are on the disk before the marker says so
                write_json(marker, skipped)

    def _write(self, id: str) -> str | None:
        """Write the picture; why it cannot be, or None."""
        made = self._shrunk(id)
        if isinstance(made, UserError):
            return made.what
        with atomic_write(image_path(self.artefact.folder, "train", id), durable=False) as aside:  # the shard syncs once, before its marker
            aside.write_bytes(made)
        return None

    def _shrunk(self, id: str) -> bytes | UserError:
        try:
            image = read_image(image_path(self.table.parent, "train", id), self.side, self.max_pixels)
        except UserError as error:
            return error
        longest = max(image.shape[:2])
        if longest > self.side:
            height, width = (max(1, round(length * self.side / longest)) for length in image.shape[:2])
            image = resize(image, height, width)
        return write_jpeg(image, self.settings.quality)


def _spread(things: np.ndarray, count: int) -> np.ndarray:
    return things[:: max(1, len(things) // count)][:count]
