"""Pictures -> global descriptors: outputs/<run>/descriptors/<model>/<split>/."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from tqdm import tqdm

from landmarks.config import Config, ExtractSettings
from landmarks.data.buckets import batches_by_shape
from landmarks.data.extract_set import ExtractSet, read_ahead
from landmarks.device import choose_device, computing, resolve_precision
from landmarks.errors import UserError
from landmarks.models.checkpoint import load_model
from landmarks.models.global_model import GlobalModel
from landmarks.models.multi_scale import describe
from landmarks.progress import progress, say
from landmarks.store.artefact import MANIFEST, Artefact, fingerprint_of_file, read_manifest
from landmarks.store.descriptors import has_skipped, seal_shards, shard_path, write_shard
from landmarks.store.images import require_images
from landmarks.store.tables import SPLITS, Tables, read_tables

_WAITING_SECONDS = 10  # until a process says what it is waiting for


@dataclass(frozen=True)
class _Work:
    """One split to be described by one model; shard s holds the images s * shard_images and on."""

    model: str
    split: str
    ids: np.ndarray
    artefact: Artefact
    shard_images: int
    on_error: str

    @property
    def name(self) -> str:
        return f"descriptors/{self.model}/{self.split}"

    @property
    def shards(self) -> range:
        return range(-(-len(self.ids) // self.shard_images))

    def ids_of(self, shard: int) -> np.ndarray:
        return self.ids[shard * self.shard_images : (shard + 1) * self.shard_images]

    def path(self, shard: int) -> Path:
        return shard_path(self.artefact.folder, shard)

    def is_made(self, shard: int) -> bool:
        """Whether the shard is there; one that left pictures out is not good enough for extract.on_error=stop."""
        return self.path(shard).exists() and not (self.on_error == "stop" and has_skipped(self.artefact.folder, shard))

    def is_complete(self) -> bool:
        return self.artefact.is_complete() and all(self.is_made(shard) for shard in self.shards)


def extract(config: Config) -> list[Path]:
    """Describe every picture of train, index and test with every model; returns the folders, one a model and split.

    Each folder holds shards of (n, dimensions) float16 and ids.csv. Under `accelerate launch` shard s belongs to process
    s % processes; what exists is not made again, so a run that was cut off goes on at its next shard.
    Raises UserError for a picture that is missing or damaged (extract.on_error=stop), a model that is not trained, and
    descriptors made with other settings (run.overwrite=false).
    """
    if not config.models:
        say("extract: the configuration names no model, nothing to do")
        return []
    device, reason = choose_device(config.run.device)
    state = PartialState(cpu=device.type == "cpu")
    precision = resolve_precision(config.extract.precision, device)
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    if state.is_main_process:
        say(f"extract on {device.type}: {reason}; {precision}")
        _prepare(config, list(_plan(config, tables, precision)))
    state.wait_for_everyone()  # no shard is written before the first process has cleared what other settings made
    folders, model, loaded = [], None, None
    for work in _plan(config, tables, precision):
        folders.append(work.artefact.folder)
        if work.is_complete():
            if state.is_main_process:
                say(f"{work.name}: up to date")
            continue
        if loaded != work.model:
            model = load_model(config.run.folder / "models" / work.model).to(device, memory_format=torch.channels_last)
            loaded = work.model
        _describe_shards(work, model, config, precision, device, state)
        if state.is_main_process:
            _seal(work, model.dimensions, state)
    _wait_for([folder / MANIFEST for folder in folders], "the first process to finish", state)
    return folders


def _plan(config: Config, tables: Tables, precision: str) -> Iterator[_Work]:
    """All the work in order; lazily, so that the seconds of an artefact count from the moment its turn comes."""
    fingerprints = {split: fingerprint_of_file(tables.path(split)) for split in SPLITS}
    settings = config.extract.model_dump(include={"longest_side", "scales", "shard_images"}) | {"precision": precision}
    for model in config.models:
        made_by = read_manifest(config.run.folder / "models" / model)["fingerprint"]
        for split in SPLITS:
            folder = config.run.folder / "descriptors" / model / split
            inputs = {"model": made_by, "table": fingerprints[split]}
            artefact = Artefact(folder, "extract", settings, inputs)
            yield _Work(model, split, tables.ids(split), artefact, config.extract.shard_images, config.extract.on_error)


def _prepare(config: Config, plan: list[_Work]) -> None:
    """Fail on what can be known beforehand, then make the folders ready."""
    open_work = [work for work in plan if not work.is_complete()]
    if config.extract.on_error == "stop":
        for split, ids in {work.split: work.ids for work in open_work}.items():
            require_images(config.tables_folder, split, ids)
    for work in open_work:
        work.artefact.begin(precious=True, overwrite=config.run.overwrite)
        for shard in work.shards:
            if not work.is_made(shard):  # every process must see that it is to be made again
                work.path(shard).unlink(missing_ok=True)


def _describe_shards(work: _Work, model: GlobalModel, config: Config, precision: str, device: torch.device, state: PartialState) -> None:
    """Make those of this process's shards that are not there."""
    settings = config.extract
    own = work.shards[state.process_index :: state.num_processes]
    missing = [shard for shard in own if not work.is_made(shard)]
    if len(missing) < len(own) and state.is_main_process:
        say(f"{work.name}: {len(own) - len(missing)} of {len(own)} shards are there, going on with the others")
    if not missing:
        return

    def describe_images(images: list[np.ndarray]) -> torch.Tensor:
        batch = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)  # strided as channels_last
        with computing(precision, device):
            return describe(model, batch, settings.scales)

    ids = np.concatenate([work.ids_of(shard) for shard in missing])
    longest_side = max(32, round(settings.longest_side * max(settings.scales)))
    items = read_ahead(ExtractSet(config.tables_folder, work.split, ids, longest_side), settings.workers, settings.batch_size)
    what = f"{work.model} {work.split}" + (f", 1 of {state.num_processes} processes" if state.num_processes > 1 else "")
    total = sum(len(work.ids_of(shard)) for shard in own)
    with progress(None, what, "image", total=total, done=total - len(ids), hidden=not state.is_main_process) as bar:
        for shard in missing:
            ids = work.ids_of(shard)
            matrix, skipped = _describe_shard(islice(items, len(ids)), describe_images, settings, model.dimensions, bar)
            if not np.isfinite(matrix).all():
                row = int((~np.isfinite(matrix).all(axis=1)).argmax())
                raise UserError(
                    f"the model {work.model} gives NaN or infinity",
                    where=f"{work.name}, shard {shard}, descriptor {row}",
                    next="extract.precision=float32, or train the model again with a lower train.learning_rate",
                )
            write_shard(work.artefact.folder, shard, matrix, {str(ids[row]): reason for row, reason in skipped.items()})


