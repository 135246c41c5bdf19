"""What all settings have in common."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

MAX_WIDTH = 65_536  # of vectors and layers
_MAX_COUNT = 10_000_000  # of anything that is counted; memory and disk end long before
_MAX_FLOAT = 1e38  # float32 ends there
_FREE = ("seed", "landmark_ids", "non_landmark_ids", "max_pixels")


def _require_utf8(text: str) -> None:
    """A run writes its settings to UTF-8 files. Raises ValueError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the name holds bytes that are no UTF-8: rename it, or use a link") from None


def expanded(path: Path) -> Path:
    """`path` with the home folder for ~ and ~name; as it is where no user has that name, as a shell leaves it."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


UserPath = Annotated[Path, AfterValidator(expanded)]
Side = Annotated[int, Field(ge=32, le=16_384)]  # pixels
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w-]*$")]  # it names folders


class Settings(BaseModel):
    """Frozen, and an unknown key is an error. Numbers are bounded: 10**12 dimensions would end in an error of Python's."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
    first_keys: ClassVar[frozenset[str]] = frozenset()  # those that every recipe on disk lists

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[info.field_name or ""].annotation)
        numbers = "bool" not in kind and ("int" in kind or "float" in kind)
        if numbers and any(isinstance(one, bool) for one in (value if isinstance(value, list) else [value])):
            raise ValueError("should be a number")  # pydantic takes it as 1 or 0
        return value

    @field_validator("*")
    @classmethod
    def _is_of_this_world(cls, value: Any, info: ValidationInfo) -> Any:
        limit = _MAX_FLOAT if isinstance(value, float) else _MAX_COUNT
        if isinstance(value, int | float) and abs(value) > limit and info.field_name not in _FREE:
            raise ValueError(f"should be at most {limit:,.0f}" if limit == _MAX_COUNT else f"should be at most {limit:g}")
        if isinstance(value, str | Path):
            _require_utf8(str(value))
        return value

    def shaping(self, without: Collection[str] = ()) -> dict[str, Any]:
        """What a result is made from, as JSON values, without the keys `without`.

        A key that a later version added is left out at its default: what was made before it was known stays up to date.
        """
        values = self.model_dump(mode="json", exclude=set(without))
        defaults = type(self)().model_dump(mode="json")
        return {key: value for key, value in values.items() if key in self.first_keys or value != defaults[key]}
