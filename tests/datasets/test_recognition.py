import numpy as np
import pytest

from landmarks.datasets.recognition import (
    Predictions,
    read_predictions,
    read_recognition_solution,
    write_predictions,
    write_recognition_solution,
)
from landmarks.errors import UserError

TEST_IDS = np.array(["null", "007", "q3", "q1"], dtype=object)


def file(tmp_path, text):
    path = tmp_path / "file.csv"
    path.write_text(text)
    return path


def test_a_solution_comes_back_in_the_order_of_the_ids_without_the_ignored(tmp_path):
    path = tmp_path / "recognition_solution.csv"
    write_recognition_solution(
        path, ["q3", "null", "q1", "007"], ["", "12 -3", "whatever", "5"], ["Private", "Public", "Ignored", "Private"]
    )
    solution = read_recognition_solution(path, TEST_IDS)
    assert solution.query_ids.tolist() == ["007", "null", "q3"] and solution.usages.tolist() == ["Private", "Public", "Private"]
    assert solution.landmarks.tolist() == [5, 12, -3] and solution.starts.tolist() == [0, 1, 3, 3]
    private = solution.of_usage("Private")
    assert private.query_ids.tolist() == ["007", "q3"] and private.landmarks.tolist() == [5] and private.starts.tolist() == [0, 1, 1]
    assert solution.of_usage("Public").landmarks.tolist() == [12, -3]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q1,5,Secret", "usage 'Secret' is none of"),
        ("q7,5,Public", "query 'q7' is not in test.csv"),
        ("q1,five,Public", "landmark 'five' is not an integer"),
        ("q1,5.0,Public", "landmark '5.0' is not an integer"),
        (f"q1,{2**63},Public", "is not an integer"),
        ("q3,5,Public\nq3,5,Public", "duplicate id 'q3'"),
    ],
)
def test_a_bad_solution_is_refused(tmp_path, row, message):
    with pytest.raises(UserError, match=message):
        read_recognition_solution(file(tmp_path, f"id,landmarks,Usage\n{row}\n"), TEST_IDS)


def test_what_is_written_is_read_back_to_the_last_digit(tmp_path):
    confidences = np.array([0.1, -np.inf, -2.5e-8, 1 / 3], np.float32)
    write_predictions(tmp_path / "s.csv", Predictions(TEST_IDS, np.array([5, 7, -3, 2**40]), confidences))
    assert (tmp_path / "s.csv").read_text().splitlines()[:3] == ["id,landmarks", "null,5 0.1", "007,"]
    back = read_predictions(tmp_path / "s.csv", TEST_IDS[::-1])
    assert back.ids.tolist() == TEST_IDS[::-1].tolist()
    np.testing.assert_array_equal(back.confidences.astype(np.float32), confidences[::-1])
    assert back.landmark_ids[[0, 1, 3]].tolist() == [2**40, -3, 5]


def test_an_id_without_a_prediction_has_none():
    some = Predictions(np.array(["a"], object), np.array([4]), np.array([0.5]))
    assert some.for_ids(np.array(["b", "a"], object)).confidences.tolist() == [-np.inf, 0.5]
    none = Predictions(np.empty(0, object), np.empty(0, np.int64), np.empty(0))
    assert none.for_ids(np.array(["b"], object)).confidences.tolist() == [-np.inf]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("null,\n007,\nq3,", "no row for query 'q1'"),
        ("null,\n007,\nq3,\nq1,\nq9,", "query 'q9' is not in test.csv"),
        ("null,\n007,\nq3,\nq3,\nq1,", "duplicate id 'q3'"),
        ("null,5\n007,\nq3,\nq1,", "'5' is not a label and a confidence"),
        ("null,5 0.5 6 0.4\n007,\nq3,\nq1,", "is not a label and a confidence"),
        ("null,5 nan\n007,\nq3,\nq1,", "is not a label and a confidence"),
        ("null,5 high\n007,\nq3,\nq1,", "is not a label and a confidence"),
        ("null,x 0.5\n007,\nq3,\nq1,", "landmark 'x' is not an integer"),
    ],
)
def test_a_bad_submission_is_refused(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        read_predictions(file(tmp_path, f"id,landmarks\n{rows}\n"), TEST_IDS)


def test_blanks_around_a_prediction_are_no_fault(tmp_path):
    path = file(tmp_path, "id,landmarks\nnull, 5  0.5 \n007, \nq3,\nq1,-3 1e2\n")
    assert read_predictions(path, TEST_IDS).confidences.tolist() == [0.5, -np.inf, -np.inf, 100]
