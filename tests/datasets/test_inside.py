"""Ids and paths of tables never lead out of the dataset, but for the links that `prepare` makes and where a setting allows it."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.datasets.benchmark import Benchmark, write_benchmark
from landmarks.datasets.images import DISTRACTORS, Pictures, image_path, missing_images, require_images
from landmarks.datasets.inside import Inside, leads_out
from landmarks.errors import UserError
from landmarks.store.tables import is_usable, read_train


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one picture with secrets around it; `listed(path)` writes a table that names another one."""
    folder = tmp_path / "dataset"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.jpg").touch()
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "b.jpg").touch()

    def listed(path):
        (folder / "index.csv").write_text(f"id,path\na,pictures/a.jpg\nb,{path}\n")
        return folder

    return listed


@pytest.mark.parametrize("id", ["../../../x", "a/b", "a\\b", 'a"b', "x,y"])
def test_ids_of_train_clean_are_checked_as_all_others_are(tmp_path, id):
    table = tmp_path / "train_clean.csv"
    quoted = id.replace('"', '""')
    table.write_text(f'landmark_id,images\n1,abc abd\n2,"abe {quoted} abf"\n')
    with pytest.raises(UserError, match="holds a comma, quote or slash") as caught:
        read_train(table)
    assert caught.value.where == f"{table}, row 3"


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("ab./\\ ,\0\n\u2028é~"), min_size=1, max_size=8))
def test_a_usable_id_is_a_file_below_its_split(id):
    if is_usable(id):
        path = os.path.normpath(image_path("/data", "train", id))
        assert path.startswith("/data/train/") and os.path.basename(path) == f"{id}.jpg"


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.jpg", "pictures/../../secret.jpg", "..", "source/../../secret.jpg", "x\0y.jpg"])
def test_paths_that_lead_out_are_refused_as_they_are_written(dataset, path):
    folder = dataset(path)
    for use in (lambda: Pictures(folder, "index"), lambda: missing_images(folder, "index", np.array(["a"], object))):
        with pytest.raises(UserError, match="is not below the dataset's folder") as caught:
            use()
        assert caught.value.where == f"{folder / 'index.csv'}, row 3" and "dataset.pictures_anywhere=true" in caught.value.next


def test_an_empty_path_is_no_picture(dataset):
    with pytest.raises(UserError, match="is not below"):
        Pictures(dataset(""), "index")


OUT = [("away", "..", "away/secret.jpg"), ("b.jpg", "../secret.jpg", "b.jpg"), ("x", "/", "x/etc/hosts")]


@pytest.mark.parametrize("link, target, path", OUT)
def test_links_that_lead_out_are_refused_where_the_picture_is_asked_for(dataset, tmp_path, link, target, path):
    folder = dataset(path)
    (folder / link).symlink_to(target)
    pictures = Pictures(folder, "index")
    assert pictures.path("a") == folder / "pictures" / "a.jpg"
    with pytest.raises(UserError, match="a link leads the path '.*' out of the dataset"):
        pictures.path("b")
    with pytest.raises(UserError, match="a link leads"):
        require_images(folder, "index", np.array(["a", "b"], object))
    assert Pictures(folder, "index", anywhere=True).path("b") == folder / path


def test_links_within_the_dataset_and_a_linked_dataset_are_fine(dataset, tmp_path):
    folder = dataset("here/a.jpg")
    (folder / "here").symlink_to("pictures")
    (tmp_path / "linked").symlink_to(folder)
    assert Pictures(tmp_path / "linked", "index").path("b").is_file()
    require_images(tmp_path / "linked", "index", np.array(["a", "b"], object))


def test_with_the_setting_paths_may_lead_anywhere(dataset, tmp_path):
    for path in (str(tmp_path / "secret.jpg"), "../secrets/b.jpg"):
        folder = dataset(path)
        assert Pictures(folder, "index", anywhere=True).path("b").is_file()
        require_images(folder, "index", np.array(["a", "b"], object), anywhere=True)


def test_the_links_that_prepare_makes_are_followed(tmp_path):
    for name in ("authors", "far/dataset"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "authors" / "a.jpg").touch()
    (tmp_path / "elsewhere.jpg").touch()
    (tmp_path / "authors" / "b.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    table = pd.DataFrame({"id": ["a", "b"], "path": ["a.jpg", "b.jpg"]})
    write_benchmark(tmp_path / "far" / "dataset", tmp_path / "authors", Benchmark(table.assign(id=["c", "d"]), table[:0]), None)
    write_benchmark(tmp_path / "dataset", tmp_path / "authors", Benchmark(table, table[:0]), tmp_path / "far")
    paths = Pictures(tmp_path / "dataset", "index").paths(["a", "b", "c", "d"])
    assert all(os.path.isfile(path) for path in paths) and f"/{DISTRACTORS}/" in paths[2]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(["..", ".", "a", "in", "out", "", "b.jpg"]), max_size=5), st.booleans())
def test_what_is_not_refused_lies_inside(tmp_path_factory, parts, absolute):
    root = tmp_path_factory.mktemp("data") / "dataset"
    (root / "a").mkdir(parents=True)
    (root / "in").symlink_to("a")
    (root / "out").symlink_to("..")
    path = ("/" if absolute else "") + "/".join(parts)
    if not leads_out(path) and Inside(root).first_outside([path]) is None:
        assert os.path.realpath(root / path).startswith(str(root))
