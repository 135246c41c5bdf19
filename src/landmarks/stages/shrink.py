"""shrink: the training pictures once more, as small as training needs them, so that decoding them keeps up with a GPU."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.data.images import read_image, resize
from landmarks.data.jpeg import write_jpeg
from landmarks.data.train_set import SHRUNK, side_needed
from landmarks.datasets.images import image_path, require_images
from landmarks.device import choose_device
from landmarks.errors import UserError
from landmarks.lifeline import cancelled_on_error
from landmarks.machine import cores, local_processes
from landmarks.processes import Processes, all_processes
from landmarks.progress import progress, say
from landmarks.store.artefact import Artefact, fingerprint_of_file
from landmarks.store.disk import require_space
from landmarks.store.files import atomic_write, write_json
from landmarks.store.json_files import read_texts
from landmarks.store.tables import read_train

_TRIED = 64  # pictures from which the size of all is estimated


def shrink(config: Config) -> Path:
    """Make <run.folder>/shrunk/train, laid out as the dataset's; returns <run.folder>/shrunk. `train.shrunk=true` then trains on it.

    A picture that cannot be read is left out and listed in the manifest; training reads the original, and says why. Several processes
    share the shards. Raises UserError where pictures are missing, the disk is too small, or no model of the run is trained.
    """
    sides = [side_needed(config.train_of(name)) for name, model in config.models.items() if model.train and config.train_of(name).epochs]
    side = config.shrink.side or max(sides, default=0)
    if not side:
        raise UserError("no model of the configuration is trained", where="models", next="shrink.side=PIXELS")
    table = config.tables_folder / config.dataset.train_table
    settings = {"side": side, "quality": config.shrink.quality, "shard_images": config.shrink.shard_images}
    artefact = Artefact(config.run.folder / SHRUNK, "shrink", settings, {table.name: fingerprint_of_file(table)})
    processes = all_processes(choose_device("cpu")[0])
    complete = artefact.is_complete()
    processes.meet()
    if complete:
        if processes.first:
            say("shrink: up to date")
        return artefact.folder
    ids = read_train(table).ids
    processes.first_alone(lambda: _prepare(config, artefact, ids, side))
    if not processes.first:
        artefact.share()
    starts = range(0, len(ids), config.shrink.shard_images)
    markers = [artefact.folder / "shards" / f"{number:05d}.json" for number in range(len(starts))]
    _make(config, ids, side, processes, [(marker, ids[start:][: config.shrink.shard_images]) for marker, start in zip(markers, starts)])
    if processes.first:
        processes.wait_for(markers, "the shards of the other processes")
        skipped = {id: why for marker in markers for id, why in read_texts(marker, "a shard of shrink", next=f"rm {marker}").items()}
        artefact.finish(without=("train",), images=len(ids) - len(skipped), side=side, skipped=skipped)
        say(f"shrink: {len(ids) - len(skipped)} pictures of at most {side} pixels; to train on them: train.shrunk=true")
    processes.meet()
    return artefact.folder


def _prepare(config: Config, artefact: Artefact, ids: np.ndarray, side: int) -> None:
    require_images(config.tables_folder, "train", ids)
    artefact.begin()
    (artefact.folder / "shards").mkdir(exist_ok=True)
    tried = ids[:: max(1, len(ids) // _TRIED)][:_TRIED]
    sizes = [len(made) for id in tried if isinstance(made := _shrunk(config, str(id), side), bytes)]
    if sizes:
        needed = int(np.mean(sizes) * len(ids))
        words = require_space(config.run.folder, "the shrunken pictures", needed, "run.folder on a larger disk, or a lower shrink.quality")
        say(f"shrink: pictures of at most {side} pixels, {words} (estimate)")


def _make(config: Config, ids: np.ndarray, side: int, processes: Processes, shards: list[tuple[Path, np.ndarray]]) -> None:
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
            for id, why in zip(some, pool.map(lambda id: _write(config, str(id), side), some), strict=True):
                bar.update()
                if why is not None:
                    skipped[str(id)] = why
            os.sync()  # the pictures are on the disk before the marker says so
            write_json(marker, skipped)


def _write(config: Config, id: str, side: int) -> str | None:
    """Write the picture; why it cannot be, or None."""
    made = _shrunk(config, id, side)
    if isinstance(made, UserError):
        return made.what
    path = image_path(config.run.folder / SHRUNK, "train", id)
    with atomic_write(path, durable=False) as aside:  # the shard syncs once, before its marker
        aside.write_bytes(made)
    return None


def _shrunk(config: Config, id: str, side: int) -> bytes | UserError:
    try:
        image = read_image(image_path(config.tables_folder, "train", id), side, config.dataset.max_pixels)
    except UserError as error:
        return error
    longest = max(image.shape[:2])
    if longest > side:
        height, width = (max(1, round(length * side / longest)) for length in image.shape[:2])
        image = resize(image, height, width)
    return write_jpeg(image, config.shrink.quality)
