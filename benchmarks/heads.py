"""What training heads, samplers and weights are worth where landmarks are rare or labels are wrong, on frozen descriptors.

    ./run.sh sample dataset.folder=DATA
    ./run.sh train dataset.folder=DATA run.folder=RUN models='{imagenet: {backbone: efficientnet_lite0, dimensions: 0, train: false}}'
    ./run.sh extract RUN
    .venv/bin/python benchmarks/heads.py DATA RUN/descriptors/imagenet

    .venv/bin/python benchmarks/heads.py DATA                   DATA has <split>.npy beside its tables, as configs/descriptors.yaml wants

Two training sets are made of the dataset's: one with a long tail (the landmark of rank r keeps 30 r^-0.8 images, at least one), and one
where 30 % of the images have a wrong label. A fully connected layer with BatchNorm is trained on the descriptors of each with the project's
own losses, samplers and weights, by AdamW for 300 steps of 32 images; index and queries are scored by mAP@100. Every variant has the same
five seeds (which landmarks are rare, which labels are wrong, weights, order). A change is the mean over the seeds, its
95 % interval that of a paired bootstrap over queries.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import TrainSettings
from landmarks.data.draws import draw_epoch
from landmarks.data.weights import image_weights
from landmarks.metrics.bootstrap import mean_interval
from landmarks.models.cosine_classifier import adacos_scale, create_classifier
from landmarks.models.margins import margins_by_frequency
from landmarks.seeds import seed_of
from landmarks.store.csv_files import read_csv
from landmarks.store.descriptors import read_descriptors, read_user_descriptors
from landmarks.store.tables import positions, read_ids, read_train
from landmarks.training.local_losses import weighted_cross_entropy
from landmarks.training.schedule import learning_rate

STEPS, BATCH, DIMENSIONS, SEEDS = 300, 32, 256, 5
BASE = {"optimizer": "adamw", "learning_rate": 3e-3, "warmup": 0.1, "weight_decay": 1e-2, "batch_size": BATCH}
VARIANTS = {
    "arcface": {},
    "cosface": {"loss": "cosface"},
    "softmax": {"loss": "softmax"},
    "softmax, adacos": {"loss": "softmax", "scale": "adacos"},
    "margins 0.05 to 0.5": {"margin": 0.05, "rare_margin": 0.5},
    "3 centres": {"centres": 3},
    "3 centres, margins 0.05 to 0.5": {"centres": 3, "margin": 0.05, "rare_margin": 0.5},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "square_root": {"sampler": "square_root"},
    "pairs": {"sampler": "pairs"},
    "class weight 0.5": {"class_weight": 0.5},
}
NOISE_VARIANTS = {"wrong labels at weight 0.5": {"unclean_weight": 0.5}, "wrong labels at weight 0": {"unclean_weight": 0.0}}


class Data(NamedTuple):
    """Descriptors float32 of unit length; labels (n,) int64; of the queries, which index images are theirs."""

    train: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    queries: np.ndarray
    relevant: np.ndarray
    landmark: np.ndarray | None  # (queries,) label, -1 = not in train; None: not known


class Planted(NamedTuple):
    """rows of the training set, the labels that are trained on, and whether each is right."""

    rows: np.ndarray
    labels: np.ndarray
    right: np.ndarray


def read(dataset: Path, descriptors: Path | None) -> Data:
    vectors = {}
    for split in ("train", "index", "test"):
        if descriptors is None:
            vectors[split] = read_user_descriptors(dataset, split, read_ids(dataset / f"{split}.csv"))
        else:
            vectors[split] = read_descriptors(descriptors / split)
    table = read_train(dataset / "train.csv")
    labels = np.unique(table.landmark_ids, return_inverse=True)[1]
    train = vectors["train"].matrix[positions(table.ids, vectors["train"].ids)]
    solution = read_csv(dataset / "retrieval_solution.csv", ["id", "images"]).to_pandas()
    solution = solution[solution["images"] != "None"]
    queries = vectors["test"].matrix[positions(solution["id"], vectors["test"].ids)]
    relevant = np.zeros((len(queries), len(vectors["index"].ids)), bool)
    for query, images in enumerate(solution["images"]):
        relevant[query, positions(images.split(), vectors["index"].ids)] = True
    landmark = None
    if (dataset / "recognition_solution.csv").exists():
        known = read_csv(dataset / "recognition_solution.csv", ["id", "landmarks"]).to_pandas().set_index("id")["landmarks"]
        names = [str(landmark) for landmark in np.unique(table.landmark_ids)]
        landmark = np.array([names.index(known[id]) if known.get(id, "") in names else -1 for id in solution["id"]])
    parts = [part.astype(np.float32) for part in (train, np.asarray(vectors["index"].matrix), queries)]
    train, index, queries = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts)
    return Data(train, labels, index, queries, relevant, landmark)


def long_tail(data: Data, seed: int) -> Planted:
    random = np.random.default_rng(seed_of("tail", seed))
    ranks = random.permutation(data.labels.max() + 1) + 1
    kept = []
    for label, rank in enumerate(ranks):
        rows = random.permutation(np.flatnonzero(data.labels == label))
        kept.append(rows[: max(1, round(30 * rank**-0.8))])
    rows = np.sort(np.concatenate(kept))
    return Planted(rows, data.labels[rows], np.ones(len(rows), bool))


def noise(data: Data, seed: int) -> Planted:
    random = np.random.default_rng(seed_of("noise", seed))
    wrong = random.random(len(data.labels)) < 0.3
    classes = data.labels.max() + 1
    others = (data.labels + random.integers(1, classes, len(data.labels))) % classes
    return Planted(np.arange(len(data.labels)), np.where(wrong, others, data.labels), ~wrong)


def scores(data: Data, planted: Planted, settings: TrainSettings, seed: int) -> np.ndarray:
    """AP@100 of every query, in percent."""
    torch.manual_seed(seed_of("weights", seed))
    counts = np.bincount(planted.labels)
    margin = settings.margin if settings.rare_margin is None else margins_by_frequency(counts, settings.margin, settings.rare_margin)
    scale = adacos_scale(len(counts)) if settings.scale == "adacos" else settings.scale
    classifier = create_classifier(settings.loss, DIMENSIONS, len(counts), margin, scale, centres=settings.centres)
    head = nn.Sequential(nn.Linear(data.train.shape[1], DIMENSIONS), nn.BatchNorm1d(DIMENSIONS))
    optimizer = torch.optim.AdamW([*head.parameters(), *classifier.parameters()], weight_decay=settings.weight_decay)
    weights = image_weights(planted.labels, settings.class_weight, planted.right, settings.unclean_weight)
    inputs, labels = torch.from_numpy(data.train[planted.rows]), torch.from_numpy(planted.labels)
    order: list[int] = []
    for epoch in range(STEPS):
        if len(order) >= STEPS * BATCH:
            break
        rows = draw_epoch(planted.labels, settings.sampler, np.random.default_rng(seed_of("order", seed, epoch)))
        order += rows[: len(rows) // BATCH * BATCH].tolist()
    for step in range(STEPS):
        batch = torch.tensor(order[step * BATCH : (step + 1) * BATCH])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, STEPS, settings)
        logits, _ = classifier(F.normalize(head(inputs[batch])), labels[batch])
        weight = None if weights is None else torch.from_numpy(weights)[batch]
        optimizer.zero_grad()
        weighted_cross_entropy(logits, labels[batch], weight, settings.label_smoothing).backward()
        optimizer.step()
    head.eval()
    with torch.inference_mode():
        queries, index = (F.normalize(head(torch.from_numpy(part))) for part in (data.queries, data.index))
        best = (queries @ index.T).topk(100, dim=1).indices.numpy()
    hits = np.take_along_axis(data.relevant, best, axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, 101)
    return 100 * (precision * hits).sum(axis=1) / np.minimum(data.relevant.sum(axis=1), 100)


def compare(name: str, data: Data, plant, variants: dict[str, dict]) -> None:
    """Print a line for each variant: mAP@100 of all queries, and its change on queries of all, of rare, frequent and other landmarks."""
    every = [plant(data, seed) for seed in range(SEEDS)]
    counts = np.stack([np.bincount(planted.labels, minlength=data.labels.max() + 1) for planted in every])
    groups = {"all": np.ones((SEEDS, len(data.queries)), bool)}
    if data.landmark is not None:
        of_query = np.where(data.landmark >= 0, counts[:, data.landmark], -1)  # images that train has of the query's landmark
        groups |= {"3 or less": (of_query >= 0) & (of_query <= 3), "more": of_query > 3, "not in train": of_query < 0}
    print(f"{name}: {len(every[0].rows)} images of {len(counts[0])} landmarks, {len(data.queries)} queries, {SEEDS} seeds", flush=True)
    base = None
    for variant, changes in variants.items():
        settings = TrainSettings.model_validate({**BASE, "unclean_weight": 1.0, **changes})
        values = np.stack([scores(data, planted, settings, seed) for seed, planted in enumerate(every)])
        base = values if base is None else base
        columns = [f"{values.mean():6.2f}"]
        for group, member in groups.items():
            if not member.any():
                continue
            times = member.sum(axis=0)
            difference = ((values - base) * member).sum(axis=0)[times > 0] / times[times > 0]
            low, high = mean_interval(difference[:, None])[:, 0]
            columns.append(f"{group} {difference.mean():+5.2f} [{low:+.2f}, {high:+.2f}]")
        print(f"  {variant:32s} {'   '.join(columns)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder of the tables")
    parser.add_argument("descriptors", type=Path, nargs="?", help="descriptors of an untrained model, RUN/descriptors/MODEL")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = read(arguments.dataset, arguments.descriptors)
    compare("long tail", data, long_tail, VARIANTS)
    compare("wrong labels", data, noise, VARIANTS | NOISE_VARIANTS)


if __name__ == "__main__":
    main()
