"""Places along two roads: index pictures every 10 metres, on the second road looking the other way."""

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.protocols import places as module
from landmarks.protocols.places import PlaceRecognition
from landmarks.ranking import Ranking

INDEX = [f"i{road}{frame}" for road in (0, 1) for frame in range(5)]
TEST = ["q00", "q01", "q02", "far"]  # beside i00, i01, i02 and nowhere


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """judge(lists, *settings): the judge of a ranking whose lists name these index pictures, query -> "i00 i01"."""
    rows = {"index": [f"i{road}{frame},{10 * frame},{1000 * road},{180 * road},r{road},{frame}" for road in (0, 1) for frame in range(5)]}
    rows["test"] = [*(f"q0{frame},{10 * frame},0,350,drive,{frame}" for frame in range(3)), "far,9000,0,0,drive,7"]
    for split, lines in rows.items():
        (tmp_path / f"{split}.csv").write_text("\n".join(["id,easting,northing,heading,sequence,frame", *lines]) + "\n")
    (tmp_path / "train.csv").write_text("id,landmark_id\n")

    def make(lists, *settings):
        indices = np.full((len(lists), 10), -1, np.int32)
        for row, names in enumerate(lists.values()):
            found = [INDEX.index(name) for name in names.split()]
            indices[row, : len(found)] = found
        scores = np.where(indices >= 0, np.arange(10, 0, -1), -np.inf).astype(np.float32)
        ranking = Ranking(np.array(list(lists), object), np.array(INDEX, object), indices, scores)
        monkeypatch.setattr(module, "read_chain_ranking", lambda config, chain: ranking)
        return PlaceRecognition().judge(load_config(None, [f"dataset.folder={tmp_path}", "evaluate.protocol=places", *settings]))

    return make


LISTS = {"far": "i10", "q02": "i14 i13 i12 i11 i10 i02", "q00": "i02 i01", "q01": "i14 i03"}


def test_a_query_counts_where_one_of_its_first_images_is_near(judge):
    made = judge(LISTS, "places.metres=10")
    judged = made.judge(())
    assert made.queries["id"].tolist() == TEST and made.queries["relevant"].tolist() == [2, 3, 3, 0]
    assert judged.decisive.tolist() == [0, 0, 0, 0] and made.per_query("knn", judged)["knn"].dtype.kind == "i"
    assert judged.measures["recall_at_5"].tolist() == [1, 0, 0, 0] and judged.measures["recall_at_10"].tolist() == [1, 0, 1, 0]
    assert judged.numbers == {"recall_at_1": 0, "recall_at_5": 25, "recall_at_10": 50, "recall_at_20": 50}
    wider = judge(LISTS, "places.metres=20").judge(())
    assert wider.measures["recall_at_1"].tolist() == [1, 0, 0, 0] and wider.measures["recall_at_5"].tolist() == [1, 1, 0, 0]


def test_queries_whose_place_the_index_lacks_can_be_left_out(judge):
    made = judge(LISTS, "places.metres=10", "places.skip_without_positives=true")
    assert made.queries["id"].tolist() == TEST[:3] and made.counts == {"scored": 3, "without a positive": 1}
    assert made.judge(()).numbers["recall_at_10"] == pytest.approx(200 / 3, abs=1e-4)
    assert made.choices == {"same place": "10 m", "queries without a positive": "left out"}


def test_what_a_query_shows(judge):
    made = judge(LISTS, "places.metres=10")
    assert made.true_images("q01") == {"i00", "i01", "i02"} and made.true_images("far") == set()
    assert made.subjects() == ["i00", "i00", "i01", "none near far"]


def test_a_camera_that_looks_elsewhere_is_at_another_place(judge):
    turned = judge(LISTS, "places.metres=2000", "places.degrees=10")  # 350 and 0 degrees are 10 apart
    assert turned.queries["relevant"].tolist() == [5, 5, 5, 0] and turned.choices["same place"] == "2000 m, 10 degrees"
    assert judge(LISTS, "places.metres=2000", "places.degrees=9.9").queries["relevant"].tolist() == [0, 0, 0, 0]
    assert judge(LISTS, "places.metres=2000").queries["relevant"].tolist() == [10, 10, 10, 0]


def test_a_sequence_is_where_any_of_its_frames_is_and_goes_by_its_middle(judge):
    made = judge(LISTS, "places.metres=1", "places.query_frames=3")
    assert made.queries["id"].tolist() == ["q01"] and made.queries["relevant"].tolist() == [3]
    assert made.choices["sequences"] == "3 frames against 1"
    # Its frames list i02 first, i14 first, and i14 before i02: i14 at places 1 and 1, i02 at 1 and 6.
    assert made.judge(()).numbers == {"recall_at_1": 0, "recall_at_5": 100, "recall_at_10": 100, "recall_at_20": 100}
    entries = judge(LISTS, "places.metres=1", "places.index_frames=3")
    assert entries.queries["relevant"].tolist() == [1, 2, 3, 0], "i00 is a frame of one sequence, i02 of three"
    assert entries.true_images("q01") == {"i01"}, "pictures, not sequences"


def test_drives_that_are_shorter_than_a_sequence_leave_no_query(judge):
    made = judge(LISTS, "places.query_frames=5")
    judged = made.judge(())
    assert len(made.queries) == 0 == made.counts["scored"] and set(judged.numbers.values()) == {None} and made.subjects() == []


@pytest.mark.parametrize(
    ("settings", "dropped", "message"),
    [
        ("places.degrees=30", "heading", "places.degrees asks for the cameras' headings"),
        ("places.index_frames=3", "frame", "places.index_frames=3 asks for sequences"),
        ("places.metres=5", "easting", "no column easting"),
    ],
)
def test_tables_without_the_columns_are_refused(judge, tmp_path, settings, dropped, message):
    path = tmp_path / "index.csv"
    judge(LISTS)
    path.write_text(path.read_text().replace(dropped, "other", 1))
    with pytest.raises(UserError, match=message):
        judge(LISTS, settings)
