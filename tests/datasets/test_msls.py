import pytest

from landmarks.datasets.msls import read_msls
from landmarks.errors import UserError

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
