"""Tables, solutions and submissions of any text are read as they say, or refused in few words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.datasets.images import Pictures
from landmarks.datasets.places import read_places
from landmarks.datasets.recognition import read_predictions, read_recognition_solution
from landmarks.datasets.revisited import read_revisited_truth
from landmarks.datasets.solution import read_solution
from landmarks.datasets.submission import MAX_IMAGES, read_submission
from landmarks.errors import UserError
from landmarks.store.ledger import COLUMNS, read_ledger
from landmarks.store.tables import read_ids, read_tables, read_train

TEST, INDEX = np.array(["q0", "q1", "q2"], object), np.array(["a", "b", "a\xa0b", "c\u2028", "é"], object)


def written(folder, text, name="t.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return folder / name


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_train, "id,landmark_id\na,7\nb,0x10\n", "landmark_id '0x10' is not an integer"),
        (read_train, "id,landmark_id\na,00\n", "landmark_id '00' is not an integer"),
        (read_train, "id,landmark_id\na,007\n", "landmark_id '007' is not an integer"),
        (read_train, "id,landmark_id\na, 7\n", "landmark_id ' 7' is not an integer"),
        (read_train, "id,landmark_id\na,\n", "landmark_id '' is not an integer"),
        (read_train, "id,landmark_id\na,٣\n", "landmark_id '٣' is not an integer"),
        (read_train, "id,landmark_id\na,1e3\n", "landmark_id '1e3' is not an integer"),
        (read_train, "id,landmark_id\na,-0\n", "landmark_id '-0' is not an integer"),
        (read_train, "id,landmark_id\na," + "9" * 5000 + "\n", "is not an integer"),
        (read_train, "landmark_id,images\n0x10,a b\n", "landmark_id '0x10' is not an integer"),
        (read_train, "id,id,landmark_id\na,b,7\n", "the column id is there twice"),
        (read_ids, "id,id\na,b\n", "the column id is there twice"),
        (read_ids, "id\nx\0y\n", r"the id 'x\\x00y' holds a space"),
        (read_ids, "id\n" + "x" * 50 + " " + "y" * 10_000 + "\n", r"10,051 characters"),
        (lambda path: read_predictions(path, TEST[:1]), "id,landmarks\nq0,0x10 0.5\n", "landmark '0x10' is not an integer"),
        (lambda path: read_predictions(path, TEST[:1]), "id,landmarks\nq0,00 0.5\n", "landmark '00' is not an integer"),
        (lambda path: read_predictions(path, TEST[:1]), "id,landmarks\nq0,7 1_0\n", "'7 1_0' is not a label and a confidence"),
        (lambda path: read_predictions(path, TEST[:1]), "id,landmarks\nq0,7 nan\n", "'7 nan' is not a label and a confidence"),
        (lambda path: read_predictions(path, TEST[:1]), "id,landmarks\nq0,7\xa00.5\n", "is not a label and a confidence"),
        (lambda path: read_recognition_solution(path, TEST), "id,landmarks,Usage\nq0,7 ٣,Private\n", "landmark '٣' is not an integer"),
        (lambda path: read_places(path, TEST[:1]), "id,easting,northing\nq0,0x10,1\n", "easting '0x10' is not a number"),
        (lambda path: read_places(path, TEST[:1]), "id,easting,northing\nq0,1_0,1\n", "easting '1_0' is not a number"),
        (lambda path: read_places(path, TEST[:1]), "id,easting,northing,frame\nq0,1,1,1.5\n", "frame '1.5' is not a whole number"),
        (lambda path: read_places(path, TEST[:1]), "id,easting,northing,frame\nq0,1,1,1e300\n", "is not a whole number"),
        (
            lambda path: Pictures(path.parent, path.stem),
            "id,path,left,top,right,bottom\na,a.jpg,0,0,nan,9\n",
            "four numbers, not '0,0,nan,9'",
        ),
    ],
    ids=range(25),
)
def test_what_is_wrong_is_named(tmp_path, read, text, message):
    with pytest.raises(UserError, match=message) as raised:
        read(written(tmp_path, text))
    assert len(str(raised.value)) < 1500


@pytest.mark.parametrize(
    ("images", "named"),
    [
        ("x\0y", "x"),
        ("a x\0y", "x"),
        ("a\xa0b x", "x"),
        ("a\xa0x b", "a\\xa0x"),
        ("a c\u2028 d\u3000e", "d\\u3000e"),
        ("b\x1fx a", "x"),
        ("a\x85b", "a\\x85b"),
    ],
)
def test_the_unknown_image_is_named_as_it_is_written(tmp_path, images, named):
    """Ids end at spaces and control characters, for the reader of lists as for the message; other spaces may be part of them."""
    path = written(tmp_path, f"id,images\nq0,a b\nq1,{images}\nq2,\n")
    with pytest.raises(UserError) as raised:
        read_submission(path, TEST, INDEX)
    assert f"unknown index image '{named}' for query 'q1'" in str(raised.value) and raised.value.where == f"{path}, row 3"


def test_ids_with_no_break_spaces_are_one_id_everywhere(tmp_path):
    train = read_train(written(tmp_path, "landmark_id,images\n7,a\xa0b c\u2028d\n"))
    assert train.ids.tolist() == ["a\xa0b", "c\u2028d"]
    truth = read_revisited_truth(
        written(tmp_path, "id,easy,hard,junk\nq0,a\xa0b c\u2028,,\n", "revisited_solution.csv").parent, TEST[:1], INDEX
    )
    assert truth.images["easy"][0].tolist() == [2, 3]
    lists = read_submission(written(tmp_path, "id,images\nq0,a\xa0b c\u2028\n"), TEST[:1], INDEX)
    assert lists.numbers.tolist() == [2, 3]


CELL = st.one_of(
    st.sampled_from(
        ["q0", "q1", "q2", "a", "b", "a b", "7", "-1", "0x10", "00", "Public", "Private", "Ignored", "", "7 0.5", "nan", "x=1", "true"]
    ),
    st.text(st.sampled_from('ab q0,"\n\r\0\xa0é\u2028\x1b'), max_size=6),
)
HEADERS = ["id", "id,landmark_id", "landmark_id,images", "id,images", "id,images,Usage", "id,landmarks", "id,landmarks,Usage"]
HEADERS += ["id,easy,hard,junk", "id,easting,northing", "id,easting,northing,heading,sequence,frame,centre", ",".join(COLUMNS)]
HEADERS += ["id,path,left,top,right,bottom", "id,id", ""]
TABLES = st.tuples(st.sampled_from(HEADERS), st.lists(st.lists(CELL, min_size=1, max_size=8).map(",".join), max_size=4))
READERS = {
    "ids": read_ids,
    "train": read_train,
    "solution": lambda path: read_solution(path, TEST, INDEX),
    "submission": lambda path: read_submission(path, TEST, INDEX),
    "recognition_solution": lambda path: read_recognition_solution(path, TEST),
    "predictions": lambda path: read_predictions(path, TEST),
    "places": lambda path: read_places(path, TEST),
    "revisited": lambda path: read_revisited_truth(path.parent, TEST, INDEX),
    "boxes": lambda path: Pictures(path.parent, path.stem).boxes(TEST),
    "ledger": read_ledger,
    "tables": lambda path: read_tables(path.parent),
}


@settings(deadline=None, max_examples=250)
@given(st.one_of(TABLES.map(lambda table: "\n".join([table[0], *table[1]]) + "\n"), st.binary(max_size=50)))
def test_any_table_is_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "any_text"
    folder.mkdir(exist_ok=True)
    for name in ("revisited_solution.csv", "index.csv", "test.csv", "train.csv"):
        written(folder, content, name)
    for read in READERS.values():
        try:
            read(folder / "test.csv")
        except UserError as error:
            assert str(error).replace("\n", "").isprintable() and len(str(error)) < 2500


IMAGE = st.sampled_from(["a", "b", "a\xa0b", "c\u2028", "é", "a", "b", "é", "x", "c"])
SPACE = st.sampled_from([" ", "  ", "\t", "\0", " \x1f "])
LISTS = st.lists(st.tuples(SPACE, IMAGE), max_size=5)
ROWS = st.lists(st.tuples(st.sampled_from(["q0", "q1", "q2", "q2", "q9"]), LISTS), max_size=5)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        ROWS, st.permutations(["q0", "q1", "q2"]).flatmap(lambda ids: st.tuples(*(st.tuples(st.just(id), LISTS) for id in ids)).map(list))
    )
)
def test_a_submission_is_valid_exactly_where_it_is_by_the_rules(tmp_path_factory, rows):
    """Every query once, none that is unknown, known images only; each list comes back as numbers, in the order of the queries."""
    path = tmp_path_factory.getbasetemp() / "any_submission.csv"
    written(
        path.parent,
        "id,images\n" + "".join(f"{id},{''.join(space + image for space, image in images)}\n" for id, images in rows),
        path.name,
    )
    lists = {id: [image for _, image in images] for id, images in rows}
    number = {image: place for place, image in enumerate(INDEX)}
    known = all(image in number for images in lists.values() for image in images)
    valid = known and len(lists) == len(rows) and set(lists) == set(TEST)
    try:
        found = read_submission(path, TEST, INDEX)
    except UserError:
        assert not valid
    else:
        assert valid and found.ids.tolist() == TEST.tolist()
        parts = [found.numbers[start:end].tolist() for start, end in zip(found.starts, found.starts[1:])]
        assert parts == [[number[image] for image in lists[query]] for query in TEST]


@pytest.mark.parametrize("count", [MAX_IMAGES, MAX_IMAGES + 1])
def test_a_hundred_images_are_the_limit(tmp_path, count):
    path = written(tmp_path, "id,images\n" + f"q0,{' '.join(['a'] * count)}\n")
    if count == MAX_IMAGES:
        assert len(read_submission(path, TEST[:1], INDEX).numbers) == count
        return
    with pytest.raises(UserError, match="101 images for query 'q0', at most 100 are allowed"):
        read_submission(path, TEST[:1], INDEX)
