"""How fast a GPU is, beside its own limits and the usual libraries. Part of gpu.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from gpu_checks import matched_features
from torch.utils.flop_counter import FlopCounterMode

from landmarks.config import ModelSettings, TrainSettings
from landmarks.config.verification import VerificationSettings
from landmarks.cuda import is_out_of_memory
from landmarks.data.augment import Augmentation
from landmarks.data.images import read_image
from landmarks.data.jpeg import write_jpeg
from landmarks.device import computing, resolve_precision
from landmarks.machine import cores
from landmarks.models.checkpoint import build_model
from landmarks.models.multi_scale import describe
from landmarks.ops import verification_torch
from landmarks.ops.knn_torch import TorchIndex
from landmarks.ops.verification import pair_seed, verify_pairs
from landmarks.ops.verification_torch import verify_pairs_torch
from landmarks.training.learner import create_learner
from landmarks.training.memory import estimate
from landmarks.training.optimizer import create_optimizer

Rows = Iterator[tuple]
CLASSES = 81_313  # landmarks of the cleaned training set of Google Landmarks v2
_peak: dict[str, float] = {}  # operations a second of a large product, the card's own limit


def _seconds(work: Callable[[], Any], device: torch.device, least: float = 2.0) -> float:
    """Of one call, when it has been warmed up; on the CPU of a single one."""
    work()
    _wait(device)
    calls, began = 0, time.perf_counter()
    while calls == 0 or (device.type == "cuda" and time.perf_counter() - began < least):
        work()
        calls += 1
        _wait(device)
    return (time.perf_counter() - began) / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_product(sizes, device: torch.device) -> Rows:
    for name in sorted({"float32", resolve_precision("auto", device)}):
        square = torch.ones(sizes.matmul, sizes.matmul, device=device, dtype=getattr(torch, name))
        _peak[name] = 2 * sizes.matmul**3 / _seconds(partial(torch.matmul, square, square), device)
        yield f"product of {sizes.matmul} x {sizes.matmul} in {name}", _peak[name] / 1e12, "TFLOP/s"


def training(sizes, device: torch.device) -> Rows:
    """Steps on pictures in memory: what decoding must keep up with. Weights and classifier are those of a whole run."""
    for backbone, (side, part, _, _) in sizes.models.items():
        yield from _steps(backbone, side, part, device)


def _steps(backbone: str, side: int, part: int, device: torch.device) -> Rows:
    precision = resolve_precision("auto", device)
    settings = TrainSettings(image_size=side, batch_size=part)
    classes = CLASSES if device.type == "cuda" else 50
    learner = create_learner("m", ModelSettings(backbone=backbone, pretrained=False), settings, classes).to(device)
    learner.to(memory_format=torch.channels_last).train()
    side = learner.model.sides.one(side)
    accelerator = Accelerator(cpu=device.type == "cpu")
    autocast = torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32")
    optimizer = create_optimizer(learner, settings)
    images = torch.randint(0, 256, (part, 3, side, side), dtype=torch.uint8, device=device).to(memory_format=torch.channels_last)
    labels = torch.arange(part, device=device) % classes

    def step() -> None:
        with autocast:
            loss = learner(images, labels)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with autocast:
        fixed, each = estimate(learner, settings, accelerator)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with FlopCounterMode(display=False) as counter:
        step()
    seconds = _seconds(step, device)
    yield f"{backbone} at {side}, {precision}: images/s", part / seconds, "images/s"
    if precision in _peak:
        share = counter.get_total_flops() / seconds / _peak[precision]
        yield f"{backbone} at {side}, {precision}: share of the card's product", share, ""
    if device.type == "cuda":
        real = torch.cuda.max_memory_allocated(device)
        ratio = real / (fixed + each * part)
        yield f"{backbone} at {side}, {part} images: memory", real / 1e9, "GB"
        yield f"{backbone} at {side}, {part} images: memory to the estimate", ratio, "", "0.7 to 1.3", 0.7 <= ratio <= 1.3


def extraction(sizes, device: torch.device) -> Rows:
    """Pictures in memory, at two scales where the network takes any side."""
    for backbone, (_, _, side, count) in sizes.models.items():
        yield from _described(backbone, side, count, device)


def _described(backbone: str, side: int, count: int, device: torch.device) -> Rows:
    precision = resolve_precision("auto", device)
    model = build_model(ModelSettings(backbone=backbone, pretrained=False)).eval().to(device).to(memory_format=torch.channels_last)
    side = model.sides.one(side)
    images = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    scales = (1.0,) if "vit" in backbone else (0.75, 1.0)
    with computing(precision, device):
        with FlopCounterMode(display=False) as counter:
            describe(model, images, scales)
        seconds = _seconds(lambda: describe(model, images, scales), device)
    yield f"{backbone} at {side}, scales {scales}, {precision}: images/s", count / seconds, "images/s"
    if precision in _peak:
        share = counter.get_total_flops() / seconds / _peak[precision]
        yield f"{backbone} at {side}, scales {scales}, {precision}: share of the card's product", share, ""


def decoding(sizes, device: torch.device) -> Rows:
    """Photos of 1600 x 1200 prepared for training by one core, and what all of this machine's would do: what the GPU is fed by."""
    rng = np.random.default_rng(0)
    photo = sum(
        cv2.resize(rng.normal(0, strength, (side * 3 // 4, side, 3)), (1600, 1200), interpolation=cv2.INTER_CUBIC)
        for side, strength in ((8, 60), (80, 30), (400, 10))
    )
    augmentation = Augmentation("soft", (512, 512), 0.2, 0)
    with TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(write_jpeg(np.clip(128 + photo, 0, 255).astype(np.uint8), 85))

        def prepare(number: int) -> None:
            draw = augmentation.draw(0, str(number))
            draw(read_image(path, draw.min_side))

        prepare(0)
        began, count = time.perf_counter(), 100 if device.type == "cuda" else 3
        for number in range(count):
            prepare(number)
        one = count / (time.perf_counter() - began)
    yield "crops of 512 from photos of 1600 x 1200 by one core: images/s", one, "images/s"
    yield f"by {cores()} cores: images/s", one * cores(), "images/s"


def search(sizes, device: torch.device) -> Rows:
    rng = np.random.default_rng(0)
    index = rng.standard_normal((sizes.index, sizes.dimensions), dtype=np.float32).astype(np.float16)
    queries = rng.standard_normal((sizes.queries, sizes.dimensions), dtype=np.float32)
    ready = time.perf_counter()
    opened = TorchIndex(index, [device])
    _wait(device)
    yield f"index of {sizes.index} x {sizes.dimensions} made ready", time.perf_counter() - ready, "s"
    seconds = _seconds(lambda: opened.search(queries, 100), device)
    yield "queries/s", sizes.queries / seconds, "queries/s"
    if "float32" in _peak:
        yield "share of the card's float32 product", 2 * sizes.index * sizes.dimensions * sizes.queries / seconds / _peak["float32"], ""
    few = queries[: max(1, sizes.queries // 100)]
    began = time.perf_counter()
    products = few @ index[: sizes.index // 10].astype(np.float32).T
    np.argpartition(-products, min(100, products.shape[1] - 1), axis=1)
    yield "numpy on the CPU, scaled: queries/s", len(few) / (10 * (time.perf_counter() - began)), "queries/s"
    try:
        import faiss
    except ImportError:
        yield "FAISS is not installed: skipped", 0.0, ""
        return
    part = index[: sizes.index // 10].astype(np.float32)
    began = time.perf_counter()
    faiss.knn(few, part, 100, metric=faiss.METRIC_INNER_PRODUCT)
    yield "FAISS on the CPU, scaled: queries/s", len(few) / (10 * (time.perf_counter() - began)), "queries/s"
    if device.type == "cuda" and hasattr(faiss, "StandardGpuResources"):
        began_index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), device.index or 0, faiss.IndexFlatIP(sizes.dimensions))
        began_index.add(index.astype(np.float32))
        seconds = _seconds(lambda: began_index.search(queries, 100), device)
        yield "FAISS on the GPU: queries/s", sizes.queries / seconds, "queries/s"


def verification(sizes, device: torch.device) -> Rows:
    settings = VerificationSettings()
    queries, index = matched_features(20, sizes.features, 128, 0), matched_features(50, sizes.features, 128, 1)
    number = np.arange(sizes.pairs)
    pairs = np.stack([number % 20, number // 20 % 50], axis=1)
    seeds = np.array([pair_seed(f"q{query}", f"i{image}") for query, image in pairs], np.int64)
    best = 0.0
    for batch in (64, 256, 1024) if device.type == "cuda" else (16,):
        count = min(len(pairs), 8 * batch)
        some = partial(verify_pairs_torch, queries, index, pairs[:count], seeds[:count], settings, device, batch)
        try:
            seconds = _seconds(some, device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            yield f"{batch} pairs at a time: the memory is not enough", 0.0, ""
            break
        yield f"{batch} pairs at a time", count / seconds, "pairs/s"
        best = max(best, count / seconds)
    yield "pairs/s", best, "pairs/s", ">= 20000 (goal)"
    if device.type == "cuda":
        with patch.object(verification_torch, "_kernel", lambda device: None):
            some = partial(verify_pairs_torch, queries, index, pairs[:1024], seeds[:1024], settings, device, 128)
            yield "128 pairs at a time, without the Triton kernel", 1024 / _seconds(some, device), "pairs/s"
    few = slice(min(len(pairs), 500))
    verify_pairs(queries, index, pairs[:2], seeds[:2], settings)
    began = time.perf_counter()
    verify_pairs(queries, index, pairs[few], seeds[few], settings)
    cores = len(pairs[few]) / (time.perf_counter() - began)
    yield f"the CPU, {torch.get_num_threads()} cores: pairs/s", cores, "pairs/s"
    if device.type == "cuda" and best:
        gpus = best * torch.cuda.device_count()
        yield "verification.cpu_share that keeps all cores and GPUs busy", cores / (cores + gpus), ""
