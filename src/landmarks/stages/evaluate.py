"""evaluate: rankings + ground truth -> the score of every prefix of the chain, or of any submission file."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.datasets.recognition import read_predictions, read_recognition_solution
from landmarks.datasets.solution import find_solution, read_solution
from landmarks.datasets.submission import MAX_IMAGES, read_submission
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.protocols import record, score
from landmarks.protocols.recognition import recognition_numbers
from landmarks.protocols.retrieval import average_precisions
from landmarks.store.tables import Tables, positions, read_tables


def evaluate(config: Config) -> Path | None:
    """Write metrics.json, per_query.csv and ablation.csv to run.folder (of recognition, to recognition/); returns the folder,
    or None without a ground truth.

    Every chain's evaluation has a line in the ledger (run.ledger).

    With evaluate.submission only that file is validated and scored, and nothing is written.
    """
    if config.evaluate.submission is not None:
        return _score_file(config, config.evaluate.submission)
    return record(config, config.protocol, score(config, config.protocol))


def _score_file(config: Config, path: Path) -> None:
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    if config.protocol == "retrieval":
        _score_images(config, path, tables)
    elif config.protocol == "recognition":
        _score_landmarks(config, path, tables)
    else:
        raise UserError(
            f"a submission is scored by the protocol retrieval or recognition, not {config.protocol}",
            where="evaluate.submission",
            next="leave evaluate.submission out, or evaluate.protocol=retrieval",
        )


def _score_images(config: Config, path: Path, tables: Tables) -> None:
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


def _score_landmarks(config: Config, path: Path, tables: Tables) -> None:
    predictions = read_predictions(path, tables.test_ids)
    solution = find_solution(tables.folder, config.recognize.solution, "recognition", "recognize.solution")
    if solution is None:
        say(f"evaluate: {path} is valid; no recognition_solution*.csv in {tables.folder}, so there is nothing to score against")
        return
    numbers = recognition_numbers(predictions, read_recognition_solution(solution, tables.test_ids))
    say(f"{path}: " + ", ".join(f"{name} {value:.2f}" for name, value in numbers.items() if value is not None))
