import json
from datetime import datetime

import numpy as np
import pytest

from landmarks.scoring.evaluation import Evaluation, choices, enter, in_percent, mean, model_name, whitening_in_words
from landmarks.store.artefact import Artefact
from landmarks.store.ledger import read_ledger, read_numbers


def test_numbers_are_written_to_four_decimals():
    assert in_percent(np.array([1 / 3, 0, 1])).tolist() == [33.3333, 0, 100]
    assert mean(np.array([1.0, 2.00007])) == 1.5 and mean(np.array([1.0, 2.0, 2.0])) == 1.6667
    assert mean(np.empty(0)) is None


def test_the_models_of_an_ensemble_are_one_name():
    assert (model_name(["a", "b"]), model_name({"a": 1}), model_name([])) == ("a+b", "a", "descriptors")


EVALUATION = Evaluation(
    "a+b", "sort", "retrieval", "/data", {"whitening": "none", "overlap": "not measured"}, {"map": 12.5, "gap": None}, "f0"
)


def test_a_line_has_all_choices_and_the_numbers_that_there_are():
    line = EVALUATION.line("2026-01-01")
    assert line == {
        "date": "2026-01-01",
        "model": "a+b",
        "chain": "sort",
        "protocol": "retrieval",
        "dataset": "/data",
        "choices": "whitening: none; overlap: not measured",
        "numbers": "map=12.5",
        "fingerprint": "f0",
    }


def test_evaluations_are_entered_once_dated_with_the_zone(tmp_path):
    ledger = tmp_path / "results.csv"
    before = datetime.now().astimezone().replace(microsecond=0)
    for _ in range(2):
        enter(ledger, [EVALUATION])
    lines = read_ledger(ledger)
    assert len(lines) == 1 and read_numbers(lines["numbers"][0]) == {"map": 12.5}
    assert before <= datetime.fromisoformat(lines["date"][0]) <= datetime.now().astimezone()


def test_descriptors_as_given_have_no_sizes_and_no_training_set(settings):
    assert choices(settings()) == {
        "whitening": "none",
        "training set": "not known (descriptors as given)",
        "overlap": "not measured",
    }


def test_every_model_says_what_it_was_trained_on(settings):
    config = settings("models={trained: {}, starting: {}, absent: {}}", "extract={longest_side: 640, scales: [0.5, 1.0]}")
    for name, facts in (("trained", {"classes": 7, "images": 90}), ("starting", {"classes": 0, "images": 90})):
        model = Artefact(config.run.folder / "models" / name, "train", {}, {})
        model.begin()
        model.finish(**facts)
    made = choices(config)
    assert made["training set"] == "trained: 90 images of 7 landmarks; starting: starting weights; absent: not known"
    assert (made["longest side"], made["scales"]) == ("640", "0.5 1")


def test_what_overlap_found_is_quoted(settings):
    config = settings()
    folder = config.run.folder / "overlap"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"words": "3 of 9 – photos"}), encoding="utf-8")
    assert choices(config)["overlap"] == "3 of 9 – photos"


@pytest.mark.parametrize(("side", "words"), [("null", "800"), ("512", "512")])
def test_how_local_features_were_made_and_matched_where_the_chain_verifies(settings, side, words):
    local = f"extract.local={{longest_side: {side}, scales: [0.25, 1], max_features: 50}}"
    how = "verification={transform: similarity, residual: 15, trials: 200, max_distance: 0.8}"
    made = choices(settings("models.a.local={}", local, how, "rerank=sort,verify"))
    assert made["local features"] == f"50 at most, longest side {words}, scales 0.25 1"
    assert made["verification"] == "similarity, 15 pixels, 200 trials, matches within 0.8"
    assert not {"local features", "verification"} & choices(settings("models.a.local={}", local, how, "rerank=sort")).keys()


def test_whitening_in_words(settings):
    texts = ("{}", "{dimensions: 8}", "{dimensions: 8, learned_on: x, power: 0.5}")
    words = {text: whitening_in_words(settings(f"whiten={text}").whiten) for text in texts}
    assert list(words.values()) == ["none", "8 dimensions, learned on train", "8 dimensions, power 0.5, learned on x"]
