"""Whatever is read by name: a FIFO, a device and a link to one are refused at once, everywhere."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.config.read_yaml import read_yaml
from landmarks.data.extract_set import ExtractSet, as_picture
from landmarks.data.images import read_image
from landmarks.datasets.image_lists import read_image_lists
from landmarks.datasets.images import image_path
from landmarks.datasets.photo_folder import find_photos
from landmarks.datasets.plain_pickle import read_plain_pickle
from landmarks.errors import UserError
from landmarks.models.checkpoint import load_model
from landmarks.remote.archives import opened
from landmarks.store.artefact import fingerprint_of_file, read_manifest
from landmarks.store.csv_files import read_csv, read_csv_header
from landmarks.store.files import copy_file, read_array
from landmarks.store.json_files import read_object
from landmarks.store.ledger import add_to_ledger, read_ledger
from landmarks.store.tables import read_ids, read_train
from landmarks.training.journal import append_line, read_lines
from landmarks.training.resume import read_resume


def opened_archive(path):
    with opened(path):
        pass


def lists(path):
    return read_image_lists(path, np.array([]))


READERS = {
    "photo.jpg": [lambda path: read_image(path, 224), lambda path: as_picture(path, 224)],
    "index.csv": [
        read_csv_header,
        lambda path: read_csv(path, ["id"]),
        read_ids,
        read_train,
        lambda path: read_image_lists(path, np.array([])),
    ],
    "index.npy": [read_array, lambda path: read_array(path, mapped=True)],
    "model.json": [lambda path: load_model(path.parent)],
    "config.yaml": [read_yaml, load_config],
    "gnd_roxford5k.pkl": [read_plain_pickle],
    "train.tar": [opened_archive],
    "train.zip": [opened_archive],
    "metrics.json": [lambda path: read_object(path, "scores", {}, next="again")],
    "manifest.json": [lambda path: read_manifest(path.parent)],
    "metrics.jsonl": [lambda path: read_lines(path.parent), lambda path: append_line(path.parent, {"step": 1})],
    "resume.safetensors": [lambda path: read_resume(path.parent, None, None)],
    "results.csv": [read_ledger],
    ".results.csv.lock": [lambda path: add_to_ledger(path.parent / "results.csv", [])],
    "anything": [fingerprint_of_file, lambda path: copy_file(path, path.parent / "copy")],
}


def make(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(kind)


def refused_at_once(action, path):
    found = []

    def attempt():
        try:
            action(path)
        except UserError as error:
            found.append(error)
        except Exception as error:  # shown by the assertion
            found.append(error)
        else:
            found.append("read")

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert found, "it waits"
    assert isinstance(found[0], UserError), found
    assert found[0].next
    return found[0]


@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "/dev/null", "folder"])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name, kind):
    (tmp_path / "folder").mkdir()
    make(tmp_path / name, kind)
    for action in READERS[name]:
        refused_at_once(action, tmp_path / name)


def test_weights_that_are_a_fifo_are_refused(tmp_path):
    from landmarks.config import ModelSettings
    from landmarks.models.checkpoint import WEIGHTS, build_model, save_model

    settings = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=8)
    save_model(tmp_path, build_model(settings), settings)
    make(tmp_path / WEIGHTS, "fifo")
    assert "FIFO" in refused_at_once(load_model, tmp_path).what


def test_a_picture_of_a_dataset_that_is_a_fifo_is_an_error_of_that_picture(tmp_path):
    path = image_path(tmp_path, "index", "abc")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    error = ExtractSet(tmp_path, "index", np.array(["abc"], object), 96).read(0)
    assert isinstance(error, UserError) and error.what == "a FIFO, not a file" and error.where == path


def test_photos_that_are_no_files_are_passed_over_with_a_count(tmp_path, capsys):
    for landmark in ("a", "b"):
        (tmp_path / landmark).mkdir()
        (tmp_path / landmark / "1.jpg").touch()
    os.mkfifo(tmp_path / "a" / "2.jpg")
    (tmp_path / "b" / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "b" / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "b" / "loop.jpg").symlink_to("loop.jpg")
    photos, ignored = find_photos(tmp_path)
    assert [photo.name for photo in photos] == ["a/1.jpg", "b/1.jpg"] and ignored == {"no regular file": 4}
    assert "4 no regular file" in capsys.readouterr().out


def test_large_files_are_not_read_whole(tmp_path):
    """Sparse ones: they take no disk, and would take all memory."""
    for name in ("photo.jpg", "config.yaml", "gnd.pkl", "metrics.json", "manifest.json", "metrics.jsonl", "index.npy"):
        path = tmp_path / name
        with open(path, "wb") as file:
            file.write(b"\xff\xd8" if name == "photo.jpg" else b"")
            file.truncate(1 << 42)
        for action in READERS.get(name, [read_plain_pickle]):
            if name != "metrics.jsonl" or action is READERS[name][0]:
                refused_at_once(action, path)
