"""Which chains an ablation compares, and how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from landmarks.config.base import Settings
from landmarks.config.chain import Chain
from landmarks.config.names import did_you_mean
from landmarks.config.step import Step, step_class, step_names, trusted_class
from landmarks.errors import UserError

Values = Annotated[tuple[Any, ...], Field(min_length=1)]
ChainName = Annotated[str, Field(min_length=1)]


class AblateSettings(Settings):
    leave_one_out: bool = Field(True, description="also the chain without each of its steps")
    chains: dict[ChainName, Chain] = Field({}, description="name -> another chain of steps, compared with all its prefixes")
    sweep: dict[str, dict[str, Values]] = Field(
        {}, description="step -> key -> values, as in {sort: {neighbours: [1, 3, 5]}}: every combination, in the chain of the configuration"
    )
    sweep_trials: int = Field(0, ge=0, description="try so many of the sweep's combinations, drawn at random; 0 = all of them")
    choose_on: Literal["half", "public"] = Field(
        "half",
        description="queries that choose the sweep's best, others score it: of half the landmarks (Private ones too), or the Public ones",
    )
    samples: int = Field(10_000, ge=100, description="bootstrap draws of the queries for the intervals")
    seed: int = Field(0, ge=0, description="of these draws, of the halves and of the trials")

    @field_validator("sweep")
    @classmethod
    def _sweeps_what_there_is(cls, sweep: dict[str, dict[str, Values]], info: ValidationInfo) -> dict[str, dict[str, Values]]:
        for step, settings in sweep.items():
            if ":" not in step:
                _refuse_unknown("step", step, step_names(), "ablate.sweep")
            known = trusted_class(step, info).model_fields.keys() - {"step"}
            for key, values in settings.items():
                _refuse_unknown("key", key, known, f"ablate.sweep.{step}")
                for value in values:
                    _require_valid(step, key, value)
        return sweep


def with_settings(step: Step, settings: dict[str, Any]) -> Step:
    """The step with some of its settings changed. Raises UserError for a value out of range."""
    try:
        return step_class(step.step).model_validate(step.model_dump() | settings)
    except ValidationError as error:
        raise _refusal(step.step, error.errors()[0]) from None


def _require_valid(step: str, key: str, value: Any) -> None:
    try:
        step_class(step).model_validate({"step": step, key: value})
    except ValidationError as error:
        for problem in error.errors():
            if problem["loc"][:1] == (key,):  # other settings that have no default are those of the chain's step
                raise _refusal(step, problem) from None


def _refusal(step: str, problem: ErrorDetails) -> UserError:
    return UserError(
        f"{problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}",
        where=".".join(["ablate.sweep", step, *map(str, problem["loc"])]),
        next="correct the value",
    )


def _refuse_unknown(what: str, name: str, known: Iterable[str], where: str) -> None:
    names = sorted(known)
    if name not in names:
        raise UserError(f"unknown {what} '{name}'{did_you_mean(name, names)}", where=where, next=f"one of {', '.join(names)}")
