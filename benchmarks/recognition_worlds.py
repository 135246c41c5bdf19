"""Recognition on descriptors of landmarks: GAP behind every step, and the steps that auto chooses.

    python benchmarks/recognition_worlds.py DESCRIPTORS
    python benchmarks/recognition_worlds.py DESCRIPTORS --halves 1 --cells 0,32,0.2 2,4,0.2

The training descriptors of one half of the landmarks, in the whole index: of every landmark 8 images are queries; a share of the landmarks
is held out whole, so that its queries are distractors; of the others so many images vote. A cell is seed, voting images, share held out.
On half 0 settings are chosen, and on half 1 confirmed. Changes of GAP with their 95 % interval by the bootstrap over queries.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import RecognizeSettings
from landmarks.config.chain import Chain, step_name
from landmarks.metrics.bootstrap import statistic_interval
from landmarks.metrics.recognition import resampled_precisions
from landmarks.ops.vectors import l2_normalise, learn_whitening
from landmarks.progress import say
from landmarks.ranking import Space
from landmarks.rerank.choice_recognition import TRIED, choose_for_recognition
from landmarks.rerank.context import Context
from landmarks.rerank.landmark_votes import landmark_votes
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.verdict import chosen

CELLS = ("0,32,0.2", "1,10,0.2", "2,4,0.2", "3,4,0.5", "4,20,0.6", "5,20,0.05")
WHITENED, NEIGHBOURS, QUERIES = 256, 100, 8
SETTINGS = RecognizeSettings(frequent=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--halves", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--cells", nargs="+", default=CELLS, help="seed,voting images,share held out")
    options = parser.parse_args()
    rows = {split: np.load(options.folder / f"{split}.npy") for split in ("train", "index")}
    labels = np.unique(pd.read_csv(options.folder / "train.csv", dtype=str)["landmark_id"], return_inverse=True)[1]
    names = ["knn", *(f"+ {step.step}" for step in TRIED)]
    say(f"| half | cell | queries | {' | '.join(names)} | auto | less the best prefix | seconds of the choice |")
    say(f"|---|---|---:|{'---:|' * len(names)}---|---|---:|")
    for half in options.halves:
        for cell in options.cells:
            seed, voting, held_out = cell.split(",")
            context, truth = world(rows, labels, half, int(seed), int(voting), float(held_out))
            say(f"| {half} | {cell} | {len(truth)} | {' | '.join(_row(context, truth))} |")


def world(
    rows: dict[str, np.ndarray], labels: np.ndarray, half: int, seed: int, voting: int, held_out: float
) -> tuple[Context, np.ndarray]:
    """Context, and the label of each query, (n_query,) int64, -1 = a distractor."""
    rng = np.random.default_rng(seed)
    mine = rng.permutation(np.random.default_rng(5).permutation(labels.max() + 1)[half::2])
    train, test, truth = [], [], []
    for place, label in enumerate(mine):
        images, known = rng.permutation(np.flatnonzero(labels == label)), place >= round(held_out * len(mine))
        test.append(images[:QUERIES])
        truth.append(np.full(len(test[-1]), label if known else -1))
        train.append(images[QUERIES : QUERIES + voting] if known else images[:0])
    kept = np.sort(np.concatenate(train))
    parts = {"train": rows["train"][kept], "index": rows["index"], "test": rows["train"][np.concatenate(test)]}
    descriptors = {split: l2_normalise(part) for split, part in parts.items()}
    whitening = learn_whitening(descriptors["train"], WHITENED)
    space = Space.from_splits({split: whitening(part).astype(np.float16) for split, part in descriptors.items()})
    return Context(space, labels[kept], descriptors.__getitem__).after(()), np.concatenate(truth)


def _row(context: Context, truth: np.ndarray) -> list[str]:
    started = time.process_time()
    auto = chosen(choose_for_recognition(context, Auto().draw, NEIGHBOURS, SETTINGS))
    seconds = time.process_time() - started
    prefixes = [TRIED[:steps] for steps in range(len(TRIED) + 1)]
    judged = {chain: _judged(context, chain, truth) for chain in dict.fromkeys([*prefixes, auto])}
    once = np.ones((1, len(truth)))

    def gap(chain: Chain, counts: np.ndarray) -> np.ndarray:
        return 100 * resampled_precisions(*judged[chain], truth >= 0, counts)

    best = max(prefixes, key=lambda chain: gap(chain, once)[0])
    low, high = statistic_interval(lambda counts: (gap(auto, counts) - gap(best, counts))[:, None], (len(truth), 1), 2000)[:, 0]
    less = f"{(gap(auto, once) - gap(best, once))[0]:+.2f} ({low:+.2f} to {high:+.2f})"
    scores = [f"{gap(chain, once)[0]:.2f}" for chain in prefixes]
    return [*scores, f"{gap(auto, once)[0]:.2f}: {', '.join(map(step_name, auto))}", less, f"{seconds:.0f}"]


def _judged(context: Context, chain: Chain, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each query is right, and the confidence, behind a chain."""
    ranking = context.search_first(np.arange(len(truth)).astype(str), np.arange(len(context.base.index)).astype(str), NEIGHBOURS)
    for place, step in enumerate(chain):
        ranking = step.apply(ranking, context.after(chain[:place]))
    votes = landmark_votes(context, context.space(ranking), SETTINGS)
    return (truth >= 0) & (np.unique(context.landmark_ids)[votes.labels] == truth), votes.scores


if __name__ == "__main__":
    main()
