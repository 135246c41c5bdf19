import numpy as np
import pytest

from landmarks.config.names import module_names
from landmarks.config.settings import _PROTOCOLS
from landmarks.errors import UserError
from landmarks.scoring import protocol as module
from landmarks.scoring.protocol import Protocol, protocol_named
from landmarks.stage import STAGES


@pytest.mark.parametrize("name", module_names(_PROTOCOLS))
def test_every_protocol_is_one_class_whose_stages_are_there(name):
    protocol = protocol_named(name)
    assert type(protocol).__module__ == f"landmarks.protocols.{name}" and isinstance(protocol, Protocol)
    assert set(protocol.stages) <= set(STAGES) and protocol.judges_lists == (name != "recognition")


def test_there_are_four():
    assert module_names(_PROTOCOLS) == ["places", "recognition", "retrieval", "revisited"]


def test_a_protocol_that_says_nothing_runs_a_chain_as_it_is_and_leaves_nothing_out(tmp_path):
    plain = Protocol()
    assert plain.chains(("a", "b")) == (("a", "b"),) and plain.junk(tmp_path, np.empty(0), np.empty(0)) is None
    with pytest.raises(NotImplementedError, match="Protocol.judge"):
        plain.judge(None)


@pytest.mark.parametrize(("name", "source"), [("revisited", "revisited"), ("places", "places")])
def test_only_the_challenges_have_submissions(settings, tmp_path, name, source):
    with pytest.raises(UserError, match=f"by the protocol retrieval or recognition, not {name}"):
        protocol_named(name).score_file(settings(f"dataset.source={source}"), tmp_path / "file.csv")


def test_prefixes_are_scored_by_the_judge_and_run_as_the_protocol_runs_them(settings, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(module, "score_prefixes", lambda *given: calls.append(given) or "scores")

    class Judged(Protocol):
        def judge(self, config):
            return truth

    config, protocol, truth = settings(), Judged(), "judge"
    assert protocol.score(config) == "scores"
    assert calls[0][:2] == (config, "judge") and calls[0][2] == protocol.chains
    truth = None
    assert protocol.score(config) is None and len(calls) == 1
    assert "no retrieval_solution*.csv in /data, so there is nothing to score against" in capsys.readouterr().out
