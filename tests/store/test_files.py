import errno
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.files import atomic_write, has_links, link_file, read_array, sweep, write_array, write_json, write_text


def test_a_file_that_was_not_finished_leaves_the_old_one_and_no_trace(tmp_path):
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "x.json") as aside:
        aside.write_text("half")
        raise RuntimeError
    assert (tmp_path / "x.json").read_text() == "1\n" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_arrays_that_are_cut_off_or_pickled_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.zeros((100, 8)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:500])
    for name, message in (("objects", "not a whole"), ("cut", "not a whole"), ("none", "missing file")):
        with pytest.raises(UserError, match=message):
            read_array(tmp_path / f"{name}.npy")


def test_an_archive_of_arrays_is_no_array(tmp_path):
    with open(tmp_path / "index.npy", "wb") as file:
        np.savez(file, np.zeros(3))
    with pytest.raises(UserError, match="an archive of arrays, not one array"):
        read_array(tmp_path / "index.npy")


def test_what_is_written_is_read_back_in_folders_that_are_made(tmp_path):
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    write_array(tmp_path / "new" / "folder" / "a.npy", array)
    for mapped in (False, True):
        read = read_array(tmp_path / "new" / "folder" / "a.npy", mapped=mapped)
        assert read.dtype == np.float16 and (read == array).all() and isinstance(read, np.memmap) == mapped
    write_text(tmp_path / "t.txt", "é\n")
    write_json(tmp_path / "j.json", {"a": "é"})
    assert (tmp_path / "t.txt").read_bytes() == b"\xc3\xa9\n" and (tmp_path / "j.json").read_text("utf-8") == '{\n  "a": "é"\n}\n'


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError):
        write_array(tmp_path / "a.npy", np.array([{}], object))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    here = socket.gethostname().replace(".", "-")

    def left(name, pid, host=here, age=0):
        path = tmp_path / f".{name}.{host}.{pid}.part"
        path.write_text("half")
        os.utime(path, (time.time() - age, time.time() - age))
        return path

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = [left("a.npy", dead.pid), left("b.csv", 1, host="elsewhere", age=2 * 86400)]
    stay = [left("d.npy", os.getpid()), left("e.csv", 1, host="elsewhere")]
    below = tmp_path / "below"
    below.mkdir()
    kept = below / f".f.{dead.pid}.part"
    kept.write_text("half")
    (tmp_path / "whole.part").write_text("a file of the user's")
    sweep(tmp_path)
    assert not any(path.exists() for path in gone) and all(path.exists() for path in [*stay, kept])
    sweep(tmp_path, deep=True)
    assert [path.name for path in tmp_path.rglob("*.part")] == ["whole.part"]


@pytest.mark.parametrize("write", ["text", "array", "small array", "picture", "copies"])
@pytest.mark.parametrize("limit", [0, 300, 10_000])
def test_a_full_disk_is_named_with_the_target_and_what_is_free(tmp_path, write, limit):
    # The limit on the size of files is the way to a full disk that needs no rights; the system says EFBIG instead of ENOSPC.
    script = f"""
import resource, shutil, sys
from pathlib import Path
import numpy as np
from PIL import Image
from landmarks.store.files import copy_file, write_array, write_jpeg, write_text
from landmarks.errors import UserError
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    if "{write}" == "text":
        write_text(path, "x" * 100_000)
    elif "{write}" == "array":
        write_array(path, np.zeros(100_000))
    elif "{write}" == "small array":  # of one that C holds back until the file is closed
        write_array(path, np.zeros({limit} // 8))
    elif "{write}" == "copies":
        shutil.copytree(path.with_name("source"), path, copy_function=copy_file)
    else:
        write_jpeg(path, Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)), 90)
except UserError as error:
    print(error)
    sys.exit(2)
"""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_bytes(b"x" * 20_000)
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "target"], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert str(tmp_path / "target") in done.stdout and "are free" in done.stdout and "larger" in done.stdout
    assert not (tmp_path / "target").is_file() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_error_for_want_of_space_is_known_and_no_other(tmp_path, number):
    with pytest.raises(UserError, match="are free"), atomic_write(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    with pytest.raises(UserError, match="the disk is full"), atomic_write(tmp_path / "x"):
        raise OSError("100000 requested and 1 written")
    with pytest.raises(PermissionError), atomic_write(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "no")


def test_a_second_name_is_the_same_file_and_what_was_there_is_gone(tmp_path):
    source, target = tmp_path / "a", tmp_path / "folder" / "b"
    source.write_text("new")
    assert link_file(source, target) and target.samefile(source)
    assert link_file(source, target), "again, after a kill"
    target.unlink()
    target.write_text("old")
    assert link_file(source, target) and target.read_text() == "new"
    assert has_links(target.parent)
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_where_no_second_name_can_be_given_it_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("text")
    assert not link_file(tmp_path / "a", tmp_path / "b") and not has_links(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
