"""What it costs to get pictures to the network, beside bare decoding and the usual pipelines.

    python benchmarks/loading.py                     rendered photos of 1600 x 1200 and 3072 x 2048
    python benchmarks/loading.py --photos FOLDER     the .jpg files of a folder, at most 200

Costs are seconds of the processor, of all processes, so that other programs do not change them: images a CPU-second, the best of three.
Extraction: milliseconds of the main process a picture, which is what a GPU waits for, and wall time beside the bare network.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import albumentations
import cv2
import numpy as np
import simplejpeg
import torch
import torchvision.transforms as transforms
from PIL import Image
from torch.utils.data import DataLoader

from landmarks.config import ModelSettings, TrainSettings
from landmarks.data import images
from landmarks.data.augment import Augmentation
from landmarks.data.extract_loader import load_ahead
from landmarks.data.extract_set import ExtractSet, Picture
from landmarks.data.images import read_image, resize
from landmarks.data.jpeg import reduction_for, write_jpeg
from landmarks.data.train_set import side_needed
from landmarks.datasets.images import image_path
from landmarks.device import computing
from landmarks.extraction.batch_size import BatchSize
from landmarks.machine import keep_freed_memory
from landmarks.models.checkpoint import build_model
from landmarks.models.multi_scale import describe
from landmarks.ops.area import load_kernels

CPU = torch.device("cpu")


def rendered(folder: Path, width: int, height: int, count: int) -> list[Path]:
    """Photos with as much detail as photos have: smooth shapes, edges and noise; about 2 bits a pixel."""
    folder.mkdir()
    paths = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image = np.zeros((height, width, 3), np.float32)
        for scale, strength in ((8, 90), (40, 50), (200, 30)):
            coarse = rng.normal(0, strength, (max(2, height * scale // 1600), max(2, width * scale // 1600), 3)).astype(np.float32)
            image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST if scale == 40 else cv2.INTER_CUBIC)
        image += rng.normal(0, 6, image.shape)
        paths.append(folder / f"{number:012x}.jpg")
        cv2.imwrite(str(paths[-1]), np.clip(128 + image, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


def ours(paths: list[Path], size: int, recipe: str = "soft", crop_scale: float = 0.2) -> Iterator[np.ndarray]:
    """Each photo decoded at the reduction that its crop needs."""
    augmentation = Augmentation(recipe, (size, size), crop_scale, 0)
    for path in paths:
        draw = augmentation.draw(0, path.stem)
        yield draw(read_image(path, draw.min_side))


def by_opencv(paths: list[Path], size: int) -> Iterator[np.ndarray]:
    """The same pixels, averaged by OpenCV."""
    with patch.object(images, "shrink_by_area", lambda image, *shape: cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)):
        yield from ours(paths, size)


def delg_for_the_smallest(paths: list[Path], size: int) -> Iterator[np.ndarray]:
    """Crops of 8 % of the area and more, each photo decoded at the reduction that the smallest crop needs."""
    augmentation = Augmentation("delg", (size, size), 0.92, 0)
    for path in paths:
        yield augmentation(read_image(path, augmentation.min_side), 0, path.stem)


def decoding_alone(paths: list[Path], size: int) -> Iterator[np.ndarray]:
    """The same files at the same reduction, and nothing else: the limit of what decodes them."""
    least = Augmentation("soft", (size, size), 0.2, 0).min_side
    for path in paths:
        data = path.read_bytes()
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        reduction = reduction_for((width, height), least)
        yield simplejpeg.decode_jpeg(data, "RGB", min_width=-(-width // reduction), min_height=-(-height // reduction))


def with_torchvision(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    steps = [transforms.RandomResizedCrop(size, (0.8, 1.0)), transforms.RandomHorizontalFlip(), transforms.ColorJitter(0.1)]
    transform = transforms.Compose([*steps, transforms.PILToTensor()])
    for path in paths:
        with Image.open(path) as image:
            yield transform(image.convert("RGB"))


def with_albumentations(paths: list[Path], size: int) -> Iterator[np.ndarray]:
    crop = albumentations.RandomResizedCrop((size, size), scale=(0.8, 1.0))
    transform = albumentations.Compose([crop, albumentations.HorizontalFlip(p=0.5), albumentations.RandomBrightnessContrast(0.1, 0.0, p=1)])
    for path in paths:
        yield transform(image=cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))["image"]


def shrunken(paths: list[Path], folder: Path, size: int) -> list[Path]:
    """As the stage `shrink` keeps them."""
    side, copies = side_needed(TrainSettings(image_size=size)), []
    for path in paths:
        image = read_image(path, side)
        factor = min(1, side / max(image.shape[:2]))
        copies.append(folder / f"small-{path.name}")
        copies[-1].write_bytes(write_jpeg(resize(image, *(max(1, round(length * factor)) for length in image.shape[:2])), 92))
    return copies


def a_cpu_second(ways: dict[str, Callable[[list[Path], int], Iterator]], paths: list[Path], size: int, repeats: int) -> dict[str, float]:
    """Images a second of the processor: the best of so many rounds, in which the ways take turns."""
    best = dict.fromkeys(ways, float("inf"))
    for number in range(repeats):
        for way in ways if number % 2 == 0 else reversed(list(ways)):
            began = time.process_time()
            for _ in ways[way](paths, size):
                pass
            best[way] = min(best[way], time.process_time() - began)
    return {way: len(paths) / seconds for way, seconds in best.items()}


def one_by_one(pictures: ExtractSet, workers: int, batch: int) -> Iterator[torch.Tensor]:
    """As extraction was fed before: pictures through a pipe, stacked by the main process."""

    class Single(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, position: int):
            return pictures.read(position)

    waiting: dict[tuple, list[Picture]] = {}
    for picture in DataLoader(Single(), batch_size=None, num_workers=workers, collate_fn=lambda item: item, prefetch_factor=batch):
        group = waiting.setdefault(picture.pixels.shape, [])
        group.append(picture)
        if len(group) == batch:
            yield torch.from_numpy(np.stack([one.pixels for one in waiting.pop(picture.pixels.shape)]))
    for group in waiting.values():
        yield torch.from_numpy(np.stack([one.pixels for one in group]))


def in_batches(pictures: ExtractSet, workers: int, batch: int) -> Iterator[torch.Tensor]:
    for loaded in load_ahead(pictures, [len(pictures)], lambda shape: batch, workers):
        yield from (one.pixels for one in loaded.batches)


def fed(feed: Callable[..., Iterator[torch.Tensor]], pictures: ExtractSet, repeats: int) -> float:
    """Milliseconds of the main process a picture."""
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        count = sum(len(batch) for batch in feed(pictures, 2, 8))
        best = min(best, time.process_time() - began)
        assert count == len(pictures)
    return 1000 * best / len(pictures)


def beside_the_network(pictures: ExtractSet, repeats: int) -> tuple[float, float]:
    """Pictures a second of CPU time: the network on batches in memory, and the network fed by the loader, all processes together."""
    torch.manual_seed(0)
    model = build_model(ModelSettings(backbone="resnet18", pretrained=False)).eval()
    size = BatchSize(8)
    batches = [batch for loaded in load_ahead(pictures, [len(pictures)], size.images, 0) for batch in loaded.batches]

    def compute(some) -> None:
        with computing("float32", CPU):
            for batch in some:
                describe(model, batch.pixels.permute(0, 3, 1, 2), (1.0,))

    best = [float("inf"), float("inf")]
    for _ in range(repeats):
        loaded = (batch for one in load_ahead(pictures, [len(pictures)], size.images, 2) for batch in one.batches)
        for number, some in enumerate((batches, loaded)):
            began = time.process_time()
            compute(some)
            best[number] = min(best[number], time.process_time() - began)
    return len(pictures) / best[0], len(pictures) / best[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder with .jpg files")
    parser.add_argument("--size", type=int, default=512, help="of the crops, pixels")
    parser.add_argument("--decoding", action="store_true", help="no extraction")
    parser.add_argument("--quick", action="store_true", help="fewer pictures")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    keep_freed_memory()  # as loading processes do; for all ways
    load_kernels()
    count, repeats = (6, 1) if chosen.quick else (40, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.photos:
            sets = {str(chosen.photos): sorted(chosen.photos.rglob("*.jpg"))[: 5 * count]}
        else:
            sets = {"1600 x 1200": rendered(folder / "a", 1600, 1200, count), "3072 x 2048": rendered(folder / "b", 3072, 2048, count // 2)}
        for name, paths in sets.items():
            size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
            print(f"{name}, {len(paths)} photos of {size:.2f} MB, crops of {chosen.size}: images a CPU-second")
            small = shrunken(paths, folder, chosen.size)
            ways = {
                "ours": ours,
                "ours, averaged by OpenCV": by_opencv,
                "torchvision": with_torchvision,
                "albumentations": with_albumentations,
                "bare reduced decoding": decoding_alone,
                "ours, crops of delg": lambda paths, size: ours(paths, size, "delg", 0.92),
                "decoded for the smallest": delg_for_the_smallest,
                "ours, from shrink": lambda paths, size, small=small: ours(small, size),
            }
            found = a_cpu_second(ways, paths, chosen.size, repeats)
            for way, speed in found.items():
                print(f"  {way:28}{speed:8.1f}   {speed / found['bare reduced decoding']:6.0%} of bare reduced decoding", flush=True)
            print(f"  shrink keeps {sum(path.stat().st_size for path in small) / len(small) / 1e6:.2f} MB a photo", flush=True)
        if chosen.decoding:
            return
        pictures = _as_set(folder, next(reversed(sets.values())) * 4, 2048)
        print("extraction at 2048: milliseconds of the main process a picture")
        for what, feed in (("one by one, stacked there", one_by_one), ("in batches from the loader", in_batches)):
            print(f"  {what:28}{fed(feed, pictures, repeats):8.2f}", flush=True)
        bare, whole = beside_the_network(_as_set(folder, next(iter(sets.values()))[: 2 * count], 512), repeats)
        print(f"extraction at 512, resnet18: {whole:.1f} pictures a second of the main process, {whole / bare:.0%} of the bare network")


def _as_set(folder: Path, paths: list[Path], side: int) -> ExtractSet:
    ids = []
    for number, path in enumerate(paths):
        ids.append(f"{number:012x}")
        link = image_path(folder / f"set{side}", "index", ids[-1])
        link.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(path.resolve(), link)
    return ExtractSet(folder / f"set{side}", "index", np.array(ids, object), side)


if __name__ == "__main__":
    main()
