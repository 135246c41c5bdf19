"""From a submission CSV to mAP@100 at GLDv2 size, beside pandas with a loop over the queries in the same run.

    python benchmarks/score_submission.py

Synthetic: 118 k scored queries with 100 images each, over 762 k index images. Both ways must give the same number.
Ours also validates every id (unknown query, unknown image, too many images); the peer trusts the file.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.datasets.solution import read_solution
from landmarks.datasets.submission import MAX_IMAGES, read_submission
from landmarks.metrics.google_landmarks import average_precision
from landmarks.store.tables import positions, read_ids

QUERIES, INDEX, TRUE_IMAGES = 117_577, 761_757, 20


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_files(folder)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            ours = _ours(folder)
            times.append(time.perf_counter() - started)
        started = time.perf_counter()
        peer = _with_pandas(folder)
        peer_seconds = time.perf_counter() - started
    print(f"first call, with compilation where no cache is: {times[0]:.2f} s")
    print(f"CSV to mAP@100, {QUERIES:,} x {MAX_IMAGES}: {min(times[1:]):6.2f} s    pandas {peer_seconds:6.2f} s")
    print(f"mAP@100 {100 * ours:.6f} and {100 * peer:.6f}")


def _make_files(folder: Path) -> None:
    rng = np.random.default_rng(0)
    ids = np.array([f"{number:016x}" for number in rng.choice(2**62, QUERIES + INDEX, replace=False)], object)
    tests, index = ids[:QUERIES], ids[QUERIES:]
    predicted = (rng.integers(0, INDEX, (QUERIES, 1)) + rng.integers(1, 7000, (QUERIES, 1)) * np.arange(MAX_IMAGES)) % INDEX
    picked = rng.random(predicted.shape) < TRUE_IMAGES / 2 / MAX_IMAGES
    truth = [
        np.unique(np.concatenate([row[mask], rng.integers(0, INDEX, TRUE_IMAGES // 2)]))
        for row, mask in zip(predicted, picked, strict=True)
    ]
    pd.DataFrame({"id": index}).to_csv(folder / "index.csv", index=False)
    pd.DataFrame({"id": tests}).to_csv(folder / "test.csv", index=False)
    pd.DataFrame({"id": tests, "images": [" ".join(index[row]) for row in predicted]}).to_csv(folder / "submission.csv", index=False)
    pd.DataFrame(
        {"id": tests, "images": [" ".join(index[row]) for row in truth], "Usage": rng.choice(["Public", "Private"], QUERIES)}
    ).to_csv(folder / "solution.csv", index=False)


def _ours(folder: Path) -> float:
    tests, index = read_ids(folder / "test.csv"), read_ids(folder / "index.csv")
    solution = read_solution(folder / "solution.csv", tests, index)
    submission = read_submission(folder / "submission.csv", tests, index)
    predicted = submission.rows(positions(solution.query_ids, tests)).padded(MAX_IMAGES)
    return average_precision(predicted, solution.truth.numbers, solution.truth.starts).mean()


def _with_pandas(folder: Path) -> float:
    solution = pd.read_csv(folder / "solution.csv", dtype=str).set_index("id")
    submission = pd.read_csv(folder / "submission.csv", dtype=str).set_index("id")
    scores = []
    for query, true in solution["images"].items():
        wanted, found, total = set(true.split()), 0, 0.0
        for place, image in enumerate(submission.at[query, "images"].split()[:MAX_IMAGES], start=1):
            if image in wanted:
                wanted.remove(image)
                found += 1
                total += found / place
        scores.append(total / min(len(true.split()), MAX_IMAGES))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()
