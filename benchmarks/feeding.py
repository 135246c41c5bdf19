"""What the project adds to the network: a training step and extraction, beside the bare network and bare decoding of the same photos.

    python benchmarks/feeding.py --photos FOLDER            training at 224, extraction at 320, EfficientNet-lite0 (configs/photos.yaml)
    python benchmarks/feeding.py --photos FOLDER --rounds 3 --images 320

Seconds of the processor for each photo, so that other programs do not change them: of the process that computes, and of those that
decode. Both work at the same time, so the slower of them is the speed; the limit is the slower of the bare network and bare decoding. The
ways take turns; of each the best of its rounds counts.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import timm
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from tqdm import tqdm

from landmarks.config import ExtractSettings, ModelSettings, TrainSettings
from landmarks.data.augment import Augmentation
from landmarks.data.extract_loader import load_ahead
from landmarks.data.extract_set import ExtractSet
from landmarks.data.jpeg import reduction_for
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import image_path
from landmarks.extraction.describe import describe_shards
from landmarks.extraction.jobs import ExtractionJob
from landmarks.extraction.outputs import DescriptorOutput
from landmarks.extraction.processor import choose_processor, open_model
from landmarks.machine import keep_freed_memory
from landmarks.models.checkpoint import build_model, save_model
from landmarks.store.artefact import Artefact
from landmarks.training.learner import create_learner
from landmarks.training.loop import run_training

PEER = "tf_efficientnet_lite0"  # timm's name for the same network, whose weights are TensorFlow's; without tf_ it pads less
BACKBONE, BATCH, TRAINED_AT, DESCRIBED_AT, SCALES = "efficientnet_lite0", 32, 224, 320, (0.7071, 1.0)
MODEL = ModelSettings(backbone=BACKBONE, pretrained=False, dimensions=256)
TRAIN = TrainSettings(
    epochs=1, image_size=TRAINED_AT, batch_size=BATCH, optimizer="adamw", freeze_batchnorm=True, workers=1, checkpoint_minutes=1000
)
EXTRACT = ExtractSettings(longest_side=DESCRIBED_AT, scales=SCALES, workers=1)


class Seconds:
    """Of this process, and of those that it started and that have ended."""

    def __init__(self) -> None:
        self.own, self.children = time.process_time(), _of_children()

    def gone(self) -> tuple[float, float]:
        return time.process_time() - self.own, _of_children() - self.children


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def our_training(folder: Path, ids: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    train_set = TrainSet(folder, ids, labels, TRAIN)
    learner = create_learner("m", MODEL, TRAIN, int(labels.max()) + 1)
    with tempfile.TemporaryDirectory() as run:
        model = Path(run) / "models" / "m"
        model.mkdir(parents=True)
        seconds = Seconds()
        run_training("m", model, learner, train_set, TRAIN, Accelerator(cpu=True))
        return seconds.gone()


def bare_training(folder: Path, ids: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """timm, cross entropy and AdamW on pictures in memory, its BatchNorm frozen as in the recipe."""
    network = timm.create_model(PEER, pretrained=False, num_classes=int(labels.max()) + 1).to(memory_format=torch.channels_last).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    images = torch.randint(0, 256, (BATCH, 3, TRAINED_AT, TRAINED_AT), dtype=torch.uint8).to(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels[:BATCH])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)))
    seconds = Seconds()
    for _ in range(len(ids) // BATCH):
        loss = F.cross_entropy(network((images.float() - mean) / std), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seconds.gone()


def bare_decoding(side: int) -> Callable[[Path, np.ndarray, np.ndarray], tuple[float, float]]:
    """The same files at the same reduction, and nothing else, as if by processes of their own."""

    def decode(folder: Path, ids: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        seconds = Seconds()
        for id in ids:
            data = image_path(folder, "train", id).read_bytes()
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            reduction = reduction_for((width, height), side)
            simplejpeg.decode_jpeg(data, "RGB", min_width=-(-width // reduction), min_height=-(-height // reduction))
        return 0.0, seconds.gone()[0]

    return decode


def our_extraction(folder: Path, ids: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as run:
        (Path(run) / "model").mkdir()
        save_model(Path(run) / "model", build_model(MODEL), MODEL)
        processor = choose_processor("cpu", "float32")
        model = open_model(Path(run) / "model", processor)
        output = DescriptorOutput(Artefact(Path(run) / "out", "extract", {}, {}), "out")
        job = ExtractionJob(Path(run) / "model", folder, "train", ids, EXTRACT, output)
        seconds = Seconds()
        for _ in describe_shards(job, [job.shard_ids(shard) for shard in job.shards], [model], processor, tqdm(disable=True)):
            pass
        return seconds.gone()


def bare_network(folder: Path, ids: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """timm's features of the same batches in memory, picture by picture at both scales: no pooling, head or averaging."""
    network = timm.create_model(PEER, pretrained=False, num_classes=0, global_pool="").to(memory_format=torch.channels_last).eval()
    pictures = ExtractSet(folder, "train", ids, DESCRIBED_AT)
    batches = [one for loaded in load_ahead(pictures, [len(ids)], lambda shape: 32, 0) for one in loaded.batches]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)))
    seconds = Seconds()
    with torch.inference_mode():
        for batch in batches:
            for number in range(len(batch.pixels)):
                picture = (batch.pixels[number : number + 1].permute(0, 3, 1, 2).float() - mean) / std
                for scale in SCALES:
                    network(picture if scale == 1 else F.interpolate(picture, scale_factor=scale, mode="bilinear", antialias=True))
    return seconds.gone()


