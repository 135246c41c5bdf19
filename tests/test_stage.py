"""The table of commands against the functions that they call."""

import importlib
import inspect
from pathlib import Path

import pytest

from landmarks.config.keys import known_keys
from landmarks.config.names import module_names
from landmarks.stage import STAGES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", STAGES)
def test_the_function_takes_what_the_command_gives(name):
    stage = STAGES[name]
    function = getattr(importlib.import_module(f"landmarks.{stage.module}"), stage.function or stage.module.rpartition(".")[2])
    config, *others = inspect.signature(function).parameters.values()
    assert config.name == "config"
    given = {argument.name.lstrip("-").replace("-", "_") for argument in stage.arguments}
    given |= {"command"} if stage.takes_command else set()
    given |= {stage.bare_option} if stage.bare_option else set()
    assert {parameter.name for parameter in others} >= given
    assert {parameter.name for parameter in others if parameter.default is parameter.empty} <= given
    needed = {argument.name for argument in stage.arguments if not argument.name.startswith("-")}
    assert needed <= {parameter.name for parameter in others}


def test_every_file_of_a_stage_is_a_command():
    assert sorted(stage.module.removeprefix("stages.") for stage in STAGES.values() if stage.module.startswith("stages.")) == module_names(
        ROOT / "src" / "landmarks" / "stages"
    )


def test_configurations_and_keys_of_commands_are_there():
    for stage in STAGES.values():
        assert (ROOT / stage.config).is_file() and (stage.bare_word is None or stage.bare_word in known_keys()) and stage.help


def test_only_what_is_shared_runs_as_several_processes():
    shared = ["shrink", "train", "extract", "clean", "search", "extract-local"]
    assert [name for name, stage in STAGES.items() if stage.launched] == shared
