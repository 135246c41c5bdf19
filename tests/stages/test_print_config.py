from pathlib import Path

import pytest

from landmarks.config import load_config
from landmarks.config.keys import known_keys
from landmarks.errors import UserError
from landmarks.stages.print_config import FIRST, print_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def printed(capsys, config, **options):
    """The settings in the order that they are printed in, as key=value."""
    print_config(config, **options)
    lines = capsys.readouterr().out.splitlines()
    return [line.rpartition(" # ")[0].rstrip() for line in lines if not line.startswith("# ---")]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_is_printed_makes_the_same_configuration(path, capsys):
    config = load_config(path, ["whiten.learned_on=a #1: b", "rerank=[{step: sort, neighbours: 5}, insert]", "models.a.local={}"])
    words = [word for word in printed(capsys, config) if not word.startswith("models.NAME.")]
    assert load_config(None, words) == config
    keys = [word.partition("=")[0] for word in words]
    assert len(set(keys)) == len(keys)


def test_every_key_is_printed_and_those_that_most_people_change_come_first(capsys):
    keys = [word.partition("=")[0] for word in printed(capsys, load_config(None, []))]
    assert keys[: len(FIRST)] == list(FIRST) and set(FIRST) <= set(known_keys())
    assert sorted(keys) == sorted(known_keys())


def test_optional_settings_are_null_or_their_own_keys(capsys):
    words = printed(capsys, load_config(None, ["models.a.local={dimensions: 32}", "models.b={}"]))
    assert "models.a.local.dimensions=32" in words and "models.b.local=null" in words
    assert not any(word.startswith(("models.a.local=", "models.b.local.", "models.NAME")) for word in words)


def test_one_section_alone(capsys):
    words = printed(capsys, load_config(None, ["models.a={}", "places.metres=7"]), section="places")
    assert "places.metres=7.0" in words and all(word.startswith("places.") for word in words)
    assert {word.partition("=")[0].split(".")[1] for word in printed(capsys, load_config(None, ["models.a={}"]), section="models")} == {"a"}
    with pytest.raises(UserError, match=r"unknown section 'place'; did you mean places\?"):
        print_config(load_config(None, []), section="place")
