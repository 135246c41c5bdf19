"""Pictures in, descriptors and local features out: one shard after the other, batched by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from tqdm import tqdm

from landmarks.config import Config
from landmarks.data.buckets import batches_by_shape
from landmarks.data.extract_set import ExtractSet, Picture, read_ahead
from landmarks.device import computing
from landmarks.errors import UserError
from landmarks.extraction.features import as_stored
from landmarks.extraction.outputs import Described
from landmarks.extraction.work import Work, local_longest_side
from landmarks.models.checkpoint import load_model
from landmarks.models.folding import fold_batchnorm
from landmarks.models.global_model import GlobalModel
from landmarks.models.local_features import describe_both
from landmarks.models.multi_scale import describe
from landmarks.ops.local_features import LocalFeatures

SMALLEST = 10  # pixels: a picture with a shorter side has no local features (the official DELG exporter)

# Pictures of one shape -> descriptors (n, dimensions) float32, left on the device; local features of each picture as it is stored.
Compute = Callable[[list[Picture]], tuple[torch.Tensor | None, list[LocalFeatures]]]


def open_model(config: Config, name: str, precision: str, device: torch.device) -> GlobalModel:
    """The trained model as it describes best. Raises UserError where it is not there or damaged."""
    model = load_model(config.run.folder / "models" / name)
    if precision == "float32":  # in bfloat16 the scales of a norm are exact beside the weights, and rounded once they are in them
        fold_batchnorm(model)
    return model.to(device, memory_format=torch.channels_last)


def describe_shards(
    work: Work, shards: list[np.ndarray], model: GlobalModel, config: Config, precision: str, device: torch.device, bar: tqdm
) -> Iterator[Described]:
    """Describe the pictures of each shard of ids, a shard at a time; decoding runs ahead across shards.

    Raises UserError for a picture that cannot be read (extract.on_error=stop) and for descriptors that are not finite.
    """
    settings = config.extract
    compute = _compute_with(model, work, config, precision, device)
    pictures = ExtractSet(config.tables_folder, work.split, np.concatenate(shards), work.side)
    items = read_ahead(pictures, settings.workers, settings.batch_size)
    for ids in shards:
        described = _describe_shard(ids, islice(items, len(ids)), compute, work, model.dimensions, settings.batch_size, bar)
        _refuse_infinite(described, work)
        yield described


def _compute_with(model: GlobalModel, work: Work, config: Config, precision: str, device: torch.device) -> Compute:
    settings, local = config.extract, config.extract.local

    def global_only(pictures: list[Picture]) -> tuple[torch.Tensor, list[LocalFeatures]]:
        with computing(precision, device):
            return describe(model, _batch(pictures, device), settings.scales), []

    # One unit of scale for both: the longest side of local features.
    scales = [scale * settings.longest_side / local_longest_side(config) for scale in settings.scales] if work.descriptors else []

    def with_local(pictures: list[Picture]) -> tuple[torch.Tensor | None, list[LocalFeatures]]:
        factors, offsets = (np.stack([getattr(picture, name) for picture in pictures]) for name in ("factors", "offsets"))
        with computing(precision, device):
            rows, found = describe_both(
                model, _batch(pictures, device), scales, local.scales, local.max_features, factors=factors, offsets=offsets
            )
        counts = [len(one.keypoints) if picture.shorter_side >= SMALLEST else 0 for one, picture in zip(found, pictures, strict=True)]
        return rows, [as_stored(one.keypoints[:n], one.descriptors[:n], local.storage) for one, n in zip(found, counts, strict=True)]

    return global_only if work.local is None else with_local


def _batch(pictures: list[Picture], device: torch.device) -> torch.Tensor:
    """(n, 3, h, w) uint8 on the device, strided as channels_last."""
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures])).to(device).permute(0, 3, 1, 2)


def _describe_shard(
    ids: np.ndarray, items: Iterable[Picture | UserError], compute: Compute, work: Work, dimensions: int, batch_size: int, bar: tqdm
) -> Described:
    skipped: dict[str, str] = {}

    def readable() -> Iterator[tuple[tuple[int, Picture], np.ndarray]]:
        for position, item in enumerate(items):
            if isinstance(item, UserError):
                if work.on_error == "stop":
                    raise UserError(item.what, where=item.where, next=f"{item.next}, or extract.on_error=skip")
                skipped[str(ids[position])] = item.what
                bar.update()
            else:
                yield (position, item), item.pixels

    positions, parts, local = [], [torch.zeros(0, dimensions)], []
    for batch, _ in batches_by_shape(readable(), batch_size):
        rows, found = compute([picture for _, picture in batch])
        if rows is not None:
            parts.append(rows)  # left on the device: fetching it would wait for it, and the next batch could be stacked
        local += found
        positions += [position for position, _ in batch]
        bar.update(len(batch))
    order = np.argsort(np.array(positions, np.int64))
    return Described(
        ids[np.array(positions, np.int64)[order]],
        torch.cat([part.cpu() for part in parts]).numpy()[order] if work.descriptors else None,
        [local[place] for place in order] if work.local else None,
        skipped,
    )


def _refuse_infinite(described: Described, work: Work) -> None:
    checks = [] if described.descriptors is None else [np.isfinite(described.descriptors).all(axis=1)]
    checks += [] if described.local is None else [np.array([np.isfinite(one.keypoints).all() for one in described.local], bool)]
    for finite in checks:
        if not finite.all():
            raise UserError(
                f"the model {work.model} gives NaN or infinity",
                where=f"{work.name}, image '{described.ids[int((~finite).argmax())]}'",
                next="extract.precision=float32, or train the model again with a lower train.learning_rate",
            )
