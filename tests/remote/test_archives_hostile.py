"""Archives that are odd, hostile or damaged end in files, in UserError or in DamagedArchive; nothing lies outside the folder."""

import io
import os
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.errors import UserError
from landmarks.remote.archives import DamagedArchive, require_own, unpack

warnings.filterwarnings("ignore", "Duplicate name")


def zipped(files, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(files, form=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


MAKERS = {".zip": zipped, ".tar": tarred}


def run(folder, data, suffix):
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    return unpack(path, folder / "out", folder / "aside", lambda total: lambda count: None)


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([".download/done/test.csv.json"], "is meant for .download/"),
        (["./.Download/done/test.csv.json"], "is meant for .download/"),
        ([".download"], "is meant for .download/"),
        (["a", "a/b"], "'a' in the archive is a file and a folder"),
        (["a/b/c", "a"], "'a' in the archive is a file and a folder"),
        (["a/b/c/d", "a/b"], "'a/b' in the archive is a file and a folder"),
        (["train\\a\\b.jpg"], "has backslashes for slashes, as some Windows programs write them"),
        (["..\\a.jpg"], "leads out of the folder"),
        (["C:\\a.jpg"], "leads out of the folder"),
        (["\\\\host\\a.jpg"], "leads out of the folder"),
        (["a" * 250 + ".jpg"], "has a name that is too long"),
        (["é" * 130], "has a name that is too long"),
        (["a/" * 50 + "b"], "has a name that is too long"),
        (["ab/" * 20 + "c" * 200 + "/" + "d" * 200 + "/" + "e" * 200 + "/" + "f" * 200 + "/" + "g" * 200], "has a name that is too long"),
    ],
    ids=range(14),
)
def test_names_that_fit_no_folder_are_refused_before_anything_is_written(tmp_path, suffix, names, message):
    data = MAKERS[suffix]([("good.csv", b"x"), *((name, b"y") for name in names)])
    with pytest.raises(UserError, match=message) as raised:
        run(tmp_path, data, suffix)
    assert "nothing was unpacked" in str(raised.value) and not (tmp_path / "out").exists()
    assert "do not trust" not in raised.value.next or "leads out" in message or ".download" in message


@pytest.mark.parametrize("size", [2**60, 2**63 - 1, 2**63, 2**80, -5, 2**40 + 1])
def test_a_size_that_no_file_has_is_refused(tmp_path, size):
    info = tarfile.TarInfo("x.jpg")
    info.size = size
    with pytest.raises(UserError, match=f"declares {size} bytes"):
        run(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024, ".tar")
    info.size, info.pax_headers = 0, {"size": str(size)}
    with pytest.raises(UserError, match=f"declares {size} bytes"):
        run(tmp_path, info.tobuf(tarfile.PAX_FORMAT) + b"x" * 1024, ".tar")


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train").write_text("mine")
    data = zipped([("train/x.jpg", b"x")])
    for _ in range(2):
        with pytest.raises(UserError, match="a file is in the way") as raised:
            run(tmp_path, data, ".zip")
    assert raised.value.where == tmp_path / "out" / "train" and (tmp_path / "out" / "train").read_text() == "mine"
    (tmp_path / "out" / "train").unlink()
    (tmp_path / "out" / "train").mkdir()
    data = zipped([("train", b"x")])
    with pytest.raises(UserError, match="a folder is in the way"):
        run(tmp_path, data, ".zip")
    with pytest.raises(UserError, match="holds another file of this name"):
        require_own(tmp_path / "a.zip", tmp_path / "out")


PART = st.text(st.sampled_from("ab.\\/ :é\x01"), min_size=1, max_size=4)
NAMES = st.lists(PART, min_size=1, max_size=4).map("/".join).filter(lambda name: not name.endswith("/"))  # those are folders


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(MAKERS)), st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=4))
def test_any_names_are_unpacked_as_they_are_or_refused(tmp_path_factory, suffix, files):
    folder = tmp_path_factory.mktemp("any")
    try:
        count, size = run(folder, MAKERS[suffix](files), suffix)
    except (UserError, DamagedArchive) as error:
        assert str(error).replace("\n", "").isprintable()
        assert not (folder / "out").exists()
    else:
        there = {str(path.relative_to(folder / "out")): path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
        wanted = {name.removeprefix("./"): content for name, content in files}
        assert there == wanted and (count, size) == (len(there), sum(map(len, there.values())))
    assert {path.name for path in folder.iterdir()} <= {f"a{suffix}", "out"}


WHOLE = [
    (".zip", zipped([("train.csv", b"id\na\n"), ("train/a.jpg", b"hello" * 20), ("é.jpg", b"x")])),
    (".zip", zipped([("a", b"x" * 500), ("b/c", b"")], zipfile.ZIP_STORED)),
    (".zip", zipped([("a", b"x" * 500)], zipfile.ZIP_BZIP2)),
    (".zip", zipped([("a", b"x" * 500)], zipfile.ZIP_LZMA)),
    (".tar", tarred([("train.csv", b"id\na\n"), ("a/b.jpg", b"x" * 600), ("é" * 60 + "/" + "é" * 60, b"x")])),
    (".tar", tarred([("train.csv", b"id\na\n"), ("é" * 60 + "/" + "é" * 60, b"x")], tarfile.GNU_FORMAT)),
]


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(WHOLE), st.data())
def test_any_damage_is_found_or_harmless(tmp_path_factory, whole, data):
    suffix, content = whole[0], bytearray(whole[1])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    try:
        run(folder, bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else bytes(content), suffix)
    except (UserError, DamagedArchive):
        pass
    assert {path.name for path in folder.iterdir()} <= {f"a{suffix}", "out", "aside"}
    assert not any(os.path.islink(path) for path in folder.rglob("*"))
