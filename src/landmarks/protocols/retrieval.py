"""Retrieval as the Google Landmarks challenge scores it: mAP@100, public and private."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import Chain, Config
from landmarks.datasets.solution import Solution, find_solution, read_solution
from landmarks.datasets.submission import MAX_IMAGES, read_submission
from landmarks.errors import UserError
from landmarks.metrics.google_landmarks import average_precision, first_positions, precision_at
from landmarks.progress import say
from landmarks.scoring.evaluation import in_percent, mean
from landmarks.scoring.judge import Judge, Judged
from landmarks.scoring.protocol import Protocol
from landmarks.search.rankings import listed_numbers, read_chain_ranking
from landmarks.store.csv_files import read_csv
from landmarks.store.tables import Tables, positions, read_tables, refuse_repeated
from landmarks.summary import print_scores

GROUPS = "query_groups.csv"


class Retrieval(Protocol):
    def judge(self, config: Config) -> RetrievalJudge | None:
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        path = find_solution(tables.folder, config.dataset.solution)
        if path is None:
            return None
        return RetrievalJudge(config, tables, read_solution(path, tables.test_ids, tables.index_ids), path)

    def score_file(self, config: Config, path: Path) -> None:
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        solution_path = find_solution(tables.folder, config.dataset.solution)
        lists = read_submission(path, tables.test_ids, tables.index_ids)
        if solution_path is None:
            say(f"evaluate: {path} is valid; no retrieval_solution*.csv in {tables.folder}, so there is nothing to score against")
            return
        solution = read_solution(solution_path, tables.test_ids, tables.index_ids)
        if len(solution.query_ids) == 0:
            raise UserError("the solution has no scored query", where=tables.folder, next="check dataset.solution")
        predicted = lists.rows(positions(solution.query_ids, lists.ids)).padded(MAX_IMAGES)
        percent = 100 * average_precisions(predicted, solution)
        for usage in ("Private", "Public"):
            chosen = percent[solution.usages == usage]
            if len(chosen):
                say(f"{path}: mAP@100 {usage.lower()} {chosen.mean():.2f} ({len(chosen)} queries)")

    def show(self, results: dict[str, Any]) -> None:
        print_scores(results)


class RetrievalJudge(Judge):
    protocol, title, short = "retrieval", "mAP@100", "AP"
    compared = "the mean over private and public queries together"
    headings = {"map_private": "private", "map_public": "public"}
    remedy = "dataset.solution=FILE, one with Private or Public queries"

    def __init__(self, config: Config, tables: Tables, solution: Solution, path: Path):
        self._config, self._tables, self._solution = config, tables, solution
        self.choices = {"solution": path.name}
        self.truth_files = (path, *filter(Path.is_file, [tables.folder / GROUPS]))
        groups, relevant = _groups(tables, solution), np.diff(solution.truth.starts)
        self._queries = pd.DataFrame({"id": solution.query_ids, "usage": solution.usages, "group": groups, "relevant": relevant})
        self._counts = {usage: int((solution.usages == usage).sum()) for usage in sorted(set(solution.usages))}

    @property
    def queries(self) -> pd.DataFrame:
        return self._queries

    @property
    def counts(self) -> dict[str, int]:
        return self._counts

    def judge(self, chain: Chain) -> Judged:
        ranking = read_chain_ranking(self._config, chain)
        predicted = listed_numbers(ranking, self._solution.query_ids, self._tables.index_ids, MAX_IMAGES)
        precisions, usages = average_precisions(predicted, self._solution), self._solution.usages
        measures = {f"map_{usage.lower()}": np.where(usages == usage, precisions, np.nan) for usage in ("Private", "Public")}
        numbers = {name: mean(in_percent(values[~np.isnan(values)])) for name, values in measures.items()}
        return Judged(measures, precisions, numbers | self._more_numbers(predicted))

    def per_query(self, name: str, judged: Judged) -> dict[str, np.ndarray]:
        return {name: in_percent(judged.decisive)}

    def true_images(self, query: str) -> set[str]:
        truth = self._solution.truth
        row = positions([query], truth.ids)[0]
        return set(self._tables.index_ids[truth.numbers[truth.starts[row] : truth.starts[row + 1]]]) if row >= 0 else set()

    def subjects(self) -> list[str]:
        """The first of a query's true images by id."""
        truth = self._solution.truth
        return [min(self._tables.index_ids[truth.numbers[start:end]]) for start, end in zip(truth.starts, truth.starts[1:], strict=False)]

    def public(self) -> np.ndarray:
        return self._solution.usages == "Public"

    def tabled(self, numbers: dict[str, float | None]) -> dict[str, float | None]:
        return {name: numbers[name] for name in self.headings}

    def more_results(self, per_query: pd.DataFrame, names: list[str]) -> dict[str, Any]:
        groups = per_query.groupby("group")[names].mean().round(4)
        return {"solution": self.choices["solution"], "groups": groups.T.to_dict() if len(groups) > 1 else {}}

    def _more_numbers(self, predicted: np.ndarray) -> dict[str, float | None]:
        case = predicted, self._solution.truth.numbers, self._solution.truth.starts
        found = first_positions(*case)
        return {
            "precision_at_1": mean(100 * precision_at(*case, 1)),
            "precision_at_10": mean(100 * precision_at(*case, 10)),
            "mean_first_position": float(np.mean(found)) if len(found) else None,
            "median_first_position": float(np.median(found)) if len(found) else None,
        }


def average_precisions(predicted: np.ndarray, solution: Solution) -> np.ndarray:
    """AP@100 of each of the solution's queries, (n_query,) float64 from 0 to 1."""
    return average_precision(predicted, solution.truth.numbers, solution.truth.starts, MAX_IMAGES)


def _groups(tables: Tables, solution: Solution) -> list[str]:
    """The group of each query from the dataset's query_groups.csv (id,group), where it has one."""
    path = tables.folder / GROUPS
    if not path.is_file():
        return ["all"] * len(solution.query_ids)
    groups = read_csv(path, ["id", "group"]).to_pandas()
    refuse_repeated(groups["id"].to_numpy(dtype=object), path)
    found = positions(solution.query_ids, groups["id"].to_numpy(dtype=object))
    return ["other" if row < 0 else groups["group"].iloc[row] for row in found]
