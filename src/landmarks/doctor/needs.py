"""Estimates of the disk and memory that a configuration needs, from its settings and the number of images."""

from __future__ import annotations

from collections.abc import Mapping

from landmarks.config import Chain, Config, LocalExtractSettings, ModelSettings, learning_from_inliers, verifies
from landmarks.store.local_features import max_bytes_per_image

FLOAT16, FLOAT32 = 2, 4
PROGRAM = 3e9  # bytes: torch, its workers and a small model; `./run.sh` on the sample measured 2.7 GB (EXPERIMENTS.md)
BESIDE_VECTORS = 1.2  # of the widest vectors as float32: 11.9 GB for 2.46 M images of 1024 dimensions, their index as float32 at once
PHOTO_BYTES = 14e3  # a rendered photo of the sample: 32 MB for 2,343
NEIGHBOURS = 40  # kept for an index image by the steps of the default chain, 8 bytes each


def disk_needs(config: Config, images: dict[str, int], channels: dict[str, int]) -> dict[str, float]:
    """Kind of file -> bytes in run.folder, once everything is made.

    images    split -> number of images
    channels  model -> length of its pooled map, the size of a descriptor without a head
    """
    every = sum(images.values())
    raw = _raw_dimensions(config.models, channels)
    needs: dict[str, float] = {"descriptors": every * raw * FLOAT16}
    widths = _widths(config.rerank, config.whiten.dimensions, raw)
    searched = every if config.rerank else images["index"] + images["test"]
    new = [sum(images[split] for split in step.changes) for step in config.rerank if step.searches]  # the others take no disk
    rows = zip([searched, *new], widths, strict=True)
    needs["vectors that are searched"] = FLOAT16 * sum(count * width for count, width in rows)
    if config.rerank:
        needs["neighbours"] = len(widths) * images["index"] * NEIGHBOURS * 8
    needs["rankings"] = images["test"] * config.search.neighbours * 8 * (len(config.rerank) + 1)
    local = [model.local for model in config.models.values() if model.local is not None]
    if local and (verifies(config.rerank) or config.extract.local.images == "all"):
        settings = config.extract.local
        described = _images_with_local_features(images, settings, config.rerank, config.search.neighbours)
        per_image = sum(max_bytes_per_image(settings.max_features, one.dimensions, settings.storage) for one in local)
        needs["local features"] = described * per_image
    if config.dataset.source == "sample":
        needs["rendered photos"] = every * PHOTO_BYTES
    return needs


def memory_need(config: Config, images: dict[str, int], channels: dict[str, int]) -> float:
    """Bytes: the widest vectors of all images as float32, what is in memory beside them, and the program."""
    raw = _raw_dimensions(config.models, channels)
    widest = max([raw, *_widths(config.rerank, config.whiten.dimensions, raw)])
    return PROGRAM + BESIDE_VECTORS * sum(images.values()) * widest * FLOAT32


def _raw_dimensions(models: Mapping[str, ModelSettings], channels: Mapping[str, int]) -> int:
    """Of the descriptors of all models together; without models those of the user's own arrays, which `channels` calls "arrays"."""
    if not models:
        return channels.get("arrays", 0)
    return sum(model.dimensions or channels.get(name, 0) for name, model in models.items())


def _widths(chain: Chain, whitened: int, raw: int) -> list[int]:
    """Dimensions of the vectors of the first search, and of those of every step that searches again. whitened: 0 = not whitened."""
    widths = [min(raw, whitened or raw)]
    for step in chain:
        if step.searches:
            widths.append(step.vector_width(widths[-1], raw))
    return widths


def _images_with_local_features(images: dict[str, int], settings: LocalExtractSettings, chain: Chain, neighbours: int) -> int:
    """The number of images of all splits that get local features, at most."""
    if settings.images == "all":
        return sum(images[split] for split in settings.splits)
    training = sum(chain[place].training_images for place in learning_from_inliers(chain))
    return images["test"] + min(images["index"], images["test"] * neighbours) + min(images["train"], training)
