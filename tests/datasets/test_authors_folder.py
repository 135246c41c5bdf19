import pytest

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.authors_folder import read_authors_folder
from landmarks.errors import UserError


def read(source, folder):
    return read_authors_folder(DatasetSettings(source=source, folder=folder), PlacesSettings(), need_pictures=True)


def test_plain_pictures_are_index_images_of_every_suffix(tmp_path):
    for name in ("a b.jpg", "part/c.webp", "part/d.PNG", "readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    benchmark = read("pictures", tmp_path)
    assert benchmark.index["id"].tolist() == ["a_b", "part_c", "part_d"] and len(benchmark.test) == 0
    assert benchmark.index["path"].tolist() == ["a b.jpg", "part/c.webp", "part/d.PNG"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="no pictures") as raised:
        read("pictures", tmp_path)
    assert ".jpg, .jpeg, .png, .webp" in raised.value.next


@pytest.mark.parametrize(("source", "missing"), [("revisited", "jpg"), ("places", "database"), ("msls", "train_val")])
def test_each_source_asks_for_its_own_layout(tmp_path, source, missing):
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=f"no folder '{missing}' here; there is other"):
        read(source, tmp_path)
