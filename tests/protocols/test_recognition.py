import numpy as np
import pandas as pd
import pytest

from landmarks.config import load_config
from landmarks.datasets.recognition import Predictions, RecognitionSolution
from landmarks.protocols import recognition as module
from landmarks.protocols.recognition import Recognition, recognition_numbers


def strings(*ids):
    return np.array(ids, object)


# Of the private queries one shows nothing, and one shows two landmarks; the public one shows nothing.
SOLUTION = RecognitionSolution(
    strings("a", "b", "c", "d"), strings("Private", "Private", "Private", "Public"), np.array([1, 2, 3]), np.array([0, 1, 1, 3, 3])
)
PREDICTIONS = Predictions(strings("d", "c", "b", "a"), np.array([9, 3, 5, 1]), np.array([0.95, 0.7, 0.8, 0.9]))


def without(id):
    return Predictions(PREDICTIONS.ids, PREDICTIONS.landmark_ids, np.where(PREDICTIONS.ids == id, -np.inf, PREDICTIONS.confidences))


def test_numbers_of_each_usage_worked_by_hand():
    numbers = recognition_numbers(PREDICTIONS, SOLUTION)
    assert numbers == {
        "gap_private": pytest.approx(100 * (1 + 2 / 3) / 2, abs=1e-4),
        "gap_public": None,
        "gap_private_without_distractors": 100.0,
        "gap_public_without_distractors": None,
        "accuracy_private": 100.0,
        "accuracy_public": None,
    }
    assert list(numbers)[:2] == ["gap_private", "gap_public"], "the challenge's own come first"


def test_a_query_without_a_prediction_is_missed_and_makes_no_other_worse():
    numbers = recognition_numbers(without("a"), SOLUTION)
    assert numbers["gap_private"] == pytest.approx(100 * (1 / 2) / 2) and numbers["accuracy_private"] == 50
    assert recognition_numbers(without("b"), SOLUTION)["gap_private"] == 100


def test_the_table_has_the_surest_first_and_nothing_where_nothing_was_predicted():
    table = module._table(without("c"), SOLUTION)
    assert table["id"].tolist() == ["d", "a", "b", "c"] and table["landmarks"].tolist() == ["", "1", "", "2 3"]
    assert table["predicted"].tolist() == [9, 1, 5, ""] and table["correct"].tolist() == [0, 1, 0, ""]
    assert pd.isna(table["confidence"].iloc[3]) and table["usage"].tolist() == ["Public", "Private", "Private", "Private"]
    assert module._counts(SOLUTION) == {"private": 3, "public": 1, "of them distractors": 2}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{}", {"votes": "3 nearest training images by cosine", "demoted": "more than 30 queries"}),
        (
            "{verify: true, cosine_weight: 1, frequent: 0}",
            {"votes": "3 nearest training images by inliers and 1 x cosine", "demoted": "none"},
        ),
        ("{non_landmark_ids: [7], non_landmark_weight: 0.5, neighbours: 5}", {"non-landmark penalty": "0.5 x mean of 5"}),
    ],
)
def test_what_changes_the_numbers_is_said(settings, words):
    found = module._words(load_config(None, [f"recognize={settings}"]).recognize)
    assert words.items() <= found.items() and ("non-landmark penalty" in found) == ("non_landmark" in settings)


def test_a_file_is_scored_by_the_numbers_that_there_are(tmp_path, capsys):
    for name, lines in {"train.csv": ["id,landmark_id"], "index.csv": ["id", "i"], "test.csv": ["id", *"abcd"]}.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "mine.csv").write_text("id,landmarks\na,1 0.9\nb,5 0.8\nc,3 0.7\nd,\n")
    config = load_config(None, [f"dataset.folder={tmp_path}", "evaluate.protocol=recognition"])
    Recognition().score_file(config, tmp_path / "mine.csv")
    assert "is valid; no recognition_solution*.csv" in capsys.readouterr().out
    assert Recognition().score(config) is None and "nothing to score against" in capsys.readouterr().out
    (tmp_path / "recognition_solution.csv").write_text("id,landmarks,Usage\na,1,Private\nb,,Private\nc,2 3,Private\nd,,Public\n")
    Recognition().score_file(config, tmp_path / "mine.csv")
    said = capsys.readouterr().out
    assert said == f"{tmp_path / 'mine.csv'}: gap_private 83.33, gap_private_without_distractors 100.00, accuracy_private 100.00\n"
