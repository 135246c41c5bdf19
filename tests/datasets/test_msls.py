import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.datasets.msls import read_msls
from landmarks.errors import UserError
from landmarks.ops.sequence_lists import consecutive

TABLES = {
    "postprocessed.csv": ",key,easting,northing\n0,k0,10.5,20\n1,k1,11,21\n2,k2,12,22\n",
    "raw.csv": ",key,ca,pano\n0,k0,90,False\n1,k1,91,True\n2,k2,92,false\n",
    "seq_info.csv": ",key,sequence_key,frame_number\n0,k0,s,4\n1,k1,s,5\n2,k2,t,0\n",
    "subtask_index.csv": ",all,s2w\n0,True,False\n1,True,True\n2,true,True\n",
}


def city(folder, name, **changed):
    for part in ("database", "query"):
        place = folder / "train_val" / name / part
        place.mkdir(parents=True)
        for table, text in TABLES.items():
            (place / table).write_text(changed.get(table.removesuffix(".csv"), text))


def test_cities_are_joined_and_panoramas_left_out(tmp_path):
    city(tmp_path, "sf")
    city(tmp_path, "cph")
    benchmark = read_msls(tmp_path, ("sf", "cph"), "all")
    assert benchmark.index["id"].tolist() == [f"database@{name}@{key}" for name in ("sf", "cph") for key in ("k0", "k2")]
    row = benchmark.test.iloc[3].to_dict()
    assert row == {
        "id": "query@cph@k2",
        "path": "train_val/cph/query/images/k2.jpg",
        "easting": "12",
        "northing": "22",
        "heading": "92",
        "sequence": "cph@t",
        "frame": "0",
    }


def test_a_subtask_keeps_its_own_pictures(tmp_path):
    city(tmp_path, "sf")
    assert read_msls(tmp_path, ("sf",), "s2w").test["id"].tolist() == ["query@sf@k2"]
    with pytest.raises(UserError, match="no column n2d"):
        read_msls(tmp_path, ("sf",), "n2d")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("raw", "its rows are not those of postprocessed.csv"),
        ("seq_info", "its rows are not those of postprocessed.csv"),
        ("subtask_index", "2 rows, but postprocessed.csv has 3"),
    ],
)
def test_tables_of_different_rows_are_refused(tmp_path, table, message):
    shorter = "\n".join(TABLES[f"{table}.csv"].splitlines()[:-1]) + "\n"
    city(tmp_path, "sf", **{table: shorter})
    with pytest.raises(UserError, match=message) as raised:
        read_msls(tmp_path, ("sf",), "all")
    assert raised.value.where == tmp_path / "train_val" / "sf" / "database" / f"{table}.csv"


def test_a_city_that_is_not_there_is_refused(tmp_path):
    city(tmp_path, "sf")
    with pytest.raises(UserError, match="does not exist") as raised:
        read_msls(tmp_path, ("sf", "oslo"), "all")
    assert "oslo" in str(raised.value.where)


def windows_of_the_authors(drives, numbers, counts, length):
    """Sequences by the middle of each, over the rows of the file: mapillary_sls's arange_as_seq, then filter by the middle frame."""
    found = []
    for middle in range(length // 2, len(drives) - length // 2):
        rows = list(range(middle - length // 2, middle + length // 2 + 1))
        one_drive = len({drives[row] for row in rows}) == 1
        if counts[middle] and one_drive and all(numbers[b] - numbers[a] == 1 for a, b in zip(rows, rows[1:])):
            found.append(rows)
    return found


FRAMES = st.tuples(st.sampled_from("rs"), st.booleans(), st.booleans(), st.integers(1, 2))  # drive, subtask, panorama, step


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("rs"), st.booleans(), st.booleans(), st.integers(1, 2)), min_size=1, max_size=14),
    st.sampled_from([1, 3, 5]),
)
def test_sequences_are_those_of_the_authors_code(tmp_path_factory, frames, length):
    """Of any drives, subtasks and panoramas: what is left of the tables holds exactly the frames of the sequences that count."""
    frames = sorted(frames, key=lambda frame: frame[0])  # the files list drive by drive
    drives, numbers = [frame[0] for frame in frames], np.cumsum([frame[3] for frame in frames]).tolist()
    texts = {
        "postprocessed": ",key,easting,northing\n" + "".join(f"{n},k{n},{n},0\n" for n in range(len(frames))),
        "raw": ",key,ca,pano\n" + "".join(f"{n},k{n},0,{frame[2]}\n" for n, frame in enumerate(frames)),
        "seq_info": ",key,sequence_key,frame_number\n" + "".join(f"{n},k{n},{drives[n]},{numbers[n]}\n" for n in range(len(frames))),
        "subtask_index": ",all\n" + "".join(f"{n},{frame[1]}\n" for n, frame in enumerate(frames)),
    }
    folder = tmp_path_factory.mktemp("msls")
    city(folder, "sf", **texts)
    expected = windows_of_the_authors(drives, numbers, [frame[1] and not frame[2] for frame in frames], length)
    benchmark = read_msls(folder, ("sf",), "all", {"database": 1, "query": length})
    rows = [int(id.rsplit("k", 1)[1]) for id in benchmark.test["id"]]
    assert rows == sorted({row for window in expected for row in window})
    if length == 1:
        assert "centre" not in benchmark.test
        return
    kept = consecutive(np.array(drives, object)[rows], np.array(numbers)[rows], length)
    middles = (benchmark.test["centre"] == "true").to_numpy()
    assert [[rows[row] for row in window] for window in kept[middles[kept[:, length // 2]]]] == expected
