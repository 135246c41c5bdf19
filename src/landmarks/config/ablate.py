"""Which chains an ablation compares, and how."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from landmarks.config.base import Settings
from landmarks.config.chain import STEPS, Chain, Step
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
    samples: int = Field(10_000, ge=100, description="times that the queries are drawn anew for the intervals")
    seed: int = Field(0, ge=0, description="of these draws, of the halves and of the trials")

    @field_validator("sweep")
    @classmethod
    def _sweeps_what_there_is(cls, sweep: dict[str, dict[str, Values]]) -> dict[str, dict[str, Values]]:
        for step, settings in sweep.items():
            _refuse_unknown("step", step, STEPS, "ablate.sweep")
            for key, values in settings.items():
                _refuse_unknown("key", key, STEPS[step].model_fields.keys() - {"step"}, f"ablate.sweep.{step}")
                for value in values:
                    _validated(step, {key: value})
        return sweep


def with_settings(step: Step, settings: dict[str, Any]) -> Step:
    """The step with some of its settings changed. Raises UserError for a value out of range."""
    return _validated(step.step, step.model_dump() | settings)


def _validated(step: str, settings: dict[str, Any]) -> Step:
    try:
        return STEPS[step].model_validate(settings | {"step": step})
    except ValidationError as error:
        problem = error.errors()[0]
        raise UserError(
            f"{problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}",
            where=".".join(["ablate.sweep", step, *map(str, problem["loc"])]),
            next="mend the value",
        ) from None


def _refuse_unknown(what: str, name: str, known: Iterable[str], where: str) -> None:
    known = sorted(known)
    if name not in known:
        guess = get_close_matches(name, known, n=1, cutoff=0.3)
        raise UserError(
            f"unknown {what} '{name}'" + (f"; did you mean {guess[0]}?" if guess else ""), where=where, next=f"one of {', '.join(known)}"
        )
