"""One line of the doctor's screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """What was looked at and what was found.

    state  "missing": the configuration cannot run without it; "note": it can
    next   the command to type, or the thing to change, where something is missing
    """

    name: str
    state: State
    found: str
    next: str | None = None


def gigabytes(size: float) -> str:
    """A number of bytes in words: "0.02 GB", "12 GB"."""
    return f"{size / 1e9:.2f} GB" if size < 1e9 else f"{size / 1e9:.1f} GB" if size < 1e10 else f"{size / 1e9:,.0f} GB"
