import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.tables import positions, read_ids, read_tables, read_train


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "train.csv").write_text('id,url,landmark_id\n00,http://x,7\nnull,,7\nNaN,"a,b",9\n')
    (tmp_path / "index.csv").write_text("id\n0123456789012345\n1e5\n")
    (tmp_path / "test.csv").write_text("id\nNone\n")
    return tmp_path


def test_ids_are_strings_whatever_they_look_like(dataset):
    tables = read_tables(dataset)
    assert tables.train.ids.tolist() == ["00", "null", "NaN"] and tables.train.landmark_ids.tolist() == [7, 7, 9]
    assert tables.index_ids.tolist() == ["0123456789012345", "1e5"] and tables.test_ids.tolist() == ["None"]


def test_the_cleaned_form_is_read_too(dataset):
    (dataset / "train_clean.csv").write_text("landmark_id,images\n7,00 null\n9,NaN\n")
    train = read_train(dataset / "train_clean.csv")
    assert train.ids.tolist() == ["00", "null", "NaN"] and train.landmark_ids.tolist() == [7, 7, 9]


@pytest.mark.parametrize(
    ("file", "text", "parts"),
    [
        ("index.csv", "id\na\nb\na\n", ["duplicate id 'a'", "index.csv", "row 4", "first in row 2"]),
        ("index.csv", "name\na\n", ["no column id", "the columns are name", "index.csv"]),
        ("index.csv", 'id\na\n""\n', ["empty id", "row 3"]),
        ("train.csv", "id,landmark_id\na,7\nb,x\n", ["landmark_id 'x'", "row 3"]),
        ("index.csv", "id\na\nb c\n", ["id 'b c' holds a space", "index.csv, row 3"]),
        ("train.csv", "id, landmark_id\na,7\n", ["no column landmark_id", "the columns are id,  landmark_id"]),
        ("train.csv", "id,landmark_id\na,99999999999999999999\n", ["landmark_id '99999999999999999999'", "row 2"]),
        ("train.csv", "id,landmark_id\na,7\nb,1,2\n", ["malformed CSV", "train.csv"]),
        ("train.csv", "id,landmark_id\nNone,7\n", ["'None' is in two splits, train and test"]),
        ("train.csv", "id,landmark_id\n1e5,7\n0123456789012345,8\n", ["index labels are not training labels"]),
    ],
)
def test_a_fault_is_named_by_file_row_and_value(dataset, file, text, parts):
    (dataset / file).write_text(text)
    with pytest.raises(UserError) as error:
        read_tables(dataset)
    assert all(part in str(error.value) for part in parts), error.value


def test_what_is_missing_is_named(dataset, tmp_path):
    (dataset / "test.csv").unlink()
    with pytest.raises(UserError, match="missing table"):
        read_tables(dataset)
    with pytest.raises(UserError, match="does not exist"):
        read_tables(tmp_path / "nowhere")
    (dataset / "binary.csv").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match="not a text file"):
        read_ids(dataset / "binary.csv")


def test_an_empty_table_is_a_table(tmp_path):
    (tmp_path / "index.csv").write_text("id\n")
    assert read_ids(tmp_path / "index.csv").shape == (0,)


def test_positions():
    assert positions(["b", "x", "a"], np.array(["a", "b"], object)).tolist() == [1, -1, 0]
