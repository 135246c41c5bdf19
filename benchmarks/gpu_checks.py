"""What a GPU computes, beside what the CPU computes from the same numbers. Part of gpu.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from accelerate.state import AcceleratorState
from tqdm import tqdm

from landmarks.config import ExtractSettings, ModelSettings, TrainSettings
from landmarks.config.model import LocalSettings
from landmarks.config.verification import VerificationSettings
from landmarks.data.jpeg import write_jpeg
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import image_path
from landmarks.device import computing
from landmarks.extraction.describe import describe_shards
from landmarks.extraction.jobs import ExtractionJob
from landmarks.extraction.outputs import DescriptorOutput
from landmarks.extraction.processor import Processor, open_model
from landmarks.models.checkpoint import build_model, save_model
from landmarks.models.local_features import describe_local
from landmarks.models.multi_scale import describe
from landmarks.ops import knn_torch, verification_torch
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.verification import pair_seed, verify_pairs
from landmarks.store.artefact import Artefact
from landmarks.training.hardware import start_accelerator
from landmarks.training.learner import create_learner
from landmarks.training.loop import run_training

CPU = torch.device("cpu")
SMALL = ModelSettings(backbone="resnet18", pretrained=False, dimensions=64)
Rows = Iterator[tuple]


def _model(**settings: Any):
    torch.manual_seed(0)
    return build_model(SMALL.model_copy(update=settings)).eval()


def _photos(count: int, side: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    coarse = [
        cv2.resize(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8), (side, side), interpolation=cv2.INTER_CUBIC) for _ in range(count)
    ]
    return torch.from_numpy(np.stack(coarse)).permute(0, 3, 1, 2)


def descriptors(sizes, device: torch.device) -> Rows:
    images, model, found = _photos(8, 256 if device.type == "cuda" else 64), _model(), {}
    for name, place, precision in (("cpu", CPU, "float32"), ("float32", device, "float32"), ("half", device, _half(device))):
        with computing(precision, place):
            found[name] = describe(model.to(place), images.to(place), (0.75, 1.0)).cpu()
    for name, most in (("float32", 1e-4), ("half", 2e-2)):
        apart = float((found[name] - found["cpu"]).abs().max())
        yield f"descriptors in {name}: largest difference from the CPU's", apart, "", f"<= {most:g}", apart <= most


def local_features(sizes, device: torch.device) -> Rows:
    images, model, found = _photos(4, 256 if device.type == "cuda" else 96), _model(local=LocalSettings(dimensions=32)), []
    for place in (CPU, device):
        with computing("float32", place):
            found.append(describe_local(model.to(place), images.to(place), (0.7071, 1.0), 200, threshold=0))
    same = [
        len({tuple(row) for row in one.keypoints[:, :3].round(2).tolist()} & {tuple(row) for row in two.keypoints[:, :3].round(2).tolist()})
        / len(one.keypoints)
        for one, two in zip(*found, strict=True)
    ]
    yield "local features: share of keypoints that the CPU has too", min(same), "", ">= 0.97", min(same) >= 0.97
    apart = max(_apart(one, two) for one, two in zip(*found, strict=True))
    yield "local features: largest difference of their descriptors from the CPU's", apart, "", "<= 0.001", apart <= 1e-3


def _apart(one, two) -> float:
    """Largest difference of descriptors at the same keypoint."""
    places = {tuple(row): number for number, row in enumerate(one.keypoints[:, :3].round(2).tolist())}
    both = [(places[tuple(row)], number) for number, row in enumerate(two.keypoints[:, :3].round(2).tolist()) if tuple(row) in places]
    rows, others = np.array(both).T
    return float(np.abs(one.descriptors[rows] - two.descriptors[others]).max())


def extraction(sizes, device: torch.device) -> Rows:
    """From files of two shapes, through the processes that decode and the copies ahead, to descriptors."""
    side, found = (640 if device.type == "cuda" else 96), []
    settings = ExtractSettings(longest_side=side, scales=(0.75, 1.0), workers=2, shard_images=16)
    with TemporaryDirectory() as name:
        folder, ids = Path(name), np.array([f"abc{number}" for number in range(40)])
        for number, (id, photo) in enumerate(zip(ids, _photos(40, side).permute(0, 2, 3, 1).numpy(), strict=True)):
            path = image_path(folder, "train", id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(write_jpeg(photo[: 3 * side // 4] if number % 3 else photo[:, : 3 * side // 4], 95))
        (folder / "model").mkdir()
        save_model(folder / "model", _model(), SMALL)
        for place in (CPU, device):
            processor = Processor(place, "float32", "")
            job = ExtractionJob(folder / "model", folder, "train", ids, settings, DescriptorOutput(Artefact(folder, "extract", {}, {}), ""))
            shards, model = [job.shard_ids(shard) for shard in job.shards], open_model(folder / "model", processor)
            found.append(np.concatenate([one.descriptors for one in describe_shards(job, shards, [model], processor, tqdm(disable=True))]))
    apart = float(np.abs(found[0] - found[1]).max())
    yield "photos from files to descriptors: largest difference from the CPU's", apart, "", "<= 0.0001", apart <= 1e-4


def neighbours(sizes, device: torch.device) -> Rows:
    rng = np.random.default_rng(0)
    index = rng.standard_normal((20_000 if device.type == "cuda" else 500, 64)).astype(np.float16)
    queries = rng.standard_normal((100, 64)).astype(np.float32)
    exact = queries.astype(np.float64) @ index.astype(np.float64).T
    many = 3000 if device.type == "cuda" else 400
    for k, share, where in ((100, 1.0, ""), (many, 1.0, ""), (100, 0.0, ", an index that goes by in chunks")):
        with patch.object(knn_torch, "_SHARE", share):
            found = knn_torch.TorchIndex(index, [device], chunk=4096).search(queries, k)[1]
        best = -np.sort(-exact, axis=1)[:, :k]
        apart = float(np.abs(np.take_along_axis(exact, found, axis=1) - best).max())
        yield f"{k} neighbours{where}: largest loss of similarity", apart, "", "<= 0.0001", apart <= 1e-4


def matched_features(images: int, features: int, dimensions: int, seed: int) -> LocalFeatures:
    """Photos of one place: every image has the same points, moved, and descriptors with noise."""
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(99)
    points, codes = 800 * world.random((features, 2)), world.standard_normal((features, dimensions))
    keypoints = np.concatenate([points * (0.8 + 0.4 * rng.random()) + 50 * rng.random(2) for _ in range(images)])
    descriptors = np.concatenate([codes + 0.4 * rng.standard_normal(codes.shape) for _ in range(images)])
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    keypoints = np.column_stack([keypoints, np.ones((len(keypoints), 2))]).astype(np.float32)
    return LocalFeatures(descriptors.astype(np.float16), None, keypoints, np.arange(images + 1, dtype=np.int64) * features)


def verification(sizes, device: torch.device) -> Rows:
    settings = VerificationSettings()
    queries, index = matched_features(4, min(300, sizes.features), 64, 0), matched_features(5, min(300, sizes.features), 64, 1)
    pairs = np.stack(np.divmod(np.arange(20), 5), axis=1)
    seeds = np.array([pair_seed(f"q{query}", f"i{image}") for query, image in pairs], np.int64)
    one = verify_pairs(queries, index, pairs, seeds, settings).inliers
    two = verification_torch.verify_pairs_torch(queries, index, pairs, seeds, settings, device).inliers
    apart = float(np.abs(one - two).max() / max(1, one.max()))
    yield "verification: largest difference of inliers from the CPU's, as a share", apart, "", "<= 0.02", apart <= 0.02
    if device.type == "cuda":
        works = verification_torch._kernel(device) is not None
        yield "verification: its Triton kernel works, and counts what torch counts", float(works), "", "1", works


def _toy(folder: Path, settings: TrainSettings) -> TrainSet:
    ids = np.array([f"abc{number}" for number in range(16)], object)
    for number, id in enumerate(ids):
        path = image_path(folder, "train", str(id))
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(number % 4).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    return TrainSet(folder, ids, np.arange(16) % 4, settings)


def _trained(device: torch.device, folder: Path, epochs: int, **settings: Any):
    """The losses of a training of 2 steps an epoch, and the weights."""
    from landmarks.training.journal import read_lines

    settings = {"image_size": 32, "batch_size": 8, "workers": 0, "log_steps": 1, "augmentation": "none", "precision": "float32", **settings}
    asked = TrainSettings(epochs=epochs, learning_rate=0.005, **settings)
    model = ModelSettings(backbone="test_efficientnet_gn", pretrained=False, dimensions=0)
    AcceleratorState._reset_state(reset_partial_state=True)
    threads = torch.get_num_threads()
    accelerator = start_accelerator(device.type, asked.precision)
    torch.set_num_threads(threads)
    learner = create_learner("m", model, asked, 4)
    folder.mkdir(exist_ok=True)
    run_training("m", folder, learner, _toy(folder, asked), asked, accelerator)
    return [line["loss"] for line in read_lines(folder)], {name: tensor.cpu() for name, tensor in learner.state_dict().items()}


def training(sizes, device: torch.device) -> Rows:
    half = _half(device)
    with TemporaryDirectory() as folder:
        expected = _trained(CPU, Path(folder, "cpu"), 10)[0]
        # Scaling gradients for float16 may leave out steps.
        for precision, most in (("float32", 0.02), (half, 0.1 if half == "bfloat16" else 0.3)):
            found = _trained(device, Path(folder, precision), 10, precision=precision)[0]
            apart = float(np.abs(np.subtract(found, expected)).max() / expected[0])
            what = f"training in {precision}: largest difference of 20 losses from the CPU's, to the first loss"
            yield what, apart, "", f"<= {most}", apart <= most


def resumed(sizes, device: torch.device) -> Rows:
    with TemporaryDirectory() as folder:
        whole, weights = _trained(device, Path(folder, "whole"), 10)
        with suppress(_Stopped):
            _trained_until(10, device, Path(folder, "cut"))
        after, other = _trained(device, Path(folder, "cut"), 10, checkpoint_minutes=0)
    apart = max(float((weights[name].float() - other[name].float()).abs().max()) for name in weights)
    yield "a training that was cut off after step 10: largest difference of its weights", apart, "", "<= 0.001", apart <= 1e-3
    yield "a training that was cut off: lines of its journal", float(len(after)), "", "20", len(after) == len(whole) == 20


class _Stopped(Exception):
    """Behind the checkpoint of a step."""


def _trained_until(last: int, device: torch.device, folder: Path) -> None:
    from landmarks.training import loop

    write = loop.write_resume

    def write_then_stop(place: Path, step: int, *others: Any) -> None:
        write(place, step, *others)
        if step == last:
            raise _Stopped

    loop.write_resume = write_then_stop
    try:
        _trained(device, folder, 10, checkpoint_minutes=0)
    finally:
        loop.write_resume = write


def _half(device: torch.device) -> str:
    return "bfloat16" if device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0) else "float16"
