import numpy as np
import pandas as pd
import pytest

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.scoring.judge import Judge, Judged
from landmarks.scoring.prefixes import score_prefixes
from landmarks.store.artefact import read_manifest


class Counting(Judge):
    """Two queries; the chain of n steps scores n and n + 1 percent."""

    protocol, title, compared, short, headings = "counting", "steps", "steps", "n", {"steps": "steps"}
    choices = {"counted": "steps"}
    queries = pd.DataFrame({"id": ["a", "b"], "relevant": [1, 2]})
    counts = {"all": 2}

    def judge(self, chain):
        steps = np.array([len(chain), len(chain) + 1]) / 100
        return Judged({"steps": steps}, steps, {"steps": float(100 * steps.mean()), "secret": None})

    def per_query(self, name, judged):
        return {f"{name} %": 100 * judged.decisive}

    def true_images(self, query):
        return set()

    def subjects(self):
        return ["x", "y"]

    def tabled(self, numbers):
        return {"steps": numbers["steps"]}

    def more_results(self, per_query, names):
        return {"best": per_query[[f"{name} %" for name in names]].max().tolist()}


def fingerprint(config, name):
    return read_manifest(config.run.folder / "rankings" / name)["fingerprint"]


def itself(chain):
    return (chain,)


def test_every_prefix_has_its_row_its_column_and_its_evaluation(settings, ranked):
    config = settings("rerank=sort,insert")
    ranked(config, [1.0, 0.5, 0.25])
    scores = score_prefixes(config, Counting(), itself)
    names = ["knn", "sort", "sort+insert"]
    assert scores.chains.to_dict("list") == {"chain": names, "steps": [0.5, 1.5, 2.5], "seconds": [1.0, 1.5, 1.75]}
    assert scores.per_query.columns.tolist() == ["id", "relevant", *(f"{name} %" for name in names)]
    assert scores.per_query["sort %"].tolist() == [1, 2] and scores.results["best"] == [1, 2, 3]
    assert scores.results["chains"]["sort"] == {"steps": 1.5, "secret": None, "seconds": 1.5, "fingerprint": fingerprint(config, "sort")}
    assert scores.results["protocol"] == "counting" and scores.results["queries"] == {"all": 2}
    assert scores.results["choices"]["counted"] == "steps" and scores.results["choices"]["whitening"] == "none"
    assert [one.chain for one in scores.evaluations] == names and {one.dataset for one in scores.evaluations} == {"/data"}
    assert [one.fingerprint for one in scores.evaluations] == [fingerprint(config, name) for name in names]
    assert scores.evaluations[2].numbers == {"steps": 2.5, "secret": None} and scores.evaluations[0].model == "descriptors"


def test_a_chain_that_is_run_as_several_has_the_time_of_the_slowest_and_the_fingerprint_of_the_last(settings, ranked):
    config = settings("rerank=sort")
    ranked(config, [1.0, 0.5])
    slow, fast = (load_config(None, [f"rerank={text}"]).rerank for text in ("insert,sort", "expand_query"))
    ranked(config, [1.0, 4.0, 2.0], slow)
    ranked(config, [1.0, 0.1], fast)
    scores = score_prefixes(config, Counting(), lambda chain: (slow, fast) if chain else (chain,))
    assert scores.chains["seconds"].tolist() == [1.0, 7.0]
    assert scores.evaluations[1].fingerprint == fingerprint(config, "expand_query") and scores.evaluations[1].chain == "sort"


def test_a_ranking_that_is_missing_or_of_other_settings_is_refused(settings, ranked):
    with pytest.raises(UserError, match="not there, or not finished"):
        score_prefixes(settings(), Counting(), itself)
    ranked(settings(), [1.0])
    with pytest.raises(UserError, match="not there, or not finished"):
        score_prefixes(settings("rerank=sort"), Counting(), itself)
    with pytest.raises(UserError, match="made with other settings"):
        score_prefixes(settings("search.neighbours=7"), Counting(), itself)
