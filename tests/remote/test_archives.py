import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from landmarks.errors import UserError
from landmarks.remote.archives import DamagedArchive, missing_bytes, opened, require_own, unpack

FILES = {
    "train.csv": b"id\na\n",
    "train/a/b/c/abc.jpg": os.urandom(3_000_000),
    "train/a/b/d/abd.jpg": b"",
    "train/a/b/d/abe.jpg": b"e" * 70,
}


def make_zip(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(path, folder):
    moved = []
    counts = unpack(path, folder, path.with_suffix(".aside"), lambda total: moved.append(-total) or moved.append)
    return counts, sum(moved)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_what_was_packed_lies_there_and_every_byte_was_written_and_read_back(tmp_path, make):
    path = make(tmp_path / f"a.{make.__name__[5:]}", FILES)
    assert run(path, tmp_path / "out") == ((4, 3_000_075), 0)
    assert tree(tmp_path / "out") == FILES
    (tmp_path / "out/train/a/b/d/abe.jpg").unlink()
    with opened(path) as contents:
        assert missing_bytes(contents.entries, tmp_path / "out") == 70
    times = (tmp_path / "out/train.csv").stat().st_mtime_ns
    run(path, tmp_path / "out")
    assert tree(tmp_path / "out") == FILES and (tmp_path / "out/train.csv").stat().st_mtime_ns == times


def test_only_what_is_wanted_is_unpacked(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES)
    counts = unpack(path, tmp_path / "out", tmp_path / "aside", lambda total: lambda count: None, lambda name: name.endswith("abe.jpg"))
    assert counts == (1, 70) and tree(tmp_path / "out") == {"train/a/b/d/abe.jpg": b"e" * 70}


def test_names_may_begin_at_the_folder_itself(tmp_path):
    run(make_tar(tmp_path / "a.tar", {"./0/1/2/012.jpg": b"x"}), tmp_path / "out")
    assert tree(tmp_path / "out") == {"0/1/2/012.jpg": b"x"}


@pytest.mark.parametrize("name", ["../out.csv", "a/../../out.csv", "/tmp/out.csv", "a//b", "..", "a\\..\\b", "C:\\out", "a\nb", "./../x"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_path_that_leaves_the_folder_is_refused_before_anything_is_written(tmp_path, make, name):
    path = make(tmp_path / f"a.{make.__name__[5:]}", {"good.csv": b"x", name: b"y"})
    before = set(tmp_path.iterdir())
    with pytest.raises(UserError, match="nothing was unpacked"):
        run(path, tmp_path / "out")
    assert set(tmp_path.iterdir()) == before


def test_a_link_in_a_zip_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
        archive.writestr("link/passwd", "x")
    with pytest.raises(UserError, match="'link' in the archive is a link"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_links_and_special_files_in_a_tar_are_refused(tmp_path, kind):
    path = make_tar(tmp_path / "a.tar", {"good": b"x"})
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("bad")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises((UserError, DamagedArchive)):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_is_there_already_is_not_followed(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"train/x.jpg": b"x", "y.jpg": b"y"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="a link is in the way"):
        run(path, tmp_path / "out")
    (tmp_path / "out/train").unlink()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "out/y.jpg").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="another file"):
        require_own(path, tmp_path / "out")
    run(path, tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "kept" and (tmp_path / "out/y.jpg").read_bytes() == b"y"
    assert not list((tmp_path / "elsewhere").iterdir()) and not (tmp_path / "out/y.jpg").is_symlink()


def test_a_bomb_is_refused_by_the_size_it_declares(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"bomb.csv": bytes(20_000_000)})
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="would unpack to 20000000"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_declares_little_is_stopped_there(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"bomb.csv": bytes(20_000_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 20_000_000), struct.pack("<L", 1000)))
    with pytest.raises(DamagedArchive):
        run(path, tmp_path / "out")
    assert tree(tmp_path / "out") == {} and path.with_suffix(".aside").stat().st_size <= 1000


def test_what_does_not_fit_the_disk_is_refused(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", FILES)
    monkeypatch.setattr("landmarks.store.disk.shutil.disk_usage", lambda folder: type("usage", (), {"free": 2_000_000}))
    with pytest.raises(UserError, match="the files in a.zip take up to 3 MB of disk, 2 MB are free"):
        run(path, tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_name_that_stands_twice_is_refused(tmp_path, make):
    with pytest.warns() if make is make_zip else open(os.devnull):
        path = tmp_path / f"a.{make.__name__[5:]}"
        make(path, {"a.jpg": b"x"})
        if make is make_zip:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("a.jpg", b"y")
        else:
            with tarfile.open(path, "a") as archive:
                archive.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(UserError, match="is in it twice"):
        run(path, tmp_path / "out")


@pytest.mark.parametrize("position", [0.1, 0.5, 0.99])
def test_damage_is_noticed_and_no_damaged_file_gets_its_name(tmp_path, position):
    path = make_zip(tmp_path / "a.zip", FILES, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for place in range(int(len(content) * position), int(len(content) * position) + 8):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises((DamagedArchive, UserError)):
        run(path, tmp_path / "out")
    assert all(FILES[name] == found for name, found in tree(tmp_path / "out").items())


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_cut_archive_is_damaged(tmp_path, make):
    path = make(tmp_path / f"a.{make.__name__[5:]}", FILES)
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(DamagedArchive):
        run(path, tmp_path / "out")


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES)
    (tmp_path / "out").mkdir()
    require_own(path, tmp_path / "out")
    (tmp_path / "out/train.csv").write_bytes(FILES["train.csv"])
    require_own(path, tmp_path / "out")
    (tmp_path / "out/train.csv").write_text("mine")
    with pytest.raises(UserError, match="another file of this name"):
        require_own(path, tmp_path / "out")
