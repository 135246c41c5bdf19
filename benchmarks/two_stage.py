"""Label votes, sort-step and insert-step at GLDv2 size, beside the plain per-query pandas way in the same run.

    python benchmarks/two_stage.py                  the peer runs on a sample of the rows and is scaled up
    python benchmarks/two_stage.py --peer-share 1   the peer runs on everything (about ten minutes)

Synthetic: 118 k queries x 100 over 762 k index images, 81,313 labels with a long tail, k = 3. Both ways must agree.
"""

from __future__ import annotations

import argparse
import time

import numba
import numpy as np
import pandas as pd

from landmarks.ops.two_stage import insert_step, sort_step
from landmarks.ops.voting import label_votes

QUERIES, INDEX, LABELS, LISTED, NEIGHBOURS, THRESHOLD = 117_577, 761_757, 81_313, 100, 3, 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-share", type=float, default=0.01, help="share of the rows that the pandas way works on")
    share = parser.parse_args().peer_share
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, LABELS + 1) ** 0.7
    truth = rng.choice(LABELS, QUERIES + INDEX, p=popularity / popularity.sum())
    noise = rng.random((QUERIES + INDEX, NEIGHBOURS)) < 0.4
    neighbour_labels = np.where(noise, rng.integers(0, LABELS, noise.shape), truth[:, None]).astype(np.int64)
    similarities = np.sort(rng.random(noise.shape).astype(np.float32), axis=1)[:, ::-1].copy()
    ranked = _ranked_lists(rng, truth[:QUERIES], truth[QUERIES:])

    votes, vote_seconds = _timed(lambda: label_votes(neighbour_labels, similarities))
    query, index = votes.rows(slice(0, QUERIES)), votes.rows(slice(QUERIES, None))
    result, step_seconds = _timed(lambda: insert_step(sort_step(ranked, query, index), query, index, THRESHOLD))

    rows = np.arange(int(share * len(truth)))
    peer_votes, peer_vote_seconds = _timed(lambda: _vote_with_pandas(neighbour_labels[rows], similarities[rows]), repeats=1)
    sample = np.arange(int(share * QUERIES))
    (images, by_label), peer_once = _timed(lambda: _prepare_with_pandas(index), repeats=1)
    peer_result, peer_step_seconds = _timed(lambda: _two_steps_with_pandas(ranked[sample], query, images, by_label), repeats=1)

    print(f"{numba.get_num_threads()} threads; the pandas way ran on {share:.1%} of the rows and is scaled up")
    print(f"votes for {len(truth):,} rows:            {vote_seconds:7.3f} s    pandas {peer_vote_seconds / share:8.1f} s")
    print(f"sort + insert, {QUERIES:,} x {LISTED}:     {step_seconds:7.3f} s    pandas {peer_once + peer_step_seconds / share:8.1f} s")
    print(f"labels {np.mean(peer_votes == votes.labels[rows]):.2%}, same lists {np.mean((peer_result == result[sample]).all(axis=1)):.2%}")


def _ranked_lists(rng, query_labels, index_labels):
    """About half of a list are images of the query's landmark, as far as it has that many; no image twice."""
    order = np.argsort(index_labels, kind="stable")
    starts, ends = np.searchsorted(index_labels[order], query_labels), np.searchsorted(index_labels[order], query_labels, side="right")
    stride = rng.integers(1, INDEX // LISTED, QUERIES)
    ranked = ((rng.integers(0, INDEX, QUERIES)[:, None] + stride[:, None] * np.arange(LISTED)) % INDEX).astype(np.int32)
    for row in range(QUERIES):
        own = order[starts[row] : ends[row]][: LISTED // 2]
        kept = ranked[row][~np.isin(ranked[row], own)][: LISTED - len(own)]
        both = np.concatenate([own, kept])
        ranked[row] = rng.permutation(both)
    return ranked


def _vote_with_pandas(labels, similarities):
    result = []
    for row, weights in zip(labels, similarities, strict=True):
        sums = pd.Series(weights).groupby(row, sort=False).sum()
        result.append(sums.idxmax())
    return np.array(result)


def _prepare_with_pandas(index):
    images = pd.DataFrame({"label": index.labels, "score": index.scores})
    return images, images.sort_values("score", ascending=False, kind="stable").groupby("label").groups


def _two_steps_with_pandas(ranked, query, images, by_label):
    lists = []
    for listed, label, score in zip(ranked, query.labels, query.scores, strict=False):
        frame = images.iloc[listed]
        same, other = frame[frame["label"] == label].index, frame[frame["label"] != label].index
        more = images.loc[by_label.get(label, [])]
        more = more[(more["score"] + score > np.float32(THRESHOLD)) & ~more.index.isin(same)]
        more = more.sort_values("score", ascending=False, kind="stable").index
        lists.append(np.concatenate([same, more, other])[:LISTED])
    return np.stack(lists)


def _timed(work, repeats: int = 3):
    """The result and the best time; with repeats, the first call compiles and does not count."""
    if repeats > 1:
        work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return result, min(times)


if __name__ == "__main__":
    main()
