"""Pictures in, descriptors and local features out: one shard after the other, batched by shape across them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from tqdm import tqdm

from landmarks.command import next_command
from landmarks.data.extract_loader import copied_ahead, load_ahead
from landmarks.data.extract_set import Batch, ExtractSet, Loaded, Picture, stacked
from landmarks.device import computing
from landmarks.errors import UserError
from landmarks.extraction.batch_size import BatchSize
from landmarks.extraction.collected import Collected, Found
from landmarks.extraction.cores import Compute, Computed, divided, each_on_one_core
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
from landmarks.waiting import Timed

SMALLEST = 10  # pixels: a picture with a shorter side has no local features (the official DELG exporter)


def make_shards(job: ExtractionJob, shards: Sequence[int], models: Sequence[GlobalModel], processor: Processor, bar: tqdm) -> None:
    """Describe these shards and write those of their outputs that do not exist yet. Raises UserError as `describe_shards` does."""
    described = describe_shards(job, [job.lacking(shard) for shard in shards], models, processor, bar)
    for shard, one in zip(shards, described, strict=True):
        for output in job.unmade(shard):
            output.write(shard, job.shard_ids(shard), one)


def describe_shards(
    job: ExtractionJob, shards: list[np.ndarray], models: Sequence[GlobalModel], processor: Processor, bar: tqdm
) -> Iterator[Described]:
    """Describe the pictures of each shard of ids, and yield the shards in their order; pictures of several are computed together.

    models  the job's model on each of the processor's devices (`open_models`)

    Raises UserError for a picture that cannot be read (extract.on_error=stop) once the shards before its own are done, for descriptors
    that are not finite, and for local features from a model that has none.
    """
    computes = [_compute_with(job, model, card) for model, card in zip(models, processor.cards, strict=True)]
    if processor.others:
        compute = divided(computes)
    else:
        compute = each_on_one_core(computes[0], processor, first_alone=job.local is not None)
    on_gpu = processor.device.type == "cuda"
    pictures = ExtractSet(job.images_folder, job.split, np.concatenate(shards), job.side, job.max_pixels, job.anywhere, models[0].sides)
    size = processor.batch_size(job.settings.batch_size)
    workers = loader_workers(job.settings.workers, on_gpu=on_gpu)
    loaded = Timed(load_ahead(pictures, [len(ids) for ids in shards], size.images, workers, pinned=on_gpu))
    collected = Collected(shards, models[0].dimensions if job.descriptors is not None else 0, local=job.local is not None)
    found = _shown(_computed(copied_ahead(loaded, processor.device), compute, size), bar)
    for described in collected.shards(found, job.settings.on_error):
        _refuse_infinite(described, job)
        bar.set_postfix_str(f"{loaded.share_waited():.0%} of the time waiting for pictures", refresh=False)
        yield described


def describe_pictures(
    pictures: Sequence[Picture], model: GlobalModel, scales: Sequence[float], processor: Processor, most: int
) -> np.ndarray:
    """Global descriptors of pictures in memory, in their order: (n, dimensions) float32, of length one. most: pictures a batch."""
    compute, size = each_on_one_core(_global_only(model, scales, processor), processor), processor.batch_size(most)
    rows = np.empty((len(pictures), model.dimensions), np.float32)
    for batch in stacked(list(enumerate(pictures))):
        parts = [one.descriptors for one in size.compute(compute, batch) if one.descriptors is not None]
        rows[batch.positions] = torch.cat(parts).cpu().numpy()
    return rows


def _computed(loaded: Iterable[Loaded], compute: Compute, size: BatchSize) -> Iterator[Found]:
    """Errors and results, in the order they come; of a batch while the GPU is already computing the next."""
    waiting: deque[tuple[np.ndarray, list[Computed]]] = deque()
    for batches, errors in loaded:
        for batch in batches:
            waiting.append((batch.positions, size.compute(compute, batch)))
            if len(waiting) > 1:
                yield _read(*waiting.popleft())
        for position, error in errors:
            yield Found(np.array([position]), None, [], error)
    for one in waiting:
        yield _read(*one)


def _shown(found: Iterable[Found], bar: tqdm) -> Iterator[Found]:
    for one in found:
        bar.update(len(one.positions))
        yield one


def _read(positions: np.ndarray, parts: list[Computed]) -> Found:
    rows = [part.descriptors.cpu().numpy() for part in parts if part.descriptors is not None]
    return Found(positions, np.concatenate(rows) if rows else None, [one for part in parts for one in part.local()])


def _global_only(model: GlobalModel, scales: Sequence[float], processor: Processor) -> Compute:
    def described(batch: Batch) -> Computed:
        with computing(processor.precision, processor.device):
            return Computed(describe(model, _images(batch, processor.device), scales, model.sides), _no_features)

    return described


def _compute_with(job: ExtractionJob, model: GlobalModel, processor: Processor) -> Compute:
    settings, local, device = job.settings, job.settings.local, processor.device
    if job.local is None:
        return _global_only(model, settings.scales, processor)
    if not isinstance(model, DelgModel):
        raise UserError(
            "this model was trained without a local branch", where=job.model_folder, next=next_command("train", "run.overwrite=true")
        )
    # Both in one unit of scale: the longest side of local features.
    own = settings.scales if job.descriptors is not None else ()
    scales = [scale * settings.longest_side / local_longest_side(settings) for scale in own]

    def with_local(batch: Batch) -> Computed:
        with computing(processor.precision, device):
            rows, found = describe_both(
                model, _images(batch, device), scales, local.scales, local.max_features, factors=batch.factors, offsets=batch.offsets
            )

        def features() -> list[LocalFeatures]:
            kept = [slice(None) if side >= SMALLEST else slice(0) for side in batch.shorter_sides]
            return [as_stored(one.keypoints[n], one.descriptors[n], local.storage) for one, n in zip(found.read(), kept, strict=True)]

        return Computed(rows, features)

    return with_local


def _images(batch: Batch, device: torch.device) -> torch.Tensor:
    """(n, 3, h, w) uint8 on the device, strided as channels_last."""
    return batch.pixels.to(device).permute(0, 3, 1, 2)


def _no_features() -> list[LocalFeatures]:
    return []


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
