"""The command line: python -m landmarks STAGE --config FILE key=value ..., or STAGE RUN key=value ..."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from landmarks.arguments import parse
from landmarks.command import configured_by
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.launch import REFUSAL_FILE
from landmarks.lifeline import Ended, signals_raise, watch_parent
from landmarks.machine import SHARED_MEMORY, forget_other_launches, free_shared_memory, is_launched
from landmarks.machines import watched
from landmarks.pipeline import begin, run_stage
from landmarks.run_log import logged
from landmarks.shortage import shortages_named
from landmarks.store.disk import no_room


@signals_raise()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 the user's to fix, 130, 143 or 129 ended by SIGINT, SIGTERM or SIGHUP.

    A fault of ours raises, which exits with 1.
    """
    forget_other_launches()
    if not is_launched():
        return _run(arguments)
    watch_parent()  # one of several processes: it must not outlive the one that started it
    with watched(os.environ.get(REFUSAL_FILE)) as finish:
        if (code := _run(arguments)) == 0:
            finish()
        return code


def _run(arguments: Sequence[str] | None) -> int:
    # Threads of a parallel loop wait for each other by spinning; where the cores are shared (with the processes that decode
    # images, to begin with) that makes a training step up to ten times slower. Read when the OpenMP library loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as some schedulers start a program
            setattr(sys, name, open(os.devnull, "w"))
    where = Path.cwd()  # where a disk is full, if nothing says
    try:
        typed = parse(sys.argv[1:] if arguments is None else arguments)
        with configured_by(typed.words):
            config = load_config(typed.configuration, typed.settings, allow_code=typed.allow_code)
            where = config.run.folder
            source = config.dataset.kind.stage or ("download" if config.download.wanted else None)
            with configured_by(typed.words, source), logged(typed.stage, config.run.folder, typed.words), shortages_named():
                begin(typed.stage, config, keep=typed.run_folder is None)
                code = 2 if run_stage(typed.stage, config, typed.words, **typed.options) is False else 0
                sys.stdout.flush()
                return code
    except UserError as error:
        return _refuse(error)
    except BrokenPipeError:  # whoever read what is printed (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        nameless = SHARED_MEMORY if free_shared_memory() == 0 else where  # semaphores of processes lie there
        full = no_room(error, Path(error.filename2 or error.filename or nameless))  # of a copy, its target
        if full is not None:
            return _refuse(full)
        if error.filename is None:
            raise
        return _refuse(
            UserError(f"cannot read or write: {error.strerror}", where=error.filename, next="check the path and its permissions")
        )
    except KeyboardInterrupt as error:
        print("\ninterrupted: what is finished is kept, the same command continues from there", file=sys.stderr)
        return error.exit_code if isinstance(error, Ended) else 130
    return 0


def _refuse(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    if REFUSAL_FILE in os.environ:  # one of several processes: the launching one must know that this was no fault of ours
        Path(os.environ[REFUSAL_FILE]).touch()
    return 2
