import pickle

import numpy as np
import pytest

from landmarks.datasets.benchmark import write_benchmark
from landmarks.datasets.revisited import read_revisited, read_revisited_truth
from landmarks.errors import UserError

IMAGES = ["a", "b", "c", "d"]
QUERY = {"bbx": [1, 2, 30.5, 40], "easy": np.array([2, 0]), "hard": [], "junk": [3]}


def ground_truth(folder, **changed):
    """One query, "q"; `changed` replaces keys of its ground truth."""
    value = {"imlist": IMAGES, "qimlist": ["q"], "gnd": [QUERY | changed]}
    folder.mkdir(exist_ok=True)
    (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(value))
    return folder


def test_boxes_paths_and_truth_become_tables(tmp_path):
    benchmark = read_revisited(ground_truth(tmp_path), need_pictures=False)
    assert benchmark.index["path"].tolist() == [f"jpg/{id}.jpg" for id in IMAGES]
    assert benchmark.test.to_dict("records") == [{"id": "q", "path": "jpg/q.jpg", "left": 1, "top": 2, "right": 30.5, "bottom": 40}]
    assert benchmark.truth["revisited_solution.csv"].to_dict("records") == [{"id": "q", "easy": "c a", "hard": "", "junk": "d"}]
    assert list(read_revisited(tmp_path, query_crop=False, need_pictures=False).test) == ["id", "path"]


def test_the_truth_is_read_back_as_numbers_and_each_difficulty_has_its_junk(tmp_path):
    write_benchmark(tmp_path / "out", tmp_path, read_revisited(ground_truth(tmp_path), need_pictures=False), None)
    truth = read_revisited_truth(tmp_path / "out", np.array(["q"], object), np.array(["d", "c", "b", "a"], object))
    assert {kind: [row.tolist() for row in rows] for kind, rows in truth.images.items()} == {"easy": [[1, 3]], "hard": [[]], "junk": [[0]]}
    junk = {difficulty: sorted(truth.junk(difficulty)[0].tolist()) for difficulty in ("easy", "medium", "hard")}
    assert junk == {"easy": [0], "medium": [0], "hard": [0, 1, 3]}, "easy: hard ones are junk too; hard: easy ones are"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"easy": [4]}, "the easy images should be numbers from 0 to 3 into imlist"),
        ({"junk": [0.5]}, "the junk images should be numbers"),
        ({"bbx": [1, 2, 1, 40]}, "is not left, top, right, bottom"),
        ({"bbx": [1, 2, 3]}, "is not left, top, right, bottom"),
    ],
)
def test_a_malformed_query_is_refused(tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        read_revisited(ground_truth(tmp_path, **changed), need_pictures=False)
