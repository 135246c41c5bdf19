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
