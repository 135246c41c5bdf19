import numpy as np
import pytest

from landmarks.datasets.solution import find_solution, read_solution
from landmarks.errors import UserError

TEST = np.array(["q1", "q2", "01"], object)
INDEX = np.array([f"{n:03d}" for n in range(150)], object)


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
