import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.errors import UserError
from landmarks.store.csv_files import read_csv, read_csv_header, write_csv


def written(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,id\na,b\n", "the column id is there twice"),
        ("id,images,id\na,b,c\n", "the column id is there twice"),
        ('id,images\na,"b c\nd,e\nf,g\n', "a quote is not closed"),
        ('id,images,note\na,b,"c\nd,e,f\n', "a quote is not closed"),  # in a column that is not asked for
        ('"id,images\na,b\n' + "x,y\n" * 1000, "no column id, images; the columns are"),
        ('"id,images' + "x" * 200_000, "malformed header"),
        ("id;images\na;b\n", "no column id, images; the columns are id;images"),
        ("id,images\na\n", "malformed CSV"),
        ("id,images\n" + "a" * 100_000 + "\n", "malformed CSV"),
        (b"id,images\na,\xff\n", "malformed CSV"),
        (b"\xff\xfei\0d\0", "not a text file"),
        (b"", "no column"),
        ("x" * 2_000_000, "malformed header"),
    ],
    ids=range(13),
)
def test_what_is_wrong_is_said_in_few_words(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as raised:
        read_csv(written(tmp_path, text), ["id", "images"])
    assert len(str(raised.value)) < 1500


def test_other_columns_may_be_there_twice_and_a_header_needs_no_line_break(tmp_path):
    assert read_csv(written(tmp_path, "id,url,url\na,b,c\n"), ["id"]).to_pydict() == {"id": ["a"]}
    for text in ("id,images", "\ufeffid,images", "id,images\r\n", "\nid,images\n\n"):
        assert read_csv(written(tmp_path, text), ["id", "images"]).to_pydict() == {"id": [], "images": []}
    assert read_csv_header(written(tmp_path, "\ufeffid,images")) == ["id", "images"]
    assert read_csv(written(tmp_path, b"id,note\na,\xff\n"), ["id"]).to_pydict() == {"id": ["a"]}, "a column that is not asked for"


def test_quotes_that_belong_to_a_word_are_no_fault(tmp_path):
    assert read_csv(written(tmp_path, 'id,note\na,6" wide\nb,c\n'), ["id", "note"]).to_pydict() == {
        "id": ["a", "b"],
        "note": ['6" wide', "c"],
    }
    assert len(read_csv(written(tmp_path, 'id,note\na,"two\nlines"\nb,c\n'), ["id"])) == 2


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_any_cells_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_csv(path, pd.DataFrame({"id": [f"{n}" for n in range(len(rows))], "a": [a for a, _ in rows], "b,c": [b for _, b in rows]}))
    read = read_csv(path, ["a", "b,c"])
    assert list(zip(read["a"].to_pylist(), read["b,c"].to_pylist())) == rows


LINES = st.lists(
    st.sampled_from(["id", "images", ",", '"', "\n", "\r", "\r\n", "a", " ", "\0", "\xa0", "é", "1", "\ufeff", "\x1b"]), max_size=25
)


@settings(deadline=None, max_examples=120)
@given(st.one_of(st.binary(max_size=40), LINES.map(lambda parts: "".join(parts).encode())))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, data):
    for head in (b"", b"id,images\n"):
        path = written(tmp_path_factory.getbasetemp(), head + data)
        try:
            table = read_csv(path, ["id", "images"])
        except UserError as error:
            assert str(error).replace("\n", "").isprintable() and len(str(error)) < 1500
        else:
            assert table.column_names == ["id", "images"] and table["id"].null_count == 0
