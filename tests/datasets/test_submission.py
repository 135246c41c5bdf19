import numpy as np
import pytest

from landmarks.datasets.image_lists import ImageLists
from landmarks.datasets.solution import find_solution, read_solution
from landmarks.datasets.submission import read_submission, write_submission
from landmarks.errors import UserError
from landmarks.ranking import Ranking

TEST = np.array(["q1", "q2", "01"], object)
INDEX = np.array([f"{n:03d}" for n in range(150)], object)


def test_what_is_written_is_read_back(tmp_path):
    ranking = Ranking(
        TEST[[2, 0]], INDEX, np.array([[5, 0, -1], [7, -1, -1]], np.int32), np.array([[2, 1, -np.inf], [1, -np.inf, -np.inf]], np.float32)
    )
    write_submission(tmp_path / "s.csv", TEST, ranking)
    assert (tmp_path / "s.csv").read_text() == "id,images\nq1,007\nq2,\n01,005 000\n"
    lists = read_submission(tmp_path / "s.csv", TEST, INDEX)
    assert lists.ids.tolist() == TEST.tolist() and lists.padded(2).tolist() == [[7, -1], [-1, -1], [5, 0]]


def test_at_most_a_hundred_images_are_written(tmp_path):
    ranking = Ranking(TEST[:1], INDEX, np.arange(120, dtype=np.int32)[None], -np.arange(120, dtype=np.float32)[None])
    write_submission(tmp_path / "s.csv", TEST, ranking)
    assert np.diff(read_submission(tmp_path / "s.csv", TEST, INDEX).starts).tolist() == [100, 0, 0]


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (["q1," + " ".join(INDEX[:101]), "q2,", "01,"], ["101 images for query 'q1'", "row 2"]),
        (["q1,000", "q2,001 xyz", "01,"], ["unknown index image 'xyz' for query 'q2'", "row 3"]),
        (["q1,000", "q9,", "q2,", "01,"], ["unknown query 'q9'", "row 3"]),
        (["q1,000", "q1,001", "q2,", "01,"], ["duplicate id 'q1'", "row 3"]),
        (["q1,000", "q2,"], ["no row for query '01'"]),
    ],
)
def test_a_bad_submission_is_refused_with_row_and_value(tmp_path, rows, parts):
    (tmp_path / "s.csv").write_text("\n".join(["id,images", *rows]) + "\n")
    with pytest.raises(UserError) as error:
        read_submission(tmp_path / "s.csv", TEST, INDEX)
    assert all(part in str(error.value) for part in parts), error.value


def test_rows_are_chosen_in_any_order_and_minus_one_is_empty():
    lists = ImageLists(TEST, np.array([4, 5, 6], np.int32), np.array([0, 2, 2, 3]))
    chosen = lists.rows(np.array([2, -1, 0]))
    assert chosen.ids.tolist() == ["01", "", "q1"] and chosen.numbers.tolist() == [6, 4, 5] and chosen.starts.tolist() == [0, 1, 1, 3]
    assert lists.rows(np.array([], np.int64)).starts.tolist() == [0]


def test_the_solution_leaves_the_ignored_queries_out(tmp_path):
    (tmp_path / "retrieval_solution_v2.1.csv").write_text("id,images,Usage\nq1,003 001,Private\nq2,None,Ignored\n01,002,Public\n")
    path = find_solution(tmp_path, None)
    solution = read_solution(path, TEST, INDEX)
    assert solution.query_ids.tolist() == ["q1", "01"] and solution.usages.tolist() == ["Private", "Public"]
    assert solution.truth.padded(2).tolist() == [[3, 1], [2, -1]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q1,000,public", "usage 'public' is none of"),
        ("q7,000,Public", "query 'q7' is not in test.csv"),
        ("q1,abc,Public", "unknown index image 'abc'"),
        ("q1,,Public", "no true images"),
        ("q1,000 001 000,Public", "query 'q1' names the image '000' twice"),
    ],
)
def test_a_bad_solution_is_refused(tmp_path, row, message):
    (tmp_path / "s.csv").write_text(f"id,images,Usage\nq2,None,Ignored\n{row}\n")
    with pytest.raises(UserError, match=message):
        read_solution(tmp_path / "s.csv", TEST, INDEX)


def test_which_solution(tmp_path):
    assert find_solution(tmp_path, None) is None
    with pytest.raises(UserError, match="missing solution"):
        find_solution(tmp_path, "x.csv")
    for name in ("retrieval_solution.csv", "retrieval_solution_v2.1.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="several solution files"):
        find_solution(tmp_path, None)
