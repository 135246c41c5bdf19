import numpy as np
import pytest

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
