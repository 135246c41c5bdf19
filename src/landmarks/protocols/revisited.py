"""Revisited Oxford and Paris: mAP and mean precision at 1, 5 and 10; Easy, Medium and Hard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import Chain, Config, chain_names, without_junk_before_verify
from landmarks.metrics.revisited import DIFFICULTIES, average_precision, precision_at, without_junk
from landmarks.ops.completion import complete_ranks
from landmarks.progress import progress
from landmarks.protocols.evaluation import Evaluation, Scores, choices, model_name
from landmarks.scoring import in_percent, mean
from landmarks.store.artefact import library_versions
from landmarks.store.files import read_array
from landmarks.store.rankings import SPACE, read_chain_manifests, read_ranking
from landmarks.store.revisited import RevisitedTruth, read_revisited_truth
from landmarks.store.tables import read_csv_header, read_tables

PLACES = (1, 5, 10)


def score_revisited(config: Config) -> Scores:
    """Whatever stands behind a list counts in the order of its similarity: the whole index is ranked, as the protocol asks.

    Queries without a positive of a difficulty are left out of that difficulty's means. Raises UserError where the ground truth
    is missing or belongs to other images.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    made = choices(config) | {"query crop": _crop(config), "distractors": str(config.dataset.distractors or "none")}
    table, truth = pd.DataFrame({"id": tables.test_ids}), None
    rows, metrics, evaluations, ranked = [], {}, [], None
    seconds = dict.fromkeys(DIFFICULTIES, 0.0)
    for steps, name in enumerate(progress(chain_names(config.rerank), "evaluate", "chain")):
        numbers: dict[str, float | None] = {}
        for difficulty in DIFFICULTIES:
            chain = _prefix(config, difficulty, steps)
            names = chain_names(chain)
            manifest = read_chain_manifests(config, chain)[names[-1]]
            seconds[difficulty] += manifest.get("step_seconds", manifest["seconds"])
            if names[-1] != ranked:  # most chains are the same for all difficulties
                ranking, ranked = read_ranking(config.run.folder / "rankings" / names[-1]), names[-1]
                truth = truth or read_revisited_truth(tables.folder, ranking.query_ids, ranking.index_ids)
                ranks = _ranks(ranking.indices, *_vectors(config.run.folder, names), truth)
            measured = np.array([_measure(of_query, difficulty) for of_query in ranks]).reshape(-1, 1 + len(PLACES))
            table[f"{name} {difficulty}"] = (
                pd.Series(in_percent(measured[:, 0]), index=ranking.query_ids).reindex(tables.test_ids).to_numpy()
            )
            keys = [f"map_{difficulty}", *(f"precision_at_{at}_{difficulty}" for at in PLACES)]
            numbers |= dict(zip(keys, (_mean(column) for column in measured.T), strict=True))
        spent = round(max(seconds.values()), 3)
        metrics[name] = numbers | {"seconds": spent, "fingerprint": manifest["fingerprint"]}
        rows.append({"chain": name} | numbers | {"seconds": spent})
        evaluations.append(
            Evaluation(model_name(config), name, "revisited", str(config.dataset.folder), made, numbers, manifest["fingerprint"])
        )
    return Scores(_results(config, made, metrics, table), pd.DataFrame(rows), table, evaluations)


def _prefix(config: Config, difficulty: str, steps: int) -> Chain:
    """The first steps of the chain as they were carried out for this difficulty."""
    return without_junk_before_verify(config.rerank[:steps], difficulty)


def _vectors(folder: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Those that the last search of the chain went through, of queries and index, mapped from disk."""
    for name in reversed(names):
        space = folder / "rankings" / name / SPACE
        if space.is_dir():
            return tuple(read_array(space / f"{split}.npy", mapped=True) for split in ("test", "index"))
    return tuple(read_array(folder / "space" / split / "vectors.npy", mapped=True) for split in ("test", "index"))


def _ranks(indices: np.ndarray, queries: np.ndarray, index: np.ndarray, truth: RevisitedTruth) -> list[dict[str, np.ndarray]]:
    """Of each query the ranks of its images of each kind, in the whole ranking, 0 = first."""
    kinds = list(truth.images)
    wanted = list(zip(*truth.images.values(), strict=True))
    found = complete_ranks(indices, queries, index, [np.concatenate(rows) for rows in wanted])
    ends = [np.cumsum([len(images) for images in rows])[:-1] for rows in wanted]
    return [dict(zip(kinds, np.split(ranks, cuts), strict=True)) for ranks, cuts in zip(found, ends, strict=True)]


def _measure(ranks: dict[str, np.ndarray], difficulty: str) -> list[float]:
    """AP and precisions of one query."""
    positives, junk = (np.concatenate([ranks[kind] for kind in kinds]) for kinds in DIFFICULTIES[difficulty])
    clean = without_junk(positives, junk)
    return [average_precision(clean, len(clean)), *(precision_at(clean, len(clean), at) for at in PLACES)]


def _mean(column: np.ndarray) -> float | None:
    return mean(100 * column[~np.isnan(column)])


def _crop(config: Config) -> str:
    if not config.models:
        return "not known (descriptors as given)"
    return "the authors' boxes" if "left" in read_csv_header(config.tables_folder / "test.csv") else "none: whole pictures"


def _results(config: Config, made: dict[str, str], metrics: dict[str, dict], table: pd.DataFrame) -> dict[str, Any]:
    first = chain_names(config.rerank)[0]
    queries = {difficulty: int(table[f"{first} {difficulty}"].notna().sum()) for difficulty in DIFFICULTIES}
    return {
        "unit": "percent",
        "protocol": "revisited",
        "choices": made,
        "queries": queries,
        "chains": metrics,
        "versions": library_versions(),
    }
