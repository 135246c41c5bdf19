"""What a GPU computes, beside what the CPU computes from the same numbers. Part of gpu.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from accelerate import Accelerator

from landmarks.config import ModelSettings, TrainSettings
from landmarks.config.verification import VerificationSettings
from landmarks.data.extract_set import Batch
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import image_path
from landmarks.device import computing
from landmarks.extraction.batch_size import BatchSize
from landmarks.models.checkpoint import build_model
from landmarks.models.local_features import describe_local
from landmarks.models.multi_scale import describe
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.verification import pair_seed, verify_pairs
from landmarks.ops.verification_torch import verify_pairs_torch
from landmarks.training.learner import create_learner
from landmarks.training.loop import run_training

CPU = torch.device("cpu")
Rows = Iterator[tuple]


def _model(**settings: Any):
    torch.manual_seed(0)
    return build_model(ModelSettings(backbone="resnet18", pretrained=False, dimensions=64, **settings)).eval()


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
    images, model, found = _photos(4, 256 if device.type == "cuda" else 96), _model(local={"dimensions": 32}), []
    for place in (CPU, device):
        with computing("float32", place):
            found.append(describe_local(model.to(place), images.to(place), (0.7071, 1.0), 200, threshold=0))
    same = [
        len({tuple(row) for row in one.keypoints[:, :3].round(2).tolist()} & {tuple(row) for row in two.keypoints[:, :3].round(2).tolist()})
        / len(one.keypoints)
        for one, two in zip(*found, strict=True)
    ]
    yield "local features: share of keypoints that the CPU has too", min(same), "", ">= 0.97", min(same) >= 0.97


def neighbours(sizes, device: torch.device) -> Rows:
    from landmarks.ops.knn_torch import TorchIndex

    rng = np.random.default_rng(0)
    index = rng.standard_normal((20_000 if device.type == "cuda" else 500, 64)).astype(np.float16)
    queries = rng.standard_normal((100, 64)).astype(np.float32)
    exact = queries.astype(np.float64) @ index.astype(np.float64).T
    for k in (100, 3000 if device.type == "cuda" else 400):
        scores, found = TorchIndex(index, [device], chunk=4096).search(queries, k)
        best = -np.sort(-exact, axis=1)[:, :k]
        apart = float(np.abs(np.take_along_axis(exact, found, axis=1) - best).max())
        yield f"{k} neighbours: largest loss of similarity", apart, "", "<= 0.0001", apart <= 1e-4


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
    two = verify_pairs_torch(queries, index, pairs, seeds, settings, device).inliers
    apart = float(np.abs(one - two).max() / max(1, one.max()))
    yield "verification: largest difference of inliers from the CPU's, as a share", apart, "", "<= 0.02", apart <= 0.02


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
    learner = create_learner("m", model, asked, 4)
    folder.mkdir(exist_ok=True)
    run_training("m", folder, learner, _toy(folder, asked), asked, Accelerator(cpu=device.type == "cpu"))
    return [line["loss"] for line in read_lines(folder)], {name: tensor.cpu() for name, tensor in learner.state_dict().items()}


def training(sizes, device: torch.device) -> Rows:
    from accelerate.state import AcceleratorState, PartialState

    losses = []
    with TemporaryDirectory() as folder:
        for name, place in (("cpu", CPU), ("device", device)):
            AcceleratorState._reset_state(reset_partial_state=True)
            PartialState._reset_state()
            losses.append(_trained(place, Path(folder, name), 10)[0])
    apart = float(np.max(np.abs(np.subtract(*losses)) / np.abs(losses[0])))
    yield "training in float32: largest relative difference of 20 losses from the CPU's", apart, "", "<= 0.02", apart <= 0.02


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


def out_of_memory(sizes, device: torch.device) -> Rows:
    """Batches that are far too large for the card: it goes on with smaller ones."""
    if device.type != "cuda":
        return
    free = torch.cuda.mem_get_info(device)[0]
    size, rows = BatchSize(512, 10**12), np.zeros((512, 2), np.float32)
    batch = Batch(np.arange(512), torch.zeros(512, 64, 64, 3, dtype=torch.uint8), rows, rows, np.full(512, 64))

    def greedy(part: Batch) -> int:
        torch.empty(len(part.positions) * (free // 100), dtype=torch.uint8, device=device)
        return len(part.positions)

    done = sum(size.compute(greedy, batch))
    fits = size.images((64, 64))
    yield (
        "out of memory: pictures a batch, of 512 that would take 5 x the memory",
        float(fits),
        "",
        "32 to 99",
        done == 512 and 32 <= fits < 100,
    )


def _half(device: torch.device) -> str:
    return "bfloat16" if device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0) else "float16"
