"""Recognition as the Google Landmarks challenge scores it: GAP, public and private, with and without distractors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Config, RecognizeSettings, chain_names
from landmarks.datasets.recognition import (
    Predictions,
    RecognitionSolution,
    read_predictions,
    read_recognition_solution,
)
from landmarks.datasets.solution import find_solution
from landmarks.errors import UserError
from landmarks.metrics.recognition import correct_predictions, micro_average_precision
from landmarks.progress import say
from landmarks.scoring.evaluation import Evaluation, Scores, choices, in_percent, mean, model_name
from landmarks.scoring.protocol import Protocol
from landmarks.search.current import require_current_search
from landmarks.search.origins import digest
from landmarks.search.rankings import read_chain_manifests
from landmarks.store.artefact import library_versions, read_manifest
from landmarks.store.tables import read_tables
from landmarks.summary import print_protocol


def recognition_settings(settings: RecognizeSettings) -> dict[str, Any]:
    """What shapes the predictions beside the ranking and the local features, as their manifest has it."""
    return {"recognize": settings.model_dump(mode="json", exclude={"solution"})}


def recognition_inputs(config: Config, ranking: str) -> dict[str, str]:
    """What the predictions are made from, beside the model. ranking: the fingerprint of the chain's ranking."""
    train = read_manifest(config.run.folder / "space" / "train")["fingerprint"]
    return {"ranking": ranking, "train": train, "labels": digest(config.tables_folder / config.dataset.train_table)}


def read_recognition_manifest(config: Config) -> dict[str, Any]:
    """The manifest of <run>/recognition. Raises UserError where no predictions are, or those of other settings."""
    folder = config.run.folder / "recognition"
    require_current_search(config, train=True)  # by an empty chain, too
    manifest, ranking = read_manifest(folder), list(read_chain_manifests(config, config.rerank).values())[-1]
    settings = {name: manifest["settings"].get(name) for name in recognition_settings(config.recognize)}
    made_from = recognition_inputs(config, ranking["fingerprint"])
    same = {name: manifest["inputs"].get(name) for name in made_from} == made_from
    if settings != recognition_settings(config.recognize) or not same:
        what = "these predictions were made with other settings, or from other tables"
        raise UserError(what, where=folder, next=next_command("recognize"))
    return manifest


class Recognition(Protocol):
    """Its numbers are not means over queries, so that it has no judge."""

    stages = ("recognize",)
    reads_train = True
    has_judge = False
    results_folder = "recognition"

    def judge(self, config: Config) -> None:
        raise UserError(
            "ablations compare scores query by query, and the protocol recognition has none",
            where="evaluate.protocol",
            next=next_command("recognize") + "  (with one chain, then the other: their GAP is in the ledger)",
        )

    def score(self, config: Config) -> Scores | None:
        """The predictions that `recognize` made, as they would be submitted; the chain is the one whose vectors they were searched in."""
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        path = find_solution(tables.folder, config.recognize.solution, "recognition", "recognize.solution")
        if path is None:
            say(f"evaluate: no recognition_solution*.csv in {tables.folder}, so there is nothing to score against")
            return None
        folder = config.run.folder / "recognition"
        manifest = read_recognition_manifest(config)
        predictions = read_predictions(folder / "submission.csv", tables.test_ids)
        solution = read_recognition_solution(path, tables.test_ids)
        chain = chain_names(config.rerank)[-1]
        require_answerable(solution, path)
        numbers = recognition_numbers(predictions, solution)
        made = choices(config) | {"solution": path.name} | _words(config.recognize)
        spent = manifest["seconds"]
        results = {
            "unit": "percent",
            "protocol": "recognition",
            "choices": made,
            "queries": _counts(solution),
            "chains": {chain: numbers | {"seconds": spent, "fingerprint": manifest["fingerprint"]}},
            "versions": library_versions(),
        }
        dataset, fingerprint = str(config.dataset.folder), manifest["fingerprint"]
        evaluation = Evaluation(model_name(config.models), chain, "recognition", dataset, made, numbers, fingerprint)
        rows = pd.DataFrame([{"chain": chain} | numbers | {"seconds": spent}])
        return Scores(results, rows, _table(predictions, solution), [evaluation])

    def score_file(self, config: Config, path: Path) -> None:
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        predictions = read_predictions(path, tables.test_ids)
        solution = find_solution(tables.folder, config.recognize.solution, "recognition", "recognize.solution")
        if solution is None:
            say(f"evaluate: {path} is valid; no recognition_solution*.csv in {tables.folder}, so there is nothing to score against")
            return
        truth = read_recognition_solution(solution, tables.test_ids)
        require_answerable(truth, solution)
        numbers = recognition_numbers(predictions, truth)
        say(f"{path}: " + ", ".join(f"{name} {value:.2f}" for name, value in numbers.items() if value is not None))

    def show(self, results: dict[str, Any]) -> None:
        print_protocol(results, seconds="seconds of recognize")


