"""What was typed: the stage, its configuration and overrides, or the nearest right form of what is not right."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from landmarks import __version__
from landmarks.command import line_to_type, program
from landmarks.config.names import did_you_mean
from landmarks.config.read_yaml import RUN_FILE
from landmarks.config.renamed import what_is_called
from landmarks.config.run_file import is_run_folder
from landmarks.errors import UserError
from landmarks.stage import STAGES, Stage


@dataclass(frozen=True)
class Typed:
    """One command.

    configuration  the file of the settings
    run_folder     the run folder that was named in its place, if any
    overrides      key=value, each
    options        the stage's own arguments, by name
    """

    stage: str
    configuration: str
    run_folder: Path | None
    overrides: list[str]
    options: dict[str, Any]
    allow_code: bool

    @property
    def settings(self) -> list[str]:
        """The overrides; those of a run folder are of that folder, wherever it was made."""
        return self.overrides + ([f"run.folder={self.run_folder}"] if self.run_folder is not None else [])

    @property
    def words(self) -> list[str]:
        """What says the configuration, to be typed again."""
        source = ["--config", self.configuration] if self.run_folder is None else [str(self.run_folder)]
        return [*source, *self.overrides, *(["--allow-code"] if self.allow_code else [])]


def parse(arguments: Sequence[str]) -> Typed:
    """Raises UserError with the right form for what is nearly right; argparse exits with code 2 for the rest."""
    arguments = list(arguments)
    if arguments and not arguments[0].startswith("-"):
        arguments[0] = _stage(arguments[0], arguments[1:])
    parser = _parser()
    named = STAGES[arguments[0]] if arguments and arguments[0] in STAGES else None
    folder = _take_run_folder(arguments, named) if named is not None else None
    found, more = parser.parse_known_args(arguments)
    stage = STAGES[found.stage]
    for flag in (word for word in more if word.startswith("-")):
        _refuse_flag(flag, parser)
    words = [*found.overrides, *(word for word in more if not word.startswith("-"))]
    options = {name: getattr(found, name) for name in map(_attribute, (argument.name for argument in stage.arguments))}
    if stage.bare_option is not None:
        bare = [word for word in words if "=" not in word]
        options[stage.bare_option] = bare[0] if bare else None
        words = [word for word in words if word not in bare[:1]]
    overrides = [_override(word, found.stage, stage, words) for word in words]
    files = found.config or []
    if len(files) > 1 or (files and folder is not None):
        raise UserError(
            "the configuration is named twice: " + " and ".join([*files, *([str(folder)] if folder else [])]),
            where="the command line",
            next=line_to_type(found.stage, *([str(folder)] if folder else ["--config", files[0]]), *overrides),
        )
    configuration = str(folder / RUN_FILE) if folder is not None else files[0] if files else stage.config
    return Typed(found.stage, configuration, folder, overrides, options, found.allow_code)


def _stage(word: str, others: list[str]) -> str:
    """The stage of that name, however it is capitalised."""
    if word in STAGES:
        return word
    names = {name.replace("-", ""): name for name in STAGES}
    plain = word.lower().replace("-", "").replace("_", "")
    guess, hint = names.get(plain), did_you_mean(word.lower(), STAGES)
    if guess is None and (is_run_folder(Path(word)) or "=" in word):
        guess, others, hint = "run", [word, *others], ""
    guess = guess or next(iter(get_close_matches(word.lower(), STAGES, n=1, cutoff=0.5)), None)
    raise UserError(
        f"unknown stage '{word}'{hint}",
        where="the command line",
        next=line_to_type(guess, *others) if guess else f"{program()} --help  (lists the stages)",
    )


def _take_run_folder(arguments: list[str], stage: Stage) -> Path | None:
    """The first word that is a run folder, taken out of the arguments. Raises UserError for one that has no configuration."""
    for place, word in enumerate(arguments[1:], start=1):
        if word.startswith("-") or "=" in word or arguments[place - 1] == "--config" or not Path(word).is_dir():
            continue
        if not is_run_folder(Path(word)) or (stage.bare_word is not None and not (Path(word) / RUN_FILE).is_file()):
            continue  # import FOLDER: a folder of photos is none that keeps a configuration
        del arguments[place]
        if not (Path(word) / RUN_FILE).is_file():
            right = [arguments[0], "--config", "FILE", f"run.folder={word}", *arguments[1:]]
            raise UserError(
                f"the run folder keeps no configuration ({RUN_FILE}): an earlier version made it",
                where=word,
                next=f"{line_to_type(*right)}  (FILE: the one that it was made with; once)",
            )
        return Path(word)
    return None


def _override(word: str, name: str, stage: Stage, words: list[str]) -> str:
    """The word as key=value. Raises UserError for one that is none."""
    if stage.bare_word is not None and ("=" not in word or Path(word).exists()):
        return f"{stage.bare_word}={word}"
    if "=" in word and not word.startswith("="):
        _refuse_split(word, words)
        return word
    others = [other for other in words if other != word]
    if Path(word).suffix in (".yaml", ".yml"):
        raise UserError(f"'{word}' is a configuration file", where="the command line", next=line_to_type(name, "--config", word, *others))
    guess = next((known for known in STAGES if known.replace("-", "") == word.lower().replace("-", "").replace("_", "")), None)
    if name == "run" and guess is not None:
        raise UserError(f"unknown stage '{word}'", where="the command line", next=line_to_type(guess, *others))
    if Path(word).is_dir():
        raise UserError(
            f"'{word}' is a folder, but no run was made in it", where="the command line", next=f"run.folder={word} or dataset.folder={word}"
        )
    raise UserError(f"'{word}' is not an override", where="the command line", next="write key=value, such as train.epochs=3")


def _refuse_split(word: str, words: list[str]) -> None:
    """Without quotes the shell takes a list apart at its spaces."""
    if _is_closed(word):
        return
    start = words.index(word)
    whole = next((text for end in range(start + 2, len(words) + 1) if _is_closed(text := " ".join(words[start:end]))), None)
    if whole is not None:
        key = word.partition("=")[0]
        raise UserError(
            f"the value of {key} was taken apart by the shell", where="the command line", next=f"quote it: {shlex.quote(whole)}"
        )


def _is_closed(text: str) -> bool:
    return text.count("[") + text.count("{") == text.count("]") + text.count("}")


def _refuse_flag(flag: str, parser: argparse.ArgumentParser) -> None:
    name = flag.lstrip("-").partition("=")[0]
    known = what_is_called([name])
    if known is not None:
        raise UserError(f"there is no option {flag}: {known}", where="the command line", next=f"{program()} config  (prints every key)")
    parser.error(f"unknown option {flag}; settings are key=value, such as train.epochs=3")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program(),
        description="Landmark retrieval, stage by stage.",
        epilog="A run folder can be named in place of --config FILE. key=value overrides a setting, such as train.epochs=3; `config` "
        "prints them all.",
    )
    parser.add_argument("--version", action="version", version=f"landmarks {__version__}")
    commands = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, stage in STAGES.items():
        command = commands.add_parser(name, help=stage.help, description=stage.help)
        for argument in stage.arguments:
            command.add_argument(argument.name, **argument.options)
        command.add_argument("--config", action="append", metavar="FILE", help=f"YAML file (default {stage.config})")
        command.add_argument(
            "--allow-code", action="store_true", help="import the steps that a configuration in a run folder names as module:Class"
        )
        command.add_argument(
            "overrides",
            nargs="*",
            metavar="RUN or key=value",
            help="a run folder, for its configuration; settings that override it",
        )
    return parser


def _attribute(argument: str) -> str:
    return argument.lstrip("-").replace("-", "_")
