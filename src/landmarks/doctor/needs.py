"""How much disk and memory a configuration will need, worked out from its settings and the number of images: estimates."""

from __future__ import annotations

from landmarks.config import Config, learning_from_inliers, verifies
from landmarks.store.local_features import max_bytes_per_image

FLOAT16, FLOAT32 = 2, 4
PROGRAM = 3e9  # bytes: torch, its workers and a small model; `./run.sh` on the sample measured 2.7 GB (EXPERIMENTS.md)
BESIDE_VECTORS = 1.2  # of the widest vectors as float32: 11.9 GB for 2.46 M images of 1024 dimensions, their index as float32 at once
PHOTO_BYTES = 14e3  # a rendered photo of the sample: 32 MB for 2,343
NEIGHBOURS = 40  # kept for an index image by the steps of the default chain, 8 bytes each


def disk_needs(config: Config, images: dict[str, int], channels: dict[str, int]) -> dict[str, float]:
    """What -> bytes in run.folder, when everything has been made.

    images    split -> number of images
    channels  model -> channels of its backbone's map, the size of a descriptor without a head
    """
    every = sum(images.values())
    raw = _raw_dimensions(config, channels)
    needs = {"descriptors": every * sum(raw.values()) * FLOAT16}
    widths = _widths(config, sum(raw.values()))
    searched = every if config.rerank else images["index"] + images["test"]
    needs["vectors that are searched"] = searched * widths[0] * FLOAT16 + every * sum(widths[1:]) * FLOAT16
    if config.rerank:
        needs["neighbours"] = len(widths) * images["index"] * NEIGHBOURS * 8
    needs["rankings"] = images["test"] * config.search.neighbours * 8 * (len(config.rerank) + 1)
    local = [model.local for model in config.models.values() if model.local is not None]
    if local and (verifies(config.rerank) or config.extract.local.images == "all"):
        settings = config.extract.local
        described = sum(_described(config, images).values())
        needs["local features"] = described * sum(
            max_bytes_per_image(settings.max_features, one.dimensions, settings.storage) for one in local
        )
    if config.dataset.source == "sample":
        needs["rendered photos"] = every * PHOTO_BYTES
    return needs


def memory_need(config: Config, images: dict[str, int], channels: dict[str, int]) -> float:
    """Bytes: the widest vectors of all images as float32, what stands beside them, and the program."""
    raw = sum(_raw_dimensions(config, channels).values())
    widest = max([raw, *_widths(config, raw)])
    return PROGRAM + BESIDE_VECTORS * sum(images.values()) * widest * FLOAT32


def _raw_dimensions(config: Config, channels: dict[str, int]) -> dict[str, int]:
    """model -> length of its descriptors; the user's own arrays go by the name "arrays"."""
    return {name: model.dimensions or channels.get(name, 0) for name, model in config.models.items()} or {
        "arrays": channels.get("arrays", 0)
    }


def _widths(config: Config, raw: int) -> list[int]:
    """Dimensions of the space of the first search, and of every step that searches in a space of its own."""
    widths = [min(raw, config.whiten.dimensions or raw)]
    for step in config.rerank:
        if step.searches:
            widths.append(step.vector_width(widths[-1], raw))
    return widths


def _described(config: Config, images: dict[str, int]) -> dict[str, int]:
    """split -> images that get local features, at most."""
    if config.extract.local.images == "all":
        return {split: images[split] for split in config.extract.local.splits}
    described = {"test": images["test"], "index": min(images["index"], images["test"] * config.search.neighbours)}
    learning = learning_from_inliers(config.rerank)
    if learning:
        described["train"] = min(images["train"], sum(config.rerank[place].training_images for place in learning))
    return described
