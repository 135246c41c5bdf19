import numpy as np
import pytest

from landmarks.datasets.places import read_places, read_places_folder
from landmarks.errors import UserError


def folder_of(tmp_path, database, queries):
    for part, names in {"database": database, "queries": queries}.items():
        (tmp_path / part).mkdir()
        for name in names:
            (tmp_path / part / name).touch()
    return tmp_path


def test_positions_are_read_from_the_names_of_pictures_of_any_suffix(tmp_path):
    folder = folder_of(tmp_path, ["@584000.50@4476000.25@17@.jpg", "@1@2@.webp"], ["@-3e2@7@x y.png"])
    benchmark = read_places_folder(folder)
    assert benchmark.index["id"].tolist() == ["database@1@2@", "database@584000.50@4476000.25@17@"]
    assert benchmark.index[["easting", "northing"]].to_numpy().tolist() == [[1, 2], [584000.5, 4476000.25]]
    assert benchmark.test.to_dict("records") == [
        {"id": "queries@-3e2@7@x_y", "path": "queries/@-3e2@7@x y.png", "easting": -300, "northing": 7}
    ]


@pytest.mark.parametrize("name", ["picture.jpg", "@12.jpg", "@nan@5@.jpg", "@north@5@.jpg"])
def test_a_name_without_a_position_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="the file's name has no position") as raised:
        read_places_folder(folder_of(tmp_path, ["@1@2@.jpg"], [name]))
    assert raised.value.where == tmp_path / "queries" / name


def test_a_table_s_columns_come_in_the_order_of_the_ids(tmp_path):
    table = tmp_path / "index.csv"
    table.write_text("id,easting,northing,heading,sequence,frame\na,1,2,90,s,0\nb,3,4.5,180,t,7\n")
    places = read_places(table, np.array(["b", "a"], object))
    assert places.positions.tolist() == [[3, 4.5], [1, 2]] and places.headings.tolist() == [180, 90]
    assert places.sequences.tolist() == ["t", "s"] and places.frames.tolist() == [7, 0]
    table.write_text("id,easting,northing\na,1,2\n")
    plain = read_places(table, np.array(["a"], object))
    assert plain.headings is None and plain.sequences is None and plain.frames is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,easting\na,1\n", "no column northing"),
        ("id,easting,northing\nb,1,2\n", "no row for 'a'"),
        ("id,easting,northing\na,1,north\n", "northing 'north' is not a number"),
        ("id,easting,northing\na,inf,2\n", "easting 'inf' is not a number"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_places(tmp_path / "test.csv", np.array(["a"], object))
