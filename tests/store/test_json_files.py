"""JSON, manifests and journals that are damaged, hostile or of another shape."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.remote.done import Done
from landmarks.store.artefact import MANIFEST, RECIPE, Artefact, read_manifest
from landmarks.store.json_files import parse_json, parse_object
from landmarks.training.journal import JOURNAL, append_line, read_lines, remove_lines_after

NESTED = "[" * 100_000 + "]" * 100_000
OBJECT = '{"a":' * 100_000 + "1" + "}" * 100_000
ODD = {
    "an empty object": "{}",
    "a list": "[1]",
    "a number": "1",
    "nothing": "",
    "null": "null",
    "nested lists": NESTED,
    "nested objects": OBJECT,
    "a number of 5,000 digits": '{"fingerprint": ' + "9" * 5000 + "}",
    "half a surrogate": '{"fingerprint": "\\ud800"}',
    "cut off": '{"fingerprint": "ab',
    "a byte order mark": "\ufeff{}",
}


@pytest.fixture
def artefact(tmp_path):
    made = Artefact(tmp_path / "made", "extract", {"side": 3}, {"model": "abc"})
    made.begin()
    made.finish(images=3)
    return made


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_manifest_is_refused(artefact, name):
    for file, use in ((MANIFEST, lambda: read_manifest(artefact.folder)), (MANIFEST, artefact.is_complete), (RECIPE, artefact.begin)):
        before = (artefact.folder / file).read_text()
        (artefact.folder / file).write_text(ODD[name])
        with pytest.raises(UserError, match="not the (manifest|recipe) of a stage") as raised:
            use()
        assert raised.value.where == artefact.folder / file and len(str(raised.value)) < 1500
        (artefact.folder / file).write_text(before)


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": []},
        {"inputs": {"model": 3}},
        {"fingerprint": None},
        {"seconds": "1"},
        {"dimensions": 10**12},
        {"dimensions": "512"},
        {"dimensions": -1},
        {"images": True},
        {"skipped": ["a"]},
        {"files": {"00000.npy": [1, 2]}},
        {"files": {"00000.npy": [1, "2", None]}},
        {"files": []},
    ],
    ids=str,
)
def test_a_manifest_of_another_shape_is_refused(artefact, changed):
    path = artefact.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(UserError, match="not the manifest of a stage"):
        read_manifest(artefact.folder)


@pytest.mark.parametrize("name", ODD)
def test_a_note_of_a_download_that_is_none_is_named(tmp_path, name):
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "test.csv.json").write_text(ODD[name])
    with pytest.raises(UserError, match="not a note of a download"):
        Done(load_config(None).dataset, tmp_path)


@pytest.mark.parametrize("line", [line for line in ODD.values() if line] + ['{"step": "7"}', '{"step": true}', "\x00"])
def test_a_journal_with_another_line_is_refused(tmp_path, line):
    append_line(tmp_path, {"step": 5})
    with open(tmp_path / JOURNAL, "a") as file:
        file.write(line + "\n")
    append_line(tmp_path, {"step": 10})
    for use in (read_lines, lambda folder: remove_lines_after(folder, 7)):
        with pytest.raises(UserError, match="not a line of a training journal") as raised:
            use(tmp_path)
        assert raised.value.where == f"{tmp_path / JOURNAL}, line 2" and len(str(raised.value)) < 1000


def test_line_breaks_of_other_alphabets_end_no_line_of_a_journal(tmp_path):
    append_line(tmp_path, {"step": 5})
    with open(tmp_path / JOURNAL, "a") as file:
        file.write('{"step": 6, "note": "a\u2028b\x85c"}\n')
    assert [line["step"] for line in read_lines(tmp_path)] == [5, 6]


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(st.sampled_from('{}[]":,1e.-+ntfu\\d8'), max_size=40)))
def test_any_text_is_parsed_or_a_value_error(text):
    for parse in (parse_json, lambda text: parse_object(text, {"a": str})):
        try:
            parse(text)
        except ValueError:
            pass


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_any_journal_is_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    (folder / JOURNAL).write_bytes(data)
    try:
        assert all(isinstance(line["step"], int) for line in read_lines(folder))
    except UserError:
        pass
