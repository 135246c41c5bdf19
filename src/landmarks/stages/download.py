"""download: fetches, checks and unpacks what the configuration names and the dataset folder lacks."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd

from landmarks.command import next_command, program
from landmarks.config import Config, DatasetSettings, DownloadSettings
from landmarks.datasets.images import photo_ids
from landmarks.errors import UserError
from landmarks.progress import confirmed, progress, say
from landmarks.quantities import format_bytes
from landmarks.reading import refuse_irregular
from landmarks.remote.deliver import clear, deliver
from landmarks.remote.done import Done, found_by_hand
from landmarks.remote.entries import OWN_FOLDER
from landmarks.remote.gldv2 import gldv2_items
from landmarks.remote.items import Item
from landmarks.remote.kaggle_client import Kaggle, connect
from landmarks.remote.kaggle_items import kaggle_items
from landmarks.remote.plan import Plan, make_plan
from landmarks.remote.transfer import TransferControl
from landmarks.store.csv_files import write_csv
from landmarks.store.tables import read_train

ASK_ABOVE = 10_000_000_000  # bytes to fetch: nobody means to fetch so much by a command mistyped


def download(config: Config, *, dry_run: bool = False, yes: bool = False, typed: str = "download") -> Path:
    """Bring what config.download names into dataset.folder, which is returned; finished items are not fetched again.

    dry_run  print the plan, change nothing
    yes      fetch more than 10 GB without asking; else a terminal is asked, and without one it is refused
    typed    the stage that was typed, for the next command: "download", or "run" as a part of which it is done
    Raises UserError with the next step where something prevents it.
    """
    if not config.download.wanted:
        raise UserError(
            "the configuration names nothing to download", where="download", next=f"{program()} download --config configs/gldv2.yaml"
        )
    if config.dataset.source != "folder":
        raise UserError("only dataset.source=folder is downloaded to", where="dataset.source", next="dataset.source=folder")
    folder, work = config.dataset.folder, config.dataset.folder / OWN_FOLDER
    done = Done(config.dataset, work)
    if dry_run:
        plan, faults = _plan(config.dataset, config.download, done, TransferControl())
        for line in [*plan.lines(), *(f"in the way: {fault}" for fault in faults)]:
            say(line)
    elif all(done.has(item) for item in _items(config.download, config.dataset.train_table, None)):
        _write_split_tables(folder)
        say("download: up to date")
    else:
        with _locked(work):
            _download(config.dataset, config.download, Done(config.dataset, work), None if yes else next_command(typed, "--yes"))
    return folder


def _download(dataset: DatasetSettings, settings: DownloadSettings, done: Done, consent: str | None) -> None:
    """consent: the command that fetches any amount without asking; None where this is it."""
    folder, work, control = dataset.folder, dataset.folder / OWN_FOLDER, TransferControl()
    plan, faults = _plan(dataset, settings, done, control)
    for line in plan.lines():
        say(line)
    _require_leave(plan, faults, consent)
    for one in plan.planned:
        if one.done:
            done.note_found(one.item, one.size or 0)
            clear(one.item, work)
    with progress(None, "download", "B", total=plan.to_fetch + plan.fetched, done=plan.fetched, scaled=True) as bar:
        control.counter = bar.update
        deliver_one = partial(deliver, folder=folder, work=work, done=done, control=control)
        missing = [one.item for one in plan.missing]
        _deliver_all([item for item in missing if item.header], deliver_one, plan.parallel, control)  # they list the photos to keep
        if any(item.share < 1 for item in missing):
            deliver_one = partial(deliver_one, listed=frozenset(read_train(folder / dataset.train_table).ids))
        _deliver_all([item for item in missing if not item.header], deliver_one, plan.parallel, control)
    _write_split_tables(folder)
    say(f"download: {len(plan.missing)} files fetched, unpacked and checked in {folder}")


def _require_leave(plan: Plan, faults: list[UserError], consent: str | None) -> None:
    """Raise UserError where the download does not fit, has `faults`, or is large and nobody agrees to it: all that prevents it at once."""
    large = consent is not None and plan.to_fetch > ASK_ABOVE
    asked = large and sys.stdin is not None and sys.stdin.isatty()
    obstacles = [*filter(None, [plan.space_fault()]), *faults]
    if large and not asked:
        what = f"{format_bytes(plan.to_fetch)} are to be fetched, and without a terminal nobody can be asked"
        obstacles.append(UserError(what, where=plan.folder, next=consent))
    if len(obstacles) > 1:
        whats, nexts = [one.what for one in obstacles], [one.next for one in obstacles if one.next]
        raise UserError("; also: ".join(whats), where=obstacles[0].where, next="\n         ".join(nexts))
    if obstacles:
        raise obstacles[0]
    if asked and not confirmed(f"fetch {format_bytes(plan.to_fetch)}, {plan.needed}?"):
        raise UserError("nothing was fetched: the answer was not yes", where=plan.folder, next=f"{consent}  (does not ask)")


def _deliver_all(items: list[Item], deliver_one: Callable[[Item], None], parallel: int, control: TransferControl) -> None:
    """Deliver `parallel` items at a time; the first that fails stops the others, and its error is raised."""
    with ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(deliver_one, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            control.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _plan(dataset: DatasetSettings, settings: DownloadSettings, done: Done, control: TransferControl) -> tuple[Plan, list[UserError]]:
    """The plan, and the errors that prevent it."""
    items = _items(settings, dataset.train_table, None)
    by_hand = found_by_hand(items, done)
    there = {item.name: done.size(item) for item in items if done.has(item) or item in by_hand}
    faults: list[UserError] = []
    kaggle = None
    if any(item.subject.kaggle and item.name not in there for item in items):
        try:
            kaggle = connect(control.wait)
        except UserError as error:
            faults.append(error)
    items = _items(settings, dataset.train_table, kaggle)
    plan, more = make_plan(items, there, dataset.folder, dataset.folder / OWN_FOLDER, settings.parallel)
    return plan, faults + more


def _items(settings: DownloadSettings, train_table: str, kaggle: Kaggle | None) -> list[Item]:
    return gldv2_items(settings, train_table) + kaggle_items(settings, kaggle)


def _write_split_tables(folder: Path) -> None:
    """Write index.csv and test.csv from the photos where they are missing: Kaggle's competitions do not contain them."""
    for split in ("index", "test"):
        if not (folder / f"{split}.csv").exists() and (folder / split).is_dir():
            write_csv(folder / f"{split}.csv", pd.DataFrame({"id": photo_ids(folder, split)}))


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Hold the folder's lock, and delete unfinished notes of a killed run. Raises UserError while another run holds the lock."""
    work.mkdir(parents=True, exist_ok=True)
    refuse_irregular(work / "lock")
    with open(work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another download into this folder is running", where=work, next="wait for it, or end it") from None
        for leftover in work.rglob(".*.part"):
            leftover.unlink()
        yield
