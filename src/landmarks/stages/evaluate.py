"""evaluate: rankings + ground truth -> the score of every prefix of the chain, or of any submission file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.protocols import PROTOCOLS, Scores
from landmarks.scoring import average_precisions
from landmarks.store.files import write_json
from landmarks.store.ledger import add_to_ledger
from landmarks.store.solution import find_solution, read_solution
from landmarks.store.submission import MOST_IMAGES, read_submission
from landmarks.store.tables import positions, read_tables, write_csv
from landmarks.summary import print_protocol, print_scores

RESULTS = ("metrics.json", "per_query.csv", "ablation.csv")


def evaluate(config: Config) -> Path | None:
    """Write metrics.json, per_query.csv and ablation.csv to run.folder; returns it, or None without a ground truth.

    Every chain's evaluation has a line in the ledger (run.ledger).

    With evaluate.submission only that file is validated and scored, and nothing is written.
    """
    if config.evaluate.submission is not None:
        return _score_file(config, config.evaluate.submission)
    scores = PROTOCOLS[config.protocol](config)
    if scores is None:
        for name in RESULTS:  # scores of an earlier run would pass for today's
            (config.run.folder / name).unlink(missing_ok=True)
        return None
    return _record(config, scores)


def _record(config: Config, scores: Scores) -> Path:
    folder = config.run.folder
    write_csv(folder / "per_query.csv", scores.per_query)
    write_csv(folder / "ablation.csv", scores.chains)
    write_json(folder / "metrics.json", scores.results)
    if config.protocol == "retrieval":
        print_scores(scores.results)
    else:
        print_protocol(scores.results)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    add_to_ledger(config.ledger, [evaluation.line(now) for evaluation in scores.evaluations])
    return folder


def _score_file(config: Config, path: Path) -> None:
    if config.protocol != "retrieval":
        raise UserError(
            f"a submission is scored by the protocol retrieval, not {config.protocol}",
            where="evaluate.submission",
            next="leave evaluate.submission out, or evaluate.protocol=retrieval",
        )
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    solution_path = find_solution(tables.folder, config.dataset.solution)
    lists = read_submission(path, tables.test_ids, tables.index_ids)
    if solution_path is None:
        say(f"evaluate: {path} is valid; no retrieval_solution*.csv in {tables.folder}, so there is nothing to score against")
        return
    solution = read_solution(solution_path, tables.test_ids, tables.index_ids)
    if len(solution.query_ids) == 0:
        raise UserError("the solution has no scored query", where=tables.folder, next="check dataset.solution")
    predicted = lists.rows(positions(solution.query_ids, lists.ids)).padded(MOST_IMAGES)
    percent = 100 * average_precisions(predicted, solution)
    for usage in ("Private", "Public"):
        chosen = percent[solution.usages == usage]
        if len(chosen):
            say(f"{path}: mAP@100 {usage.lower()} {chosen.mean():.2f} ({len(chosen)} queries)")
