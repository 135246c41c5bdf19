"""A cosine-softmax head on frozen descriptors: trained in seconds, it gives a supervised projection and label probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from landmarks.device import choose_device
from landmarks.models.losses.cosface import CosFace
from landmarks.progress import progress
from landmarks.seeds import seed_of

_LEARNING_RATE = 2e-3
_ROWS = 8192  # at a time: their cosines to 81 k classes take 2.6 GB


class DescriptorHead(nn.Module):
    """Descriptors (n, inputs) float32 -> projection (n, dimensions) float32, rows of length 1.

    fully connected -> BatchNorm -> ReLU -> dropout -> fully connected -> L2; `classifier` compares the result with one direction per class.
    """

    def __init__(self, inputs: int, hidden: int, dimensions: int, classes: int, margin: float, scale: float):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, dimensions)
        )
        self.classifier = CosFace(dimensions, classes, margin, scale)

    def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.layers(F.normalize(descriptors)))


def create_head(
    inputs: int, hidden: int, dimensions: int, classes: int, margin: float, scale: float, device: str = "auto"
) -> DescriptorHead:
    """A head at its starting weights, always the same, on the device that `choose_device` gives for "auto", "cpu" or "cuda"."""
    torch.manual_seed(seed_of("descriptor head"))
    return DescriptorHead(inputs, hidden, dimensions, classes, margin, scale).to(choose_device(device)[0])


def train_head(head: DescriptorHead, descriptors: np.ndarray, labels: np.ndarray, *, epochs: int, mixup: float) -> None:
    """Train `head` in place, on its device, by AdamW under one cycle of the learning rate.

    descriptors  (n, inputs) floating point, labels (n,) 0..classes-1; n >= 2
    mixup        two images are mixed in shares drawn from Beta(mixup, mixup) (Zhang et al., ICLR 2018); 0 = never
    """
    count, device = len(labels), head.classifier.weight.device
    batch = min(count, max(64, min(4096, count // 50)))
    steps = count // batch  # the remaining rows are not used in this epoch
    groups: list[dict[str, Any]] = [{"params": head.layers.parameters()}, {"params": head.classifier.parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=epochs * steps)
    torch.manual_seed(seed_of("descriptor head", "dropout"))
    random = np.random.default_rng(seed_of("descriptor head", "order"))
    head.train()
    with progress(None, f"train a head on {count} descriptors", "step", total=epochs * steps) as bar:
        for _ in range(epochs):
            order = random.permutation(count)
            for step in range(steps):
                rows = order[step * batch : (step + 1) * batch]
                inputs = torch.from_numpy(descriptors[rows].astype(np.float32)).to(device)
                targets = torch.from_numpy(labels[rows].astype(np.int64)).to(device)
                share = float(random.beta(mixup, mixup)) if mixup else 1.0
                other = torch.from_numpy(random.permutation(batch)).to(device)
                projected = head(share * inputs + (1 - share) * inputs[other])
                loss = share * F.cross_entropy(head.classifier(projected, targets)[0], targets)
                if share < 1:
                    mixed = targets[other]
                    loss = loss + (1 - share) * F.cross_entropy(head.classifier(projected, mixed)[0], mixed)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    head.eval()


@torch.inference_mode()
def apply_head(head: DescriptorHead, descriptors: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Projections (n, dimensions) float32, the `kept` most probable labels (n, kept) int32 and their probabilities (n, kept) float32."""
    weight = F.normalize(head.classifier.weight)
    kept = min(kept, len(weight))
    projections = np.empty((len(descriptors), weight.shape[1]), np.float32)
    labels, probabilities = np.empty((len(descriptors), kept), np.int32), np.empty((len(descriptors), kept), np.float32)
    for start in range(0, len(descriptors), _ROWS):
        part = slice(start, start + _ROWS)
        projected = head(torch.from_numpy(descriptors[part].astype(np.float32)).to(weight.device))
        best = torch.softmax(head.classifier.scale * (projected @ weight.T), dim=1).topk(kept, dim=1)
        projections[part], probabilities[part], labels[part] = projected.cpu(), best.values.cpu(), best.indices.cpu()
    return projections, labels, probabilities
