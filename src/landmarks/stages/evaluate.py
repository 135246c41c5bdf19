"""evaluate: rankings + ground truth -> mAP@100 of every prefix of the chain, or of any submission file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.metrics.google_landmarks import first_positions, precision_at
from landmarks.progress import say
from landmarks.scoring import average_precisions, in_percent, mean, predicted_images
from landmarks.store.artefact import library_versions
from landmarks.store.files import write_json
from landmarks.store.rankings import read_chain_manifests
from landmarks.store.solution import Solution, find_solution, read_solution
from landmarks.store.submission import MOST_IMAGES, read_submission
from landmarks.store.tables import Tables, positions, read_csv, read_tables, refuse_repeated, write_csv
from landmarks.summary import print_scores

GROUPS = "query_groups.csv"
RESULTS = ("metrics.json", "per_query.csv", "ablation.csv")


def evaluate(config: Config) -> Path | None:
    """Write metrics.json, per_query.csv and ablation.csv to run.folder; returns it, or None without a solution file.

    With evaluate.submission only that file is validated and scored, and nothing is written.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    path = find_solution(tables.folder, config.dataset.solution)
    if path is None:
        say(f"evaluate: no retrieval_solution*.csv in {tables.folder}, so there is nothing to score against")
        if config.evaluate.submission is not None:
            read_submission(config.evaluate.submission, tables.test_ids, tables.index_ids)
            say(f"evaluate: {config.evaluate.submission} is valid")
            return None
        for name in RESULTS:  # scores of an earlier run would pass for today's
            (config.run.folder / name).unlink(missing_ok=True)
        return None
    solution = read_solution(path, tables.test_ids, tables.index_ids)
    if config.evaluate.submission is not None:
        return _score_file(config.evaluate.submission, tables, solution)
    folder = config.run.folder
    table = pd.DataFrame(
        {"id": solution.query_ids, "usage": solution.usages, "group": _groups(tables, solution), "relevant": np.diff(solution.truth.starts)}
    )
    chains, metrics, seconds = [], {}, 0.0
    for name, manifest in read_chain_manifests(config, config.rerank).items():
        seconds += manifest.get("step_seconds", manifest["seconds"])
        predicted = predicted_images(folder / "rankings" / name, tables, solution)
        table[name] = in_percent(average_precisions(predicted, solution))
        metrics[name] = _summary(predicted, table[name], solution) | {"seconds": round(seconds, 3), "fingerprint": manifest["fingerprint"]}
        chains.append(
            {
                "chain": name,
                "map_private": metrics[name]["map_private"],
                "map_public": metrics[name]["map_public"],
                "seconds": round(seconds, 3),
            }
        )
    groups = table.groupby("group")[list(metrics)].mean().round(4)
    write_csv(folder / "per_query.csv", table)
    write_csv(folder / "ablation.csv", pd.DataFrame(chains))
    results = {
        "unit": "percent",
        "solution": path.name,
        "queries": table["usage"].value_counts().to_dict(),
        "chains": metrics,
        "groups": groups.T.to_dict() if len(groups) > 1 else {},
        "versions": library_versions(),
    }
    write_json(folder / "metrics.json", results)
    print_scores(results)
    return folder


def _summary(predicted: np.ndarray, percent: pd.Series, solution: Solution) -> dict[str, float | None]:
    truth, starts = solution.truth.numbers, solution.truth.starts
    found = first_positions(predicted, truth, starts)
    return {f"map_{usage.lower()}": mean(percent[solution.usages == usage]) for usage in ("Private", "Public")} | {
        "precision_at_1": mean(100 * precision_at(predicted, truth, starts, 1)),
        "precision_at_10": mean(100 * precision_at(predicted, truth, starts, 10)),
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


def _score_file(path: Path, tables: Tables, solution: Solution) -> None:
    lists = read_submission(path, tables.test_ids, tables.index_ids)
    if len(solution.query_ids) == 0:
        raise UserError("the solution has no scored query", where=tables.folder, next="check dataset.solution")
    predicted = lists.rows(positions(solution.query_ids, lists.ids)).padded(MOST_IMAGES)
    percent = 100 * average_precisions(predicted, solution)
    for usage in ("Private", "Public"):
        chosen = percent[solution.usages == usage]
        if len(chosen):
            say(f"{path}: mAP@100 {usage.lower()} {chosen.mean():.2f} ({len(chosen)} queries)")