def compare(what: str, goal: float, ways: dict[str, Callable], photos: tuple, rounds: int) -> None:
    """ways: ours, the bare network, bare decoding."""
    best = {way: [np.inf, np.inf] for way in ways}
    for number in range(rounds + 1):  # the first warms up
        for way in list(ways) if number % 2 else reversed(list(ways)):
            folder, ids, labels = photos
            # What ways before have left is given back: a process that is forked would make the first write to each page a copy.
            ctypes.CDLL(None).malloc_trim(0)
            found = ways[way](folder, ids, labels) if number else ways[way](folder, ids[:BATCH], labels[:BATCH])
            if number:
                best[way] = [min(pair) for pair in zip(best[way], found, strict=True)]
    images = len(photos[1])
    for way, (own, children) in best.items():
        print(f"  {way:28}{1000 * own / images:8.2f} ms computing   {1000 * children / images:6.2f} ms decoding, a photo")
    ours, network, decoding = best.values()
    limit = max(network[0], decoding[1])
    parts = f"computing {network[0] / ours[0]:.1%} of the bare network, decoding {decoding[1] / ours[1]:.1%} of bare decoding"
    print(f"  {what}: {limit / max(ours):.1%} of the slower of the network and decoding (goal {goal:.0%}); {parts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="a folder with .jpg files")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    keep_freed_memory()  # for all ways
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), sorted(chosen.photos.rglob("*.jpg"))[: chosen.images // BATCH * BATCH]
        ids = np.array([f"{number:016x}" for number in range(len(paths))])
        for id, path in zip(ids, paths, strict=True):
            link = image_path(folder, "train", id)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
        _, labels = np.unique([path.parent.name for path in paths], return_inverse=True)
        photos = (folder, ids, labels.astype(np.int64))
        least = Augmentation(TRAIN.augmentation, (TRAINED_AT, TRAINED_AT), TRAIN.crop_scale, 0).min_side
        print(f"{len(ids)} photos, {BACKBONE}, one thread")
        training = {"our training": our_training, "bare timm loop": bare_training, "bare decoding": bare_decoding(least)}
        compare("training", 0.95, training, photos, chosen.rounds)
        side = round(DESCRIBED_AT * 9 / 8)
        extraction = {"our extraction": our_extraction, "bare network": bare_network, "bare decoding": bare_decoding(side)}
        compare("extraction", 0.90, extraction, photos, chosen.rounds)


if __name__ == "__main__":
    main()
