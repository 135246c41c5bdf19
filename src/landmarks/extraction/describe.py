"""Pictures in, descriptors and local features out: one shard after the other, batched by shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from tqdm import tqdm

from landmarks.command import next_command
from landmarks.data.buckets import batches_by_shape
from landmarks.data.extract_set import ExtractSet, Picture, read_ahead
from landmarks.device import computing
from landmarks.errors import UserError
from landmarks.extraction.cores import Compute, each_on_one_core
from landmarks.extraction.features import as_stored
from landmarks.extraction.jobs import ExtractionJob, local_longest_side
from landmarks.extraction.outputs import Described
from landmarks.extraction.processor import Processor
from landmarks.machine import loader_workers
from landmarks.models.delg import DelgModel
from landmarks.models.global_model import GlobalModel
from landmarks.models.local_features import describe_both
from landmarks.models.multi_scale import describe
from landmarks.ops.local_features import LocalFeatures

SMALLEST = 10  # pixels: a picture with a shorter side has no local features (the official DELG exporter)


def make_shards(job: ExtractionJob, shards: Sequence[int], model: GlobalModel, processor: Processor, bar: tqdm) -> None:
    """Describe these shards and write those of their outputs that do not exist yet. Raises UserError as `describe_shards` does."""
    described = describe_shards(job, [job.lacking(shard) for shard in shards], model, processor, bar)
    for shard, one in zip(shards, described, strict=True):
        for output in job.unmade(shard):
            output.write(shard, job.shard_ids(shard), one)


def describe_shards(
    job: ExtractionJob, shards: list[np.ndarray], model: GlobalModel, processor: Processor, bar: tqdm
) -> Iterator[Described]:
    """Describe the pictures of each shard of ids, a shard at a time; decoding runs ahead across shards.

    Raises UserError for a picture that cannot be read (extract.on_error=stop), for descriptors that are not finite, and for
    local features from a model that has none.
    """
    compute = each_on_one_core(_compute_with(job, model, processor), processor, first_alone=job.local is not None)
    pictures = ExtractSet(job.images_folder, job.split, np.concatenate(shards), job.side, job.max_pixels, job.anywhere)
    items = read_ahead(pictures, loader_workers(job.settings.workers, on_gpu=processor.device.type == "cuda"), job.settings.batch_size)
    for ids in shards:
        described = _describe_shard(job, ids, islice(items, len(ids)), compute, model.dimensions, bar)
        _refuse_infinite(described, job)
        yield described


def describe_pictures(
    pictures: Sequence[Picture], model: GlobalModel, scales: Sequence[float], processor: Processor, batch_size: int
) -> np.ndarray:
    """Global descriptors of pictures in memory, in their order: (n, dimensions) float32, of length one."""

    def described(batch: list[Picture]) -> tuple[torch.Tensor, list[LocalFeatures]]:
        with computing(processor.precision, processor.device):
            return describe(model, _batch(batch, processor.device), scales), []

    compute = each_on_one_core(described, processor)
    rows = np.empty((len(pictures), model.dimensions), np.float32)
    items = (((place, picture), picture.pixels) for place, picture in enumerate(pictures))
    for batch, _ in batches_by_shape(items, batch_size):
        found, _ = compute([picture for _, picture in batch])
        if found is not None:
            rows[[place for place, _ in batch]] = found.cpu().numpy()
    return rows


def _compute_with(job: ExtractionJob, model: GlobalModel, processor: Processor) -> Compute:
    settings, local, device = job.settings, job.settings.local, processor.device

    def global_only(pictures: list[Picture]) -> tuple[torch.Tensor, list[LocalFeatures]]:
        with computing(processor.precision, device):
            return describe(model, _batch(pictures, device), settings.scales), []

    if job.local is None:
        return global_only
    if not isinstance(model, DelgModel):
        raise UserError(
            "this model was trained without a local branch", where=job.model_folder, next=next_command("train", "run.overwrite=true")
        )
    # Both in one unit of scale: the longest side of local features.
    own = settings.scales if job.descriptors is not None else ()
    scales = [scale * settings.longest_side / local_longest_side(settings) for scale in own]

    def with_local(pictures: list[Picture]) -> tuple[torch.Tensor | None, list[LocalFeatures]]:
        factors, offsets = (np.stack([getattr(picture, name) for picture in pictures]) for name in ("factors", "offsets"))
        with computing(processor.precision, device):
            rows, found = describe_both(
                model, _batch(pictures, device), scales, local.scales, local.max_features, factors=factors, offsets=offsets
            )
        counts = [len(one.keypoints) if picture.shorter_side >= SMALLEST else 0 for one, picture in zip(found, pictures, strict=True)]
        return rows, [as_stored(one.keypoints[:n], one.descriptors[:n], local.storage) for one, n in zip(found, counts, strict=True)]

    return with_local


def _batch(pictures: list[Picture], device: torch.device) -> torch.Tensor:
    """(n, 3, h, w) uint8 on the device, strided as channels_last."""
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures])).to(device).permute(0, 3, 1, 2)


def _describe_shard(
    job: ExtractionJob, ids: np.ndarray, items: Iterable[Picture | UserError], compute: Compute, dimensions: int, bar: tqdm
) -> Described:
    skipped: dict[str, str] = {}

    def readable() -> Iterator[tuple[tuple[int, Picture], np.ndarray]]:
        for position, item in enumerate(items):
            if isinstance(item, UserError):
                if job.settings.on_error == "stop":
                    raise UserError(item.what, where=item.where, next=f"{item.next}, or extract.on_error=skip")
                skipped[str(ids[position])] = item.what
                bar.update()
            else:
                yield (position, item), item.pixels

    positions, parts, local = [], [torch.zeros(0, dimensions)], []
    for batch, _ in batches_by_shape(readable(), job.settings.batch_size):
        rows, found = compute([picture for _, picture in batch])
        if rows is not None:
            parts.append(rows)  # kept on the device: fetching it would wait for it, while the next batch can be stacked
        local += found
        positions += [position for position, _ in batch]
        bar.update(len(batch))
    order = np.argsort(np.array(positions, np.int64))
    return Described(
        ids[np.array(positions, np.int64)[order]],
        torch.cat([part.cpu() for part in parts]).numpy()[order] if job.descriptors is not None else None,
        [local[place] for place in order] if job.local is not None else None,
        skipped,
    )


def _refuse_infinite(described: Described, job: ExtractionJob) -> None:
    checks = [] if described.descriptors is None else [np.isfinite(described.descriptors).all(axis=1)]
    checks += [] if described.local is None else [np.array([np.isfinite(one.keypoints).all() for one in described.local], bool)]
    for finite in checks:
        if not finite.all():
            raise UserError(
                f"the model {job.model} gives NaN or infinity",
                where=f"{job.name}, image '{described.ids[int((~finite).argmax())]}'",
                next="extract.precision=float32, or train the model again with a lower train.learning_rate",
            )
