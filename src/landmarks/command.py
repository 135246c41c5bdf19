"""The command that was typed, so that a message can name the next one to type."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from landmarks.errors import without_credentials

PROGRAM = "LANDMARKS_PROGRAM"  # set by run.sh: how it was called

_configuration: ContextVar[tuple[str, ...]] = ContextVar("configuration", default=())
_tables: ContextVar[str | None] = ContextVar("tables", default=None)


def program() -> str:
    """How this program was started: ./run.sh, landmarks or python -m landmarks."""
    if PROGRAM in os.environ:
        return os.environ[PROGRAM]
    started = Path(sys.argv[0])
    if started.name == "__main__.py" and started.parent.name == "landmarks":
        return "python -m landmarks"
    return "landmarks" if started.name == "landmarks" else "./run.sh"


@contextmanager
def configured_by(words: Sequence[str], tables: str | None = None) -> Iterator[None]:
    """Within the block, commands are named with these words for the configuration: --config FILE key=value, or a run folder.

    tables  the stage that makes the dataset's tables; None where they are the user's own
    """
    tokens = _configuration.set(tuple(words)), _tables.set(tables)
    try:
        yield
    finally:
        _configuration.reset(tokens[0])
        _tables.reset(tokens[1])


def tables_command() -> str | None:
    """The command that makes the dataset's tables; None where they are the user's own."""
    stage = _tables.get()
    return None if stage is None else next_command(stage)


def next_command(stage: str, *more: str) -> str:
    """The command line of a stage over the configuration in use, with `more` words behind it; "run" is all stages.

    Passwords in addresses are left out.
    """
    return line_to_type(stage, *_configuration.get(), *more)


def line_to_type(stage: str, *words: str) -> str:
    """The command line of a stage; without a stage run.sh, and it alone, takes a configuration or settings as those of `run`.

    Passwords in addresses are left out.
    """
    implied = stage == "run" and Path(program()).name == "run.sh" and (not words or words[0] == "--config" or "=" in words[0])
    return f"{program()} {without_credentials(shlex.join([*([] if implied else [stage]), *words]))}".rstrip()


def command_line() -> str:
    """The command that this process was started with, for a message to others; without passwords in addresses."""
    return without_credentials(shlex.join([program(), *sys.argv[1:]]))
