"""download: what the configuration names and is not there, fetched, checked and unpacked."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd

from landmarks.config import Config
from landmarks.datasets.images import photo_ids
from landmarks.errors import UserError
from landmarks.progress import progress, say
from landmarks.remote.deliver import clear, deliver
from landmarks.remote.done import Done, found_by_hand
from landmarks.remote.gldv2 import gldv2_items
from landmarks.remote.items import Item
from landmarks.remote.kaggle_client import Kaggle, connect
from landmarks.remote.kaggle_items import kaggle_items
from landmarks.remote.plan import Plan, make_plan
from landmarks.remote.transfer import Hands
from landmarks.store.tables import read_train, write_csv

WORK = ".download"  # in the dataset folder: archives on their way, and notes of what is done


def download(config: Config, *, dry_run: bool = False) -> Path:
    """Bring what config.download names into dataset.folder; what is there already is not fetched again.

    dry_run: print the plan, change nothing. Raises UserError with the next step for whatever stands in the way.
    """
    if not config.download.wanted:
        raise UserError(
            "the configuration names nothing to download", where="download", next="./run.sh download --config configs/gldv2.yaml"
        )
    if config.dataset.source != "folder":
        raise UserError("only dataset.source=folder is downloaded to", where="dataset.source", next="dataset.source=folder")
    folder, work = config.dataset.folder, config.dataset.folder / WORK
    if dry_run:
        plan, faults = _plan(config, _done(config), Hands())
        for line in [*plan.lines(), *(f"in the way: {fault}" for fault in faults)]:
            say(line)
    elif all(_done(config).has(item) for item in _items(config, None)):
        _write_split_tables(folder)
        say("download: up to date")
    else:
        with _alone(work):
            _download(config, _done(config))
    return folder


def _download(config: Config, done: Done) -> None:
    folder, work, hands = config.dataset.folder, config.dataset.folder / WORK, Hands()
    plan, faults = _plan(config, done, hands)
    for line in plan.lines():
        say(line)
    if faults:
        raise faults[0]
    plan.require_space()
    for one in plan.planned:
        if one.done:
            done.note_found(one.item, one.size or 0)
            clear(one.item, work)
    with progress(None, "download", "B", total=plan.to_fetch + plan.fetched, done=plan.fetched, scaled=True) as bar:
        hands.counter = bar.update
        deliver_one = partial(deliver, folder=folder, work=work, done=done, hands=hands)
        missing = [one.item for one in plan.missing]
        _deliver_all([item for item in missing if item.header], deliver_one, plan.parallel, hands)  # they say which photos are kept
        if any(item.share < 1 for item in missing):
            deliver_one = partial(deliver_one, listed=frozenset(read_train(folder / config.dataset.train_table).ids))
        _deliver_all([item for item in missing if not item.header], deliver_one, plan.parallel, hands)
    _write_split_tables(folder)
    say(f"download: {len(plan.missing)} files fetched, unpacked and checked in {folder}")


def _deliver_all(items: list[Item], deliver_one: Callable[[Item], None], parallel: int, hands: Hands) -> None:
    """Several at a time; the first that fails stops the others, and its error is the one that is raised."""
    with ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(deliver_one, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            hands.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _done(config: Config) -> Done:
    return Done(config.dataset, config.dataset.folder / WORK)


def _plan(config: Config, done: Done, hands: Hands) -> tuple[Plan, list[UserError]]:
    """The plan, and what stands in its way."""
    items = _items(config, None)
    by_hand = found_by_hand(items, done)
    there = {item.name: done.size(item) for item in items if done.has(item) or item in by_hand}
    faults, kaggle = [], None
    if any(item.subject.kaggle and item.name not in there for item in items):
        try:
            kaggle = connect(hands.wait)
        except UserError as error:
            faults.append(error)
    folder = config.dataset.folder
    plan, more = make_plan(_items(config, kaggle), there, folder, folder / WORK, config.download.parallel)
    return plan, faults + more


def _items(config: Config, kaggle: Kaggle | None) -> list[Item]:
    return gldv2_items(config.download, config.dataset.train_table) + kaggle_items(config.download, kaggle)


def _write_split_tables(folder: Path) -> None:
    """index.csv and test.csv, which Kaggle's competitions leave out: the photos are what there is."""
    for split in ("index", "test"):
        if not (folder / f"{split}.csv").exists() and (folder / split).is_dir():
            write_csv(folder / f"{split}.csv", pd.DataFrame({"id": photo_ids(folder, split)}))


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """One run at a time in a folder, and nothing left of an earlier one that was killed while it wrote a note."""
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another download goes to this folder", where=work, next="wait for it, or end it") from None
        for leftover in work.rglob(".*.part"):
            leftover.unlink()
        yield
