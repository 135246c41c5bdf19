import pandas as pd
import pytest

from landmarks.datasets.benchmark import Benchmark, as_id, picture_names, require_folder, write_benchmark
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.store.tables import read_tables


def test_pictures_of_every_suffix_are_found_and_nothing_else(tmp_path):
    for name in ("b.JPG", "part/a.jpeg", "part/deep/c.png", "part/d.webp", "notes.txt", "jpg"):
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.png").touch()
    (tmp_path / "all" / "link").symlink_to(tmp_path / "elsewhere")
    assert picture_names(tmp_path / "all") == ["b.JPG", "link/e.png", "part/a.jpeg", "part/d.webp", "part/deep/c.png"]


def test_an_id_holds_no_separators():
    assert as_id('a b,c/d\\e"f\tg') == "a_b_c_d_e_f_g" and as_id("@584000.00@x-é") == "@584000.00@x-é"


def test_what_is_written_reads_as_a_dataset_whose_pictures_are_the_authors(tmp_path):
    source, far = tmp_path / "authors", tmp_path / "far"
    source.mkdir()
    (far / "dataset").mkdir(parents=True)
    index = pd.DataFrame({"id": ["a", "b"], "path": ["jpg/a.jpg", "jpg/b.webp"]})
    test = pd.DataFrame({"id": ["q"], "path": ["jpg/q.jpg"], "easting": [1.5]})
    benchmark = Benchmark(index, test, {"truth.csv": pd.DataFrame({"id": ["q"], "easy": ["a"]})})
    for distractors in (None, far):  # a second time over the first
        write_benchmark(tmp_path / "dataset", source, benchmark, distractors)
    tables = read_tables(tmp_path / "dataset")
    assert (tables.index_ids.tolist(), tables.test_ids.tolist(), len(tables.train.ids)) == (["a", "b"], ["q"], 0)
    assert (tmp_path / "dataset" / "truth.csv").read_text() == "id,easy\nq,a\n"
    path = Pictures(tmp_path / "dataset", "index").path("b")
    assert path.parent.resolve() == source.resolve() / "jpg" and path.name == "b.webp"
    assert (tmp_path / "dataset" / "distractors").resolve() == (far / "dataset").resolve()


def test_the_fingerprint_is_that_of_every_table():
    one = pd.DataFrame({"id": ["a"], "path": ["a.jpg"]})
    prints = [Benchmark(one, one), Benchmark(one, one.assign(id="b")), Benchmark(one, one, {"truth.csv": one})]
    assert len({benchmark.fingerprint() for benchmark in prints}) == 3
    assert Benchmark(one, one).fingerprint() == Benchmark(one.copy(), one.copy()).fingerprint()


def test_a_folder_of_another_layout_is_refused_with_what_it_holds(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        require_folder(tmp_path / "none", "with jpg/")
    with pytest.raises(UserError, match="no folder 'jpg' here; there is nothing"):
        require_folder(tmp_path, "with jpg/", "jpg")
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="no folder 'jpg' here; there is images") as raised:
        require_folder(tmp_path, "with jpg/", "images", "jpg")
    assert raised.value.next == "dataset.folder=FOLDER, with jpg/"
