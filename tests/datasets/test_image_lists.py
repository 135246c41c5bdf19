import numpy as np
import pytest

from landmarks.datasets.image_lists import ImageLists, read_image_lists, refuse_unknown
from landmarks.errors import UserError

IDS = np.array(["q1", "q2", "01"], object)
INDEX = np.array(["a", "é", "001", "1"], object)


def read(tmp_path, text, *columns):
    (tmp_path / "lists.csv").write_text(text, encoding="utf-8")
    return read_image_lists(tmp_path / "lists.csv", INDEX, *columns)


def test_ids_become_numbers_and_further_columns_stay_strings(tmp_path):
    lists, (usages,) = read(tmp_path, "id,Usage,images\nq1,Public,é  001 1\n02,,\n3,Private,a x\n", "Usage")
    assert lists.ids.tolist() == ["q1", "02", "3"] and usages.tolist() == ["Public", "", "Private"]
    assert lists.numbers.tolist() == [1, 2, 3, 0, -1] and lists.starts.tolist() == [0, 3, 3, 5]
    with pytest.raises(UserError, match=r"unknown index image 'x' for query '3' \(1 unknown in all\)") as raised:
        refuse_unknown(lists, tmp_path / "lists.csv")
    assert str(raised.value.where).endswith("lists.csv, row 4")


def test_a_table_without_rows_is_no_list_at_all(tmp_path):
    lists, _ = read(tmp_path, "id,images\n")
    assert lists.starts.tolist() == [0] and lists.padded(3).shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,image\nq1,a\n", "no column images"),
        ("id,images\nq1,a\nq1,a\n", "duplicate id 'q1'"),
        ("id,images\nq1\n", "malformed CSV"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_lists_are_cut_and_padded_to_a_width():
    lists = ImageLists(IDS, np.array([4, 5, 6], np.int32), np.array([0, 2, 2, 3]))
    assert lists.padded(1).tolist() == [[4], [-1], [6]] and lists.padded(3).tolist() == [[4, 5, -1], [-1, -1, -1], [6, -1, -1]]


def test_rows_are_chosen_in_any_order_and_minus_one_is_empty():
    lists = ImageLists(IDS, np.array([4, 5, 6], np.int32), np.array([0, 2, 2, 3]))
    chosen = lists.rows(np.array([2, -1, 0]))
    assert chosen.ids.tolist() == ["01", "", "q1"] and chosen.numbers.tolist() == [6, 4, 5] and chosen.starts.tolist() == [0, 1, 1, 3]
    assert lists.rows(np.array([], np.int64)).starts.tolist() == [0]
