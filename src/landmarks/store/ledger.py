"""The results ledger, one CSV with a line for every evaluation, and the published results it is compared with."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from landmarks.errors import UserError, shown
from landmarks.reading import refuse_irregular
from landmarks.store.cells import number, words
from landmarks.store.csv_files import read_csv
from landmarks.store.files import atomic_write, sweep

COLUMNS = ("date", "model", "chain", "protocol", "dataset", "choices", "numbers", "fingerprint")
PUBLISHED = ("model", "chain", "protocol", "dataset", "numbers", "source")
_SAME = ("model", "chain", "protocol", "dataset", "choices", "fingerprint")  # what makes two evaluations the same one


def add_to_ledger(path: Path, lines: list[dict[str, str]]) -> None:
    """Write `lines` (a value for each of COLUMNS) to the ledger, each evaluation once.

    An evaluation that the ledger has keeps its line and its date; if its numbers have changed (because of another solution file, say),
    its line is replaced in place. The file is replaced atomically, and concurrent runs wait for each other. Raises UserError for a
    file that is not a ledger.
    """
    with _locked(path):
        sweep(path.parent)
        present = _lines(path)
        row_of = {tuple(line[column] for column in _SAME): row for row, line in enumerate(present)}
        wanted = list(present)
        for line in lines:
            row = row_of.setdefault(tuple(line[column] for column in _SAME), len(wanted))
            if row == len(wanted):
                wanted.append(line)
            elif wanted[row]["numbers"] != line["numbers"]:
                wanted[row] = line
        if wanted != present:
            with atomic_write(path) as aside:
                pd.DataFrame(wanted, columns=COLUMNS).to_csv(aside, index=False, lineterminator="\n")


def _lines(path: Path) -> list[dict[str, str]]:
    """The ledger's lines, none where there is no ledger yet."""
    if not path.exists():
        return []
    return [dict(zip(COLUMNS, row, strict=True)) for row in read_ledger(path).itertuples(index=False, name=None)]


def read_ledger(path: Path) -> pd.DataFrame:
    """Every column of the ledger as strings. Raises UserError for a missing column or a malformed cell of numbers."""
    table = read_csv(path, list(COLUMNS)).to_pandas().astype(object)[list(COLUMNS)]
    for row, cell in enumerate(table["numbers"]):
        try:
            read_numbers(cell)
        except ValueError:
            raise UserError(
                f"'{shown(cell)}' is not NAME=NUMBER NAME=NUMBER ...", where=f"{path}, row {row + 2}", next="fix the row"
            ) from None
    return table


def read_published() -> pd.DataFrame:
    """Published results in the columns PUBLISHED, each with the paper it is from."""
    return read_csv(Path(__file__).with_name("published.csv"), list(PUBLISHED)).to_pandas().astype(object)[list(PUBLISHED)]


def write_numbers(numbers: dict[str, float | None]) -> str:
    """The text of a cell: "map_private=53.32 map_public=55.77", to four decimals; numbers that are None are left out."""
    return " ".join(f"{name}={round(value, 4):.10g}" for name, value in numbers.items() if value is not None)


def read_numbers(cell: str) -> dict[str, float]:
    """The numbers that `write_numbers` wrote. Raises ValueError for other text."""
    numbers: dict[str, float] = {}
    for word in words(cell):
        name, _, text = word.partition("=")
        value = number(text)
        if value is None or not name or name in numbers:
            raise ValueError(word)
        numbers[name] = value
    return numbers


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the ledger's lock; the system releases it when the process ends, even if it is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.lock")
    refuse_irregular(place)
    with open(place, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
