"""What is wrong with a configuration, in words: the key, the nearest known one, or the key that is meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from landmarks.config.keys import known_keys
from landmarks.config.names import did_you_mean
from landmarks.config.renamed import what_became_of, what_is_called
from landmarks.config.settings import Config
from landmarks.config.step import Step, step_class
from landmarks.errors import shown

_MANY = 8  # mistakes that are explained


def explain_all(error: ValidationError, tree: dict[str, Any]) -> str:
    """The mistakes of the configuration `tree`, the first of them where they are many."""
    problems = error.errors()
    more = [f"and {len(problems) - _MANY:,} more"] if len(problems) > _MANY else []
    return "; ".join([explain(problem, tree) for problem in problems[:_MANY]] + more)


def explain(problem: ErrorDetails, tree: dict[str, Any]) -> str:
    """One of pydantic's errors about the configuration `tree`."""
    location = [str(part) for part in problem["loc"]]
    key = shown(".".join(location), 120)
    if problem["type"] == "extra_forbidden":
        plain = _plain_key(location, tree)
        return what_became_of(plain) or what_is_called(location) or f"unknown key {key}{_nearest(location, tree)}"
    if problem["type"] in ("no_step", "unknown_step"):
        return f"{key}: {shown(problem['msg'], 600)}"
    if key.startswith("rerank") and problem["type"] == "tuple_type":
        written = "rerank=sort,insert or rerank='[{step: sort}, {step: insert}]'"
        return f"{key} is {shown(repr(problem['input']), 120)}, not a list of steps: write {written}"
    message = shown(problem["msg"].removeprefix("Value error, "), 600)
    if message.startswith("unknown "):
        return f"{key}: {message}"
    return f"{key}: {message}, not {shown(repr(problem['input']), 120)}" if key else message


def _nearest(location: list[str], tree: dict) -> str:
    """The known key most like an unknown one: among its neighbours first, then anywhere."""
    *parents, name = location
    if parents[:1] == ["rerank"] or parents[:2] == ["ablate", "chains"]:
        return did_you_mean(name, _step_at(parents, tree).model_fields)
    model = parents[1] if len(parents) > 1 and parents[0] == "models" else "NAME"
    keys = [key.replace("models.NAME", f"models.{model}") for key in known_keys()]
    keys += [name for name in Config.model_fields if name not in keys]
    full = ".".join(location)
    guess = get_close_matches(full, keys, n=1, cutoff=0.75) or [k for k in keys if k.rsplit(".", 1)[-1] == name][:1]
    guess = guess or get_close_matches(full, keys, n=1, cutoff=0.4)
    return f"; did you mean {guess[0]}?" if guess else ""


def _plain_key(location: list[str], tree: dict) -> str:
    """The dotted key; of a step's setting the step's name and the setting."""
    *parents, name = location
    in_chain = parents[:1] == ["rerank"] or parents[:2] == ["ablate", "chains"]
    return f"{_step_at(parents, tree).__module__.rpartition('.')[2]}.{name}" if in_chain else ".".join(location)


def _step_at(place: list[str], tree: Any) -> type[Step]:
    """The class of the step at a place of a chain, such as rerank.0; one with a mistake in it was read, so that the class is known."""
    for part in place:
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    return step_class(tree["step"])
