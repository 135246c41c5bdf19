"""The command line: python -m landmarks STAGE --config FILE key=value ..."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from landmarks.config.load import known_keys, load_config
from landmarks.errors import UserError
from landmarks.pipeline import STAGES, TOLD, run_all, run_stage

DEFAULT_CONFIG = "configs/sample.yaml"
PHOTOS_CONFIG = "configs/photos.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 the user's to mend (a fault of ours raises, which exits with 1)."""
    # Threads of a parallel loop wait for each other by spinning; where the cores are shared (with the processes that decode
    # images, to begin with) that makes a training step up to ten times slower. Read when the OpenMP library loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    options = _parse(arguments)
    try:
        config = load_config(options.config, options.overrides)
        command_line = ["--config", options.config, *options.overrides]
        if options.stage == "config":
            _print_config(config)
        elif options.stage == "run":
            run_all(config, command_line)
        elif options.stage == "show-matches":
            from landmarks.stages.show_matches import show_matches

            show_matches(config, options.query, options.index)
        elif options.stage == "download" and options.dry_run:
            from landmarks.stages.download import download

            download(config, dry_run=True)
        elif options.stage == "submit":
            run_stage("submit", config, command_line)
            if config.submit.competition is not None:
                from landmarks.stages.upload import upload

                upload(config, yes=options.yes)
            elif options.yes:
                raise UserError(
                    "no competition to upload to", where="submit.competition", next="submit.competition=landmark-retrieval-2019"
                )
        elif options.stage == "doctor":
            from landmarks.stages.doctor import doctor

            return 0 if doctor(config, command_line) else 2
        else:
            run_stage(options.stage, config, command_line)
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
        print("\ninterrupted: what is finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def _refuse(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    if TOLD in os.environ:  # one of several processes: the launching one must know that this was no fault of ours
        Path(os.environ[TOLD]).touch()
    return 2


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    unknown = [argument for argument in more if argument.startswith("-")]
    if unknown:
        parser.error(f"unknown option {' '.join(unknown)}")
    options.overrides += more  # key=value may stand before and behind --config
    if options.stage == "import":  # import FOLDER
        options.overrides = [f"dataset.folder={text}" if "=" not in text or Path(text).exists() else text for text in options.overrides]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run.sh",
        description="Landmark retrieval, stage by stage.",
        epilog="key=value overrides a setting, such as train.epochs=3; `config` prints them all.",
    )
    commands = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    helps = {"run": "every stage in order, then the table of results"} | {name: stage.help for name, stage in STAGES.items()}
    helps |= {
        "show-matches": "a picture of two photos with lines between what they share",
        "doctor": "what this machine has, what the configuration needs, and the next command",
        "config": "print the merged configuration, every key with its meaning",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == "show-matches":
            command.add_argument("query", metavar="QUERY", help="id of a photo of any split")
            command.add_argument("index", metavar="INDEX", help="id of another")
        if name == "download":
            command.add_argument("--dry-run", action="store_true", help="print what would be fetched, its size and the disk it needs")
        if name == "submit":
            command.add_argument("--yes", action="store_true", help="upload to submit.competition without asking")
        default = PHOTOS_CONFIG if name == "import" else DEFAULT_CONFIG
        command.add_argument("--config", default=default, metavar="FILE", help=f"YAML file (default {default})")
        command.add_argument("overrides", nargs="*", metavar="key=value", help="settings that replace those of the file")
    return parser


_ABSENT = object()


def _value_at(values: dict, key: str):
    """What stands under a dotted key; _ABSENT below optional settings that are unset, whose own key says null."""
    for part in key.split("."):
        if values is None:
            return _ABSENT
        values = values[part]
    return values


def _print_config(config) -> None:
    """One line a key, in the form the command line takes it, with its meaning behind it."""
    import json

    values = config.model_dump(mode="json")
    lines = []
    for key, field in known_keys().items():
        if not key.startswith("models.NAME."):
            lines.append((key, _value_at(values, key), field.description))
        elif not values["models"]:
            lines.append((key, field.default, field.description))
        for name in values["models"] if key.startswith("models.NAME.") else ():
            own = key.replace("NAME", name, 1)
            lines.append((own, _value_at(values, own), field.description))
    for key, value, meaning in lines:
        if value is _ABSENT or (value is not None and any(other.startswith(f"{key}.") for other, *_ in lines)):
            continue  # optional settings: null where they are unset, else their own keys
        text = value if isinstance(value, str) else json.dumps(value)
        print(f"{key + '=' + text:<48} # {meaning}")
