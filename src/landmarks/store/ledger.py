"""The results ledger: one CSV with a line for every evaluation, and the published results that it is read beside."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from landmarks.errors import UserError
from landmarks.store.files import atomic_write
from landmarks.store.tables import read_csv

COLUMNS = ("date", "model", "chain", "protocol", "dataset", "choices", "numbers", "fingerprint")
PUBLISHED = ("model", "chain", "protocol", "dataset", "numbers", "source")
_SAME = ("model", "chain", "protocol", "dataset", "choices", "fingerprint")  # what makes two evaluations the same one


def add_to_ledger(path: Path, lines: list[dict[str, str]]) -> None:
    """Write `lines` (a value for each of COLUMNS) to the ledger, each evaluation once.

    An evaluation that is there already keeps its line and its date; where its numbers have changed (another solution file, say),
    the line is replaced in its place. Cut off at any moment, the file is the old one or the new one; runs that end together wait
    for each other. Raises UserError for a file that is no ledger.
    """
    with _alone(path):
        there = read_ledger(path).to_dict("records") if path.exists() else []
        known = {tuple(line[column] for column in _SAME): place for place, line in enumerate(there)}
        wanted = list(there)
        for line in lines:
            place = known.setdefault(tuple(line[column] for column in _SAME), len(wanted))
            if place == len(wanted):
                wanted.append(line)
            elif wanted[place]["numbers"] != line["numbers"]:
                wanted[place] = line
        if wanted != there:
            with atomic_write(path) as aside:
                pd.DataFrame(wanted, columns=COLUMNS).to_csv(aside, index=False, lineterminator="\n")


def read_ledger(path: Path) -> pd.DataFrame:
    """Every column of the ledger as strings. Raises UserError where a column is missing, or a cell of numbers holds others."""
    table = read_csv(path, list(COLUMNS)).to_pandas().astype(object)[list(COLUMNS)]
    for row, cell in enumerate(table["numbers"]):
        try:
            read_numbers(cell)
        except ValueError:
            raise UserError(f"'{cell}' is not NAME=NUMBER NAME=NUMBER ...", where=f"{path}, row {row + 2}", next="mend the row") from None
    return table


def read_published() -> pd.DataFrame:
    """Published results, with the paper that each is from, in the form of the ledger."""
    return read_csv(Path(__file__).with_name("published.csv"), list(PUBLISHED)).to_pandas().astype(object)[list(PUBLISHED)]


def write_numbers(numbers: dict[str, float | None]) -> str:
    """As a cell has them: "map_private=53.32 map_public=55.77", to four decimals; what could not be measured is left out."""
    return " ".join(f"{name}={round(value, 4):.10g}" for name, value in numbers.items() if value is not None)


def read_numbers(cell: str) -> dict[str, float]:
    """What `write_numbers` wrote."""
    pairs = (word.split("=", 1) for word in cell.split())
    return {name: float(value) for name, value in pairs}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else adds to the ledger meanwhile; the lock ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
