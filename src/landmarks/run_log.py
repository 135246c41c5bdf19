"""run.folder/run.log: what was printed, with times; no progress bars, which go to standard error."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from landmarks.command import program
from landmarks.errors import without_credentials
from landmarks.reading import refuse_irregular
from landmarks.stage import STAGES

LOG = "run.log"


@contextmanager
def logged(stage: str, folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Within the block, every line that is printed also goes to the folder's log; it has none where no stage made the folder."""
    if not STAGES[stage].makes:
        with redirect_stdout(_Copied(sys.stdout, None)):
            yield
        return
    log = _Log(folder / LOG)
    log.add(f"$ {program()} {shlex.join([stage, *words])}")
    try:
        with redirect_stdout(_Copied(sys.stdout, log)):
            yield
    except BaseException as error:
        with suppress(OSError):  # of a full disk, which hides no other error
            log.add(f"{type(error).__name__}: {error}")
        raise
    finally:
        with suppress(OSError):
            log.close()


class _Log:
    """Lines with times, appended whole; kept back while the folder is not there."""

    def __init__(self, path: Path):
        self._path, self._waiting = path, io.StringIO()

    def add(self, text: str) -> None:
        time = datetime.now().astimezone().isoformat(timespec="seconds")
        for line in without_credentials(text).splitlines():
            if line.strip():
                self._waiting.write(f"{time} {line}\n")
        if self._path.parent.is_dir():
            self.close()

    def close(self) -> None:
        """Write what waits, in one piece: several processes write to the same log."""
        text = self._waiting.getvalue()
        if text and self._path.parent.is_dir():
            self._waiting = io.StringIO()
            refuse_irregular(self._path)
            with open(self._path, "ab") as file:
                os.write(file.fileno(), text.encode("utf-8", "surrogateescape"))


class _Copied:
    """A stream whose whole lines are also logged, where there is a log; its errors say that it is standard output."""

    def __init__(self, stream: TextIO, log: _Log | None):
        self._stream, self._log, self._line = stream, log, ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        if self._log is not None:
            for line in lines:
                self._log.add(line)
        return self._named(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._named(self._stream.flush)

    def _named(self, use: Callable[[], Any]) -> Any:
        try:
            return use()
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from None  # a broken pipe stays one

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
