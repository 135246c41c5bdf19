"""submit: the last ranking -> submission.csv, read back and validated; uploaded only where that is asked for, never by `run`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from landmarks.command import next_command
from landmarks.config import Config, chain_names
from landmarks.datasets.submission import read_submission, write_submission
from landmarks.errors import UserError
from landmarks.progress import confirmed, say
from landmarks.quantities import format_bytes
from landmarks.reading import open_regular
from landmarks.remote.kaggle_client import Kaggle, Submission, competition, connect
from landmarks.scoring.evaluation import Evaluation, choices, enter, model_name
from landmarks.search.rankings import read_chain_manifests, read_chain_ranking
from landmarks.store.tables import positions, read_tables

_LOOKS = 10.0  # seconds between two looks for the score


def submit(config: Config, *, yes: bool | None = None) -> Path:
    """Write run.folder/submission.csv from the whole chain's ranking and validate it as a stranger's would be; returns its path.

    yes  None: write only, as a part of `run`; False: ask before it is uploaded to submit.competition; True: upload without asking
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    ranking = read_chain_ranking(config, config.rerank)
    path = config.run.folder / "submission.csv"
    write_submission(path, tables.test_ids, ranking)
    lists = read_submission(path, tables.test_ids, tables.index_ids)
    absent = int((positions(tables.test_ids, ranking.query_ids) < 0).sum())
    if absent:
        say(f"submit: {absent} queries have no images: their pictures could not be described (extract.on_error=skip)")
    say(f"submit: {path} is valid: {len(lists.ids)} queries, {len(lists.numbers)} images")
    name = config.submit.competition
    if yes and name is None:
        raise UserError("no competition to upload to", where="submit.competition", next="submit.competition=landmark-retrieval-2019")
    if yes is not None and name is not None:
        upload(config, name, yes=yes)
    return path


def upload(
    config: Config, name: str, *, yes: bool = False, ask: Callable[[str], str] = input, wait: Callable[[float], object] = time.sleep
) -> int | None:
    """Validate run.folder/submission.csv, show what it is, and upload it to the competition `name` if `yes`, or if "yes" is typed.

    A file that was uploaded before is not uploaded again: its digest is in its description. With a score, a line is added to
    the ledger. Returns the submission's number at Kaggle, None where nothing was uploaded. Raises UserError with the next step
    where the file is not valid, no submission is left today, or Kaggle does not have what it was sent.
    """
    path = config.run.folder / "submission.csv"
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    lists = read_submission(path, tables.test_ids, tables.index_ids)
    digest, chain = _digest(path), chain_names(config.rerank)[-1]
    kaggle = connect(wait)
    earlier = _find(kaggle, name, digest)
    counts = lists.starts[1:] - lists.starts[:-1]
    say(f"  file         {path}, {format_bytes(path.stat().st_size)}, digest {digest}")
    say(f"  holds        {len(lists.ids)} queries, {counts.mean():.1f} images each, {(counts == 0).sum()} without any")
    say(f"  made by      {model_name(config.models)}, {chain}")
    say(f"  competition  {name}, {competition(name).where}")
    if earlier is None:
        left = kaggle.submissions_left(name)
        say(f"  submissions  {left} left today")
        if left < 1:
            raise UserError("no submission is left today", where=competition(name).where, next="the same command after midnight UTC")
        if not yes and not confirmed("upload it?", ask):
            say(f"submit: not uploaded; {next_command('submit', '--yes')} uploads without asking")
            return None
        earlier = _send(kaggle, name, path, f"{digest} {config.run.folder.name} {chain}"[:500], wait)
        say(f"submit: uploaded, number {earlier.ref}")
    else:
        say(f"submit: this very file is there already, number {earlier.ref}, uploaded {earlier.date[:16]}: nothing is uploaded")
    _report(config, _scored(kaggle, name, earlier, config.submit.wait_minutes, wait), chain)
    return earlier.ref


def _digest(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]


def _find(kaggle: Kaggle, name: str, digest: str) -> Submission | None:
    """The newest submission of the file with this digest that Kaggle did not refuse."""
    return next((one for one in kaggle.submissions(name) if digest in one.description and one.status != "error"), None)


def _send(kaggle: Kaggle, name: str, path: Path, message: str, wait: Callable[[float], object]) -> Submission:
    """Upload, and see that Kaggle has it: its client reports success for what failed, too."""
    ref, answer = kaggle.submit(name, path, message)
    for pause in (1.0, 4.0, 0.0):  # its list may lag behind
        there = next((one for one in kaggle.submissions(name) if one.ref == ref), None)
        if there is not None:
            return there
        wait(pause)
    raise UserError(
        f"Kaggle answers '{answer}', but does not list the submission",
        where=f"{competition(name).where}/submissions",
        next="look at the page; the same command uploads it again if it is not there",
    )


def _scored(kaggle: Kaggle, name: str, submission: Submission, minutes: float, wait: Callable[[float], object]) -> Submission:
    """The submission after so many minutes, or as soon as it has a score. Raises UserError where Kaggle refuses it."""
    for _ in range(int(60 * minutes / _LOOKS)):
        if submission.status != "pending":
            break
        wait(_LOOKS)
        submission = next((one for one in kaggle.submissions(name) if one.ref == submission.ref), submission)
    if submission.status == "error":
        raise UserError(
            f"Kaggle refuses the file: {submission.error or 'no reason given'}",
            where=f"{competition(name).where}/submissions",
            next="fix what it says and submit again",
        )
    return submission


def _report(config: Config, submission: Submission, chain: str) -> None:
    scores = {"map_private": submission.private_score, "map_public": submission.public_score}
    if all(score is None for score in scores.values()):
        say("submit: no score yet; the same command with submit.wait_minutes=30 waits for it")
        return
    percent = {key: None if score is None else 100 * score for key, score in scores.items()}
    fingerprint = read_chain_manifests(config, config.rerank)[chain]["fingerprint"]
    made = choices(config) | {"solution": f"Kaggle's, {config.submit.competition}"}
    evaluation = Evaluation(model_name(config.models), chain, "retrieval", str(config.dataset.folder), made, percent, fingerprint)
    enter(config.ledger, [evaluation])
    words = ", ".join(f"{key.removeprefix('map_')} {value:.2f}" for key, value in percent.items() if value is not None)
    say(f"submit: Kaggle's score in percent: {words}; recorded in {config.ledger}")
