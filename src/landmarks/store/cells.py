"""Words and numbers in the cells of tables, read strictly: what is not plainly one number is none."""

from __future__ import annotations

import math
import re

_WORD = re.compile(r"[^\x00-\x20]+")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
INTEGER = f"^({_INTEGER.pattern})$"


def words(text: str) -> list[str]:
    """The words of a list of ids: separated by spaces and control characters, as in ops/id_numbers.py, and by nothing else."""
    return _WORD.findall(text)


def integer(text: str) -> int | None:
    """The 64-bit integer that is written as Python writes it; None for "007", "0x10", "1_000" and all else."""
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def number(text: str) -> float | None:
    """The finite decimal number, with spaces around it; None for "nan", "0x10", "1_000", "" and all else."""
    text = text.strip(" \t")
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
