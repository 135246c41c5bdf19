import json

import pandas as pd
import pytest

from landmarks.scoring import record as module
from landmarks.scoring.evaluation import Evaluation, Scores
from landmarks.scoring.record import FILES, record
from landmarks.store.ledger import read_ledger


@pytest.fixture
def shown(monkeypatch):
    """What is printed of the protocol "counting", whose files are in counting/; that of "plain" is in the run folder."""
    printed = []

    class Protocol:
        def __init__(self, name):
            self.results_folder = "" if name == "plain" else name

        def show(self, results):
            printed.append(results)

    monkeypatch.setattr(module, "protocol_named", Protocol)
    return printed


def scores(number=1.5):
    lines = [Evaluation("m", chain, "counting", "/data", {}, {"n": number}, f"f-{chain}") for chain in ("knn", "sort")]
    return Scores({"n": number}, pd.DataFrame({"chain": ["knn", "sort"]}), pd.DataFrame({"id": ["a"]}), lines)


def test_scores_are_written_printed_and_entered(settings, shown, tmp_path):
    config = settings()
    assert record(config, "counting", scores()) == config.run.folder / "counting"
    folder = config.run.folder / "counting"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert json.loads((folder / "metrics.json").read_text()) == {"n": 1.5} and shown == [{"n": 1.5}]
    assert (folder / "per_query.csv").read_text() == "id\na\n" and (folder / "ablation.csv").read_text() == "chain\nknn\nsort\n"
    assert read_ledger(tmp_path / "results.csv")["chain"].tolist() == ["knn", "sort"]


def test_where_nothing_can_be_scored_an_earlier_score_goes_and_the_ledger_stays(settings, shown, tmp_path):
    config = settings()
    for protocol in ("plain", "counting"):
        record(config, protocol, scores())
    other = config.run.folder / "submission.csv"
    other.write_text("id,images\n")
    assert record(config, "plain", None) is None
    assert sorted(path.name for path in config.run.folder.iterdir()) == ["counting", "submission.csv"]
    assert len(list((config.run.folder / "counting").iterdir())) == len(FILES) and len(shown) == 2
    assert len(read_ledger(tmp_path / "results.csv")) == 2
    assert record(config, "plain", None) is None, "nothing to remove"


def test_another_number_of_the_same_ranking_replaces_its_line(settings, shown, tmp_path):
    for number in (1.5, 2.5):
        record(settings(), "counting", scores(number))
    assert read_ledger(tmp_path / "results.csv")["numbers"].tolist() == ["n=2.5", "n=2.5"]
