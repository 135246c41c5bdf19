from typing import ClassVar

from pydantic import Field

from landmarks.config import ModelSettings, TrainSettings
from landmarks.config.base import Settings


class Example(Settings):
    first_keys: ClassVar[frozenset[str]] = frozenset({"old"})
    old: int = Field(1)
    new: tuple[int, ...] = Field((2, 3))


def test_a_later_setting_shapes_a_result_only_where_it_is_set():
    assert Example().shaping() == {"old": 1}
    assert Example(old=4, new=(5,)).shaping() == {"old": 4, "new": [5]}
    assert Example(new=(5,)).shaping({"new"}) == {"old": 1}


def test_the_first_keys_are_settings():
    for settings in (TrainSettings, ModelSettings):
        assert settings.first_keys <= settings.model_fields.keys()
