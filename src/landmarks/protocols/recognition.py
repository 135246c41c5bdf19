"""Recognition as the Google Landmarks challenge scores it: GAP, public and private, with and without distractors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import Chain, Config, RecognizeSettings, chain_names
from landmarks.datasets.recognition import (
    Predictions,
    RecognitionSolution,
    read_predictions,
    read_recognition_solution,
)
from landmarks.datasets.solution import find_solution
from landmarks.errors import UserError
from landmarks.metrics.bootstrap import statistic_interval
from landmarks.metrics.recognition import correct_predictions, micro_average_precision, resampled_precisions
from landmarks.progress import say
from landmarks.rerank.recognition import (
    SUBMISSION,
    make_predictions,
    predictions_artefact,
    read_recognition_manifest,
)
from landmarks.scoring.evaluation import Evaluation, Scores, choices, in_percent, mean, model_name
from landmarks.scoring.judge import Judge, Judged
from landmarks.scoring.protocol import Protocol
from landmarks.store.artefact import library_versions
from landmarks.store.tables import read_tables
from landmarks.summary import print_protocol


@dataclass(frozen=True)
class JudgedPredictions(Judged):
    """Decisive is whether a query's landmark is right; confidences (n_query,), -inf = no prediction."""

    confidences: np.ndarray


class RecognitionJudge(Judge):
    """Predictions behind any chain, made where they are not there, by GAP over all queries; GAP is no mean over queries."""

    protocol, title, short = "recognition", "GAP", "right"
    compared = "GAP over private and public queries together"
    headings = {"gap_private": "private", "gap_public": "public"}
    remedy = "recognize.solution=FILE, one with Private or Public queries"

    def __init__(self, config: Config, test_ids: np.ndarray, path: Path):
        self._config, self._test_ids = config, test_ids
        self._solution = read_recognition_solution(path, test_ids)
        self.choices = {"solution": path.name} | _words(config.recognize)
        self.truth_files = (path,)
        self._landmarks = np.diff(self._solution.starts)

    @property
    def queries(self) -> pd.DataFrame:
        return pd.DataFrame({"id": self._solution.query_ids, "usage": self._solution.usages, "relevant": self._landmarks})

    @property
    def counts(self) -> dict[str, int]:
        return _counts(self._solution)

    def judge(self, chain: Chain) -> JudgedPredictions:
        config = self._config
        folder = config.run.folder / "ablate" / "predictions" / chain_names(chain)[-1]
        artefact = predictions_artefact(config, chain, folder, "ablate")
        if not artefact.is_complete():
            make_predictions(config, chain, artefact, self._test_ids)
        solution, predictions = self._solution, read_predictions(artefact.folder / SUBMISSION, self._test_ids)
        chosen = predictions.for_ids(solution.query_ids)
        correct = correct_predictions(chosen.landmark_ids, chosen.confidences, solution.landmarks, solution.starts)
        return JudgedPredictions({}, correct.astype(np.float64), recognition_numbers(predictions, solution), chosen.confidences)

    def per_query(self, name: str, judged: Judged) -> dict[str, np.ndarray]:
        return {name: judged.decisive}

    def true_images(self, query: str) -> set[str]:
        return set()  # it is landmarks that are to be found

    def subjects(self) -> list[str]:
        """The landmarks of a query; every distractor is a subject of its own."""
        return [" ".join(shown) or f"distractor {id}" for id, shown in zip(self._solution.query_ids, _shown(self._solution), strict=True)]

    def public(self) -> np.ndarray:
        return self._solution.usages == "Public"

    def means(self, judged: Judged, among: np.ndarray) -> dict[str, float | None]:
        """GAP of the private and of the public ones among these queries."""
        usages = {f"gap_{usage.lower()}": self._solution.usages == usage for usage in ("Private", "Public")}
        return {name: self.score(judged, among & chosen) for name, chosen in usages.items()}

    def score(self, judged: Judged, among: np.ndarray) -> float | None:
        return _percent(float(self._gap(judged, among, np.ones((1, int(among.sum()))))[0]))

    def changes(self, pairs: Sequence[tuple[Judged, Judged]], among: np.ndarray, samples: int, seed: int) -> np.ndarray:
        """GAP is computed anew for the queries of every draw."""

        def change(counts: np.ndarray) -> np.ndarray:
            gaps = {id(judged): self._gap(judged, among, counts) for pair in pairs for judged in pair}
            return 100 * np.stack([gaps[id(judged)] - gaps[id(reference)] for judged, reference in pairs], axis=1)

        count = int(among.sum())
        if not pairs:
            return np.empty((3, 0))
        return np.vstack([change(np.ones((1, count))), statistic_interval(change, (count, len(pairs)), samples, seed)])

    def _gap(self, judged: Judged, among: np.ndarray, counts: np.ndarray) -> np.ndarray:
        assert isinstance(judged, JudgedPredictions)
        right = judged.decisive[among] > 0
        return resampled_precisions(right, judged.confidences[among], self._landmarks[among] > 0, counts)


class Recognition(Protocol):
    """Its numbers are not means over queries, and of the lists of index images none is scored."""

    stages = ("recognize",)
    reads_train = True
    judges_lists = False
    results_folder = "recognition"
    solution = ("recognition_solution*.csv", "recognize.solution")

    def judge(self, config: Config) -> RecognitionJudge | None:
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        path = find_solution(tables.folder, config.recognize.solution, "recognition", "recognize.solution")
        return None if path is None else RecognitionJudge(config, tables.test_ids, path)

    def score(self, config: Config) -> Scores | None:
        """The predictions that `recognize` made, as they would be submitted; the chain is the one whose vectors they were searched in."""
        tables = read_tables(config.tables_folder, config.dataset.train_table)
        path = find_solution(tables.folder, config.recognize.solution, "recognition", "recognize.solution")
        if path is None:
            say(f"evaluate: no recognition_solution*.csv in {tables.folder}, so there is nothing to score against")
            return None
        folder = config.run.folder / "recognition"
        manifest = read_recognition_manifest(config)
        predictions = read_predictions(folder / SUBMISSION, tables.test_ids)
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


def _shown(solution: RecognitionSolution) -> list[list[str]]:
    """The landmarks of each query, in words."""
    return [list(map(str, solution.landmarks[start:end])) for start, end in zip(solution.starts, solution.starts[1:])]


def _table(predictions: Predictions, solution: RecognitionSolution) -> pd.DataFrame:
    """A row a query, the surest first: id, usage, landmarks, predicted, confidence, correct; the last three empty without a prediction."""
    chosen = predictions.for_ids(solution.query_ids)
    some = chosen.confidences > -np.inf
    correct = correct_predictions(chosen.landmark_ids, chosen.confidences, solution.landmarks, solution.starts)
    shown = [" ".join(landmarks) for landmarks in _shown(solution)]
    columns = {"id": solution.query_ids, "usage": solution.usages, "landmarks": shown}
    columns |= {
        "predicted": np.where(some, chosen.landmark_ids.astype(object), ""),
        "confidence": np.where(some, chosen.confidences, np.nan),
        "correct": np.where(some, correct.astype(int).astype(object), ""),
    }
    return pd.DataFrame(columns).sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