def _describe_shard(
    items: Iterable[np.ndarray | UserError],
    describe_images: Callable[[list[np.ndarray]], torch.Tensor],
    settings: ExtractSettings,
    dimensions: int,
    bar: tqdm,
) -> tuple[np.ndarray, dict[int, str]]:
    """Pictures in order -> (matrix (n, dimensions) float32 of the readable ones in that order, {position skipped: reason})."""
    skipped: dict[int, str] = {}

    def readable() -> Iterator[tuple[int, np.ndarray]]:
        for position, item in enumerate(items):
            if isinstance(item, UserError):
                if settings.on_error == "stop":
                    raise UserError(item.what, where=item.where, next=f"{item.next}, or extract.on_error=skip")
                skipped[position] = item.what
                bar.update()
            else:
                yield position, item

    positions, parts = [], [torch.zeros(0, dimensions)]
    for batch, images in batches_by_shape(readable(), settings.batch_size):
        parts.append(describe_images(images))  # left on the device: fetching it would wait for it, and the next batch could be stacked
        positions += batch
        bar.update(len(batch))
    matrix = torch.cat([part.cpu() for part in parts]).numpy()
    return matrix[np.argsort(positions)], skipped


def _seal(work: _Work, dimensions: int, state: PartialState) -> None:
    _wait_for([work.path(shard) for shard in work.shards], "the shards of the other processes", state)
    skipped = seal_shards(work.artefact.folder, work.ids)
    described = len(work.ids) - len(skipped)
    work.artefact.finish(images=described, dimensions=dimensions, skipped=skipped)
    say(f"{work.name}: {described} descriptors of {dimensions} dimensions")
    if skipped:
        id, reason = next(iter(skipped.items()))
        say(f"{work.name}: {len(skipped)} images skipped, first '{id}': {reason}; all are in {work.artefact.folder / MANIFEST}")


def _wait_for(paths: list[Path], what: str, state: PartialState) -> None:
    """Wait by looking at the files: a collective call would give up on processes that are slower by half an hour."""
    began, told = time.monotonic(), False
    while missing := [path for path in paths if not path.exists()]:
        if not told and time.monotonic() - began > _WAITING_SECONDS and state.is_main_process:
            say(f"waiting for {what}: {len(missing)} missing, first {missing[0]}")
            told = True
        time.sleep(0.2)