def require_answerable(solution: RecognitionSolution, path: Path) -> None:
    """Raise UserError where no scored query has a landmark: there is nothing to recognise."""
    if len(solution.landmarks) == 0:
        scored = "no scored query" if len(solution.query_ids) == 0 else "no query with a landmark"
        raise UserError(f"the solution has {scored}", where=path, next="recognize.solution=FILE, one with Private or Public queries")


def recognition_numbers(predictions: Predictions, solution: RecognitionSolution) -> dict[str, float | None]:
    """In percent, None where no query has a landmark; for "private" and "public" each:

    gap_<usage>, gap_<usage>_without_distractors  micro average precision
    accuracy_<usage>                              of the queries with a landmark, how many are right, however sure
    """
    columns: dict[str, dict[str, float | None]] = {"gap": {}, "without": {}, "accuracy": {}}
    for usage in ("Private", "Public"):
        part, name = solution.of_usage(usage), usage.lower()
        chosen = predictions.for_ids(part.query_ids)
        case = chosen.landmark_ids, chosen.confidences, part.landmarks, part.starts
        columns["gap"][f"gap_{name}"] = _percent(micro_average_precision(*case))
        columns["without"][f"gap_{name}_without_distractors"] = _percent(micro_average_precision(*case, distractors=False))
        columns["accuracy"][f"accuracy_{name}"] = mean(in_percent(correct_predictions(*case)[np.diff(part.starts) > 0]))
    return columns["gap"] | columns["without"] | columns["accuracy"]


def _percent(share: float) -> float | None:
    return None if np.isnan(share) else round(100 * share, 4)


def _counts(solution: RecognitionSolution) -> dict[str, int]:
    counts = {usage.lower(): int((solution.usages == usage).sum()) for usage in ("Private", "Public")}
    return counts | {"of them distractors": int((np.diff(solution.starts) == 0).sum())}


def _words(settings: RecognizeSettings) -> dict[str, str]:
    """What changes the numbers of recognition alone."""
    score = f"inliers and {settings.cosine_weight:g} x cosine" if settings.verify else "cosine"
    words = {"votes": f"{settings.neighbours} nearest training images by {score}", "demoted": f"more than {settings.frequent} queries"}
    if not settings.frequent:
        words["demoted"] = "none"
    if settings.non_landmark_ids:
        words["non-landmark penalty"] = f"{settings.non_landmark_weight:g} x mean of {settings.non_landmark_neighbours}"
    return words


def _table(predictions: Predictions, solution: RecognitionSolution) -> pd.DataFrame:
    """A row a query, the surest first: id, usage, landmarks, predicted, confidence, correct; the last three empty without a prediction."""
    chosen = predictions.for_ids(solution.query_ids)
    some = chosen.confidences > -np.inf
    correct = correct_predictions(chosen.landmark_ids, chosen.confidences, solution.landmarks, solution.starts)
    shown = [" ".join(map(str, solution.landmarks[start:end])) for start, end in zip(solution.starts, solution.starts[1:])]
    columns = {"id": solution.query_ids, "usage": solution.usages, "landmarks": shown}
    columns |= {
        "predicted": np.where(some, chosen.landmark_ids.astype(object), ""),
        "confidence": np.where(some, chosen.confidences, np.nan),
        "correct": np.where(some, correct.astype(int).astype(object), ""),
    }
    return pd.DataFrame(columns).sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
