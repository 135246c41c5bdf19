"""One re-ranking step: its settings, and what the rest of the package has to know of it.

A step of the package is one file, rerank/steps/<name>.py, with one subclass of Step in it. A step of one's own is a subclass in any
module that Python can import, named as module:Class.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from landmarks.config.base import Settings
from landmarks.config.names import class_in, did_you_mean, module_names
from landmarks.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context

_PACKAGE = "landmarks.rerank.steps"
_NAMES = "one of {}; or module:Class, a step of your own"
_FOLDER = Path(__file__).parents[1] / "rerank" / "steps"


class Step(Settings):
    """Base class of all steps: the fields of a subclass are its settings, `apply` is what it does.

    searches    whether it makes new vectors and searches the queries again in them
    changes     of which splits it then makes new vectors; those of the others stay the very arrays that they were, and take no disk
    learns      whether it learns from train's landmarks, so that without training images there is nothing it can do
    reads_junk  whether it leaves out what the ground truth calls junk, so that its ranking is of that ground truth
    chooses     whether other steps are chosen in its place before the run's chain begins
    revision    raised where the same settings make something else than in an earlier version: what that has left is made again
    """

    searches: ClassVar[bool] = False
    changes: ClassVar[tuple[str, ...]] = ("test", "index", "train")
    learns: ClassVar[bool] = False
    reads_junk: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    revision: ClassVar[int] = 1

    step: str = Field("", description="the name of the step, or module:Class for one of your own")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """The ranking with the same queries, re-ordered or searched again. What it may ask for is in rerank/context.py."""
        raise NotImplementedError(f"{type(self).__name__}.apply")

    @property
    def verified_images(self) -> int:
        """First images of each list whose inliers it counts: their local features, and those of the queries, are extracted for it."""
        return 0

    @property
    def training_images(self) -> int:
        """Training images, at most, whose local features it needs when a step before it has verified."""
        return 0

    def training_rows(self, context: Context, before: tuple[Step, ...], neighbours: int) -> np.ndarray:
        """Which training images those are: rows of train, ascending int64.

        before      the steps of the chain before this one
        neighbours  the length of the lists
        """
        raise NotImplementedError(f"{type(self).__name__}.training_rows")

    def vector_width(self, searched: int, described: int) -> int:
        """Dimensions of the vectors that it makes, where it `searches`.

        searched   dimensions of the vectors that were searched before it
        described  dimensions of the descriptors before whitening
        """
        return searched

    def require_place(self, before: tuple[Step, ...], neighbours: int) -> None:
        """Raise ValueError where the step cannot work behind the steps `before`, on lists of that length."""

    def recipe(self) -> dict[str, Any]:
        """What shapes its result, for fingerprints: its settings, and of a step from outside the package the digest of its source."""
        settings = self.model_dump(mode="json") | ({"revision": self.revision} if self.revision > 1 else {})
        if self.is_from_outside:
            source = Path(inspect.getfile(type(self))).read_bytes()
            settings["source"] = hashlib.blake2b(source, digest_size=16).hexdigest()
        return settings

    @property
    def is_from_outside(self) -> bool:
        """Whether the package does not hold it."""
        return not type(self).__module__.startswith(f"{_PACKAGE}.")

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_own_class(cls, value: Any, handler: ModelWrapValidatorHandler[Step], info: ValidationInfo) -> Step:
        """As a field of a chain any step is read; a subclass reads its own settings and knows its own name."""
        if cls is Step and not isinstance(value, Step):
            return _read_step(value, info)
        if isinstance(value, dict):
            value = {"step": _own_name(cls)} | value
        return handler(value)


def unknown_step(name: str) -> str:
    """The message about a name that is no step, with the nearest one."""
    return f"unknown step '{name}'{did_you_mean(name, step_names())}"


def step_names() -> list[str]:
    """The steps of the package, in alphabetical order."""
    return module_names(_FOLDER)


def trusted_class(name: str, info: ValidationInfo) -> type[Step]:
    """As `step_class`, for a name that a configuration holds: `info` knows which names were typed and which file is not trusted."""
    context = info.context or {}
    return step_class(name, None if name in context.get("typed", ()) else context.get("code_refused_in"))


def step_class(name: str, code_refused_in: Path | None = None) -> type[Step]:
    """The class of a step, by its name or as module:Class.

    code_refused_in  a file that is not trusted: a module that only it names is not imported
    Raises UserError for a name that is no step, and for a module that cannot or must not be imported.
    """
    module_name, colon, attribute = name.partition(":")
    if colon:
        return _class_from_outside(name, module_name, attribute, code_refused_in)
    if name not in step_names():
        raise UserError(unknown_step(name), where="the chain of steps", next=_named())
    return class_in(f"{_PACKAGE}.{name}", Step)


def _class_from_outside(name: str, module_name: str, attribute: str, code_refused_in: Path | None) -> type[Step]:
    if code_refused_in is not None:
        raise UserError(
            f"the step {name} is code from outside the package, and the configuration that names it is in a run folder",
            where=code_refused_in,
            next="read that code; if you trust it, the same command with --allow-code, or open_run(..., allow_code=True)",
        )
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as with `python -m`, whichever way the program was started
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module of somebody's may raise anything when it is imported
        missing = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        place = next((frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if _is_of(frame.filename, module_name)), None)
        raise UserError(
            f"the step {name} cannot be imported: {type(error).__name__}: {str(error).partition(chr(10))[0]}",
            where=f"{place.filename}, line {place.lineno}" if place else "the chain of steps",
            next=f"a file {module_name.replace('.', '/')}.py in this folder, or its folder in PYTHONPATH"
            if missing
            else "correct that file",
        ) from error
    found = getattr(module, attribute, None)
    if not _is_step(found):
        raise UserError(
            f"{name} is not a step: it should name a subclass of landmarks.config.Step with a method `apply`"
            + did_you_mean(attribute, (other for other, value in vars(module).items() if _is_step(value))),
            where=getattr(module, "__file__", module_name),
            next="see CONTRIBUTING.md, a step of your own",
        )
    return found


def _is_step(value: Any) -> TypeGuard[type[Step]]:
    return inspect.isclass(value) and issubclass(value, Step) and value.apply is not Step.apply


def _is_of(filename: str, module_name: str) -> bool:
    return Path(filename).stem == module_name.rpartition(".")[2]


def _own_name(step: type[Step]) -> str:
    module, name = step.__module__, step.__qualname__
    return module.removeprefix(f"{_PACKAGE}.") if module.startswith(f"{_PACKAGE}.") else f"{module}:{name}"


def _read_step(value: Any, info: ValidationInfo) -> Step:
    if isinstance(value, str):
        value = {"step": value}
    name = value.get("step") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise PydanticCustomError("no_step", "{message}", {"message": f"names no step: write {{step: NAME}}, {_named()}"})
    if ":" not in name and name not in step_names():
        raise PydanticCustomError("unknown_step", "{message}", {"message": f"{unknown_step(name)} ({_named()})"})
    return trusted_class(name, info).model_validate(value)


def _named() -> str:
    return _NAMES.format(", ".join(step_names()))
