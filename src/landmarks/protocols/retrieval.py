"""Retrieval as the Google Landmarks challenge scores it: mAP@100, public and private."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.metrics.google_landmarks import first_positions, precision_at
from landmarks.progress import say
from landmarks.protocols.evaluation import Evaluation, Scores, choices, model_name
from landmarks.scoring import average_precisions, in_percent, mean, predicted_images
from landmarks.store.artefact import library_versions
from landmarks.store.rankings import read_chain_manifests
from landmarks.store.solution import Solution, find_solution, read_solution
from landmarks.store.tables import Tables, positions, read_csv, read_tables, refuse_repeated

GROUPS = "query_groups.csv"


def score_retrieval(config: Config) -> Scores | None:
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    path = find_solution(tables.folder, config.dataset.solution)
    if path is None:
        say(f"evaluate: no retrieval_solution*.csv in {tables.folder}, so there is nothing to score against")
        return None
    solution = read_solution(path, tables.test_ids, tables.index_ids)
    table = pd.DataFrame(
        {"id": solution.query_ids, "usage": solution.usages, "group": _groups(tables, solution), "relevant": np.diff(solution.truth.starts)}
    )
    chains, metrics, evaluations, seconds = [], {}, [], 0.0
    made = choices(config) | {"solution": path.name}
    for name, manifest in read_chain_manifests(config, config.rerank).items():
        seconds += manifest.get("step_seconds", manifest["seconds"])
        predicted = predicted_images(config.run.folder / "rankings" / name, tables, solution)
        table[name] = in_percent(average_precisions(predicted, solution))
        numbers = _summary(predicted, table[name], solution)
        metrics[name] = numbers | {"seconds": round(seconds, 3), "fingerprint": manifest["fingerprint"]}
        chains.append({"chain": name} | {key: numbers[key] for key in ("map_private", "map_public")} | {"seconds": round(seconds, 3)})
        evaluations.append(
            Evaluation(model_name(config), name, "retrieval", str(config.dataset.folder), made, numbers, manifest["fingerprint"])
        )
    return Scores(_results(path.name, table, metrics), pd.DataFrame(chains), table, evaluations)


def _results(solution: str, table: pd.DataFrame, metrics: dict[str, dict]) -> dict[str, Any]:
    groups = table.groupby("group")[list(metrics)].mean().round(4)
    return {
        "unit": "percent",
        "solution": solution,
        "queries": table["usage"].value_counts().to_dict(),
        "chains": metrics,
        "groups": groups.T.to_dict() if len(groups) > 1 else {},
        "versions": library_versions(),
    }


def _summary(predicted: np.ndarray, percent: pd.Series, solution: Solution) -> dict[str, float | None]:
    truth, starts = solution.truth.numbers, solution.truth.starts
    found = first_positions(predicted, truth, starts)
    return {f"map_{usage.lower()}": mean(percent[solution.usages == usage]) for usage in ("Private", "Public")} | {
        "precision_at_1": mean(100 * precision_at(predicted, truth, starts, 1)),
        "precision_at_10": mean(100 * precision_at(predicted, truth, starts, 10)),
        "mean_first_position": float(np.mean(found)) if len(found) else None,
        "median_first_position": float(np.median(found)) if len(found) else None,
    }


def _groups(tables: Tables, solution: Solution) -> list[str]:
    """The group of each query from the dataset's query_groups.csv (id,group), where it has one."""
    path = tables.folder / GROUPS
    if not path.is_file():
        return ["all"] * len(solution.query_ids)
    groups = read_csv(path, ["id", "group"]).to_pandas()
    refuse_repeated(groups["id"].to_numpy(dtype=object), path)
    found = positions(solution.query_ids, groups["id"].to_numpy(dtype=object))
    return ["other" if row < 0 else groups["group"].iloc[row] for row in found]
