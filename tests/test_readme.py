"""The README tells the truth about what can be checked by reading."""

import re
from pathlib import Path

import pytest

from landmarks.config import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_layout_names_every_file():
    layout = README[README.index("## The house") :]
    source = ROOT / "src" / "landmarks"
    files = {path.name for path in source.rglob("*.py") if "sample_world" not in path.parts and path.name != "__init__.py"}
    assert files <= set(re.findall(r"[\w]+\.py", layout))
    assert {path.name for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(re.findall(r"(\w+)/", layout))


def test_every_configuration_is_listed_and_every_listed_one_exists():
    assert set(re.findall(r"`configs/(\w+\.yaml)`", README)) == {path.name for path in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("line", re.findall(r"^    \./run\.sh (?!test|STAGE)(.*=.*)$", README, flags=re.MULTILINE))
def test_the_overrides_it_shows_are_accepted(line):
    words = [word.strip("'") for word in re.findall(r"(?:[^\s']+='[^']*'|\S+)", line.replace("='", "=" + "'"))]
    config = ROOT / (words[words.index("--config") + 1] if "--config" in words else "configs/sample.yaml")
    load_config(config, [word.replace("'", "") for word in words if "=" in word])
