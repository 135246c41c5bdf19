"""The command line: python -m landmarks STAGE --config FILE key=value ..."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.launch import REFUSAL_FILE
from landmarks.pipeline import run_stage
from landmarks.stage import STAGES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 the user's to fix (a fault of ours raises, which exits with 1)."""
    # Threads of a parallel loop wait for each other by spinning; where the cores are shared (with the processes that decode
    # images, to begin with) that makes a training step up to ten times slower. Read when the OpenMP library loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    options = _parse(arguments)
    own = {name: getattr(options, name) for argument in STAGES[options.stage].arguments for name in [_attribute(argument.name)]}
    try:
        config = load_config(options.config, options.overrides, allow_code=options.allow_code)
        command = ["--config", options.config, *options.overrides, *(["--allow-code"] if options.allow_code else [])]
        return 2 if run_stage(options.stage, config, command, **own) is False else 0
    except UserError as error:
        return _refuse(error)
    except BrokenPipeError:  # whoever read what is printed (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise
        return _refuse(
            UserError(f"cannot read or write: {error.strerror}", where=error.filename, next="check the path and its permissions")
        )
    except KeyboardInterrupt:
        print("\ninterrupted: what is finished is kept, the same command continues from there", file=sys.stderr)
        return 130
    return 0


def _refuse(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    if REFUSAL_FILE in os.environ:  # one of several processes: the launching one must know that this was no fault of ours
        Path(os.environ[REFUSAL_FILE]).touch()
    return 2


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    unknown = [argument for argument in more if argument.startswith("-")]
    if unknown:
        parser.error(f"unknown option {' '.join(unknown)}")
    options.overrides += more  # key=value may be given before and after --config
    key = STAGES[options.stage].bare_word
    if key is not None:
        options.overrides = [f"{key}={text}" if "=" not in text or Path(text).exists() else text for text in options.overrides]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run.sh",
        description="Landmark retrieval, stage by stage.",
        epilog="key=value overrides a setting, such as train.epochs=3; `config` prints them all.",
    )
    commands = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, stage in STAGES.items():
        command = commands.add_parser(name, help=stage.help, description=stage.help)
        for argument in stage.arguments:
            command.add_argument(argument.name, **argument.options)
        command.add_argument("--config", default=stage.config, metavar="FILE", help=f"YAML file (default {stage.config})")
        command.add_argument(
            "--allow-code", action="store_true", help="import the steps that a configuration in somebody's run folder names as module:Class"
        )
        command.add_argument("overrides", nargs="*", metavar="key=value", help="settings that replace those of the file")
    return parser


def _attribute(argument: str) -> str:
    return argument.lstrip("-").replace("-", "_")
