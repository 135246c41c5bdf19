from pathlib import Path

import pytest

from landmarks.config import load_config
from landmarks.stages import evaluate as module
from landmarks.stages.evaluate import evaluate


@pytest.fixture
def asked(monkeypatch):
    """What is asked of the protocol, by its name, and what is recorded."""
    calls = []

    class Protocol:
        def __init__(self, name):
            self.name = name

        def score(self, config):
            calls.append(("score", self.name))
            return "scores"

        def score_file(self, config, path):
            calls.append(("file", self.name, path))

    monkeypatch.setattr(module, "protocol_named", Protocol)
    monkeypatch.setattr(module, "record", lambda config, protocol, scores: calls.append(("record", protocol, scores)) or config.run.folder)
    return calls


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [([], "retrieval"), (["dataset.source=msls"], "places"), (["dataset.source=msls", "evaluate.protocol=recognition"], "recognition")],
)
def test_rankings_are_scored_by_the_dataset_s_protocol_and_recorded(asked, settings, protocol):
    assert evaluate(load_config(None, ["run.folder=/run", *settings])) == Path("/run")
    assert asked == [("score", protocol), ("record", protocol, "scores")]


def test_a_file_is_scored_and_nothing_is_recorded(asked):
    assert evaluate(load_config(None, ["evaluate.submission=mine.csv"])) is None
    assert asked == [("file", "retrieval", Path("mine.csv"))]
