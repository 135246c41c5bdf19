import numpy as np
import pytest

from landmarks.datasets.images import DISTRACTORS, Pictures, image_path, missing_images, photo_ids, require_images
from landmarks.errors import UserError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_without_a_column_path_pictures_are_laid_out_as_gldv2(tmp_path):
    (tmp_path / "index.csv").write_text("id\nabcd\n")
    pictures = Pictures(tmp_path, "index")
    assert pictures.paths(["abcd", "zyx"]) == [f"{tmp_path}/index/a/b/c/abcd.jpg", f"{tmp_path}/index/z/y/x/zyx.jpg"]
    assert pictures.path("abcd") == image_path(tmp_path, "index", "abcd") and pictures.boxes(["abcd"]) is None


def test_the_table_gives_paths_and_boxes_in_any_order(tmp_path):
    (tmp_path / "test.csv").write_text("id,path,left,top,right,bottom\na,source/a.png,0,1,2,3\nb,source/b.webp,4,5,6.5,7\n")
    pictures = Pictures(tmp_path, "test")
    assert pictures.paths(np.array(["b", "a"], object)) == [f"{tmp_path}/source/b.webp", f"{tmp_path}/source/a.png"]
    assert pictures.boxes(["b", "a"]).tolist() == [[4, 5, 6.5, 7], [0, 1, 2, 3]]


def test_the_training_split_has_the_layout_whatever_its_table_says(tmp_path):
    (tmp_path / "train.csv").write_text("id,landmark_id,path\nabc,1,elsewhere.jpg\n")
    assert Pictures(tmp_path, "train").path("abc") == image_path(tmp_path, "train", "abc")


def test_ids_that_the_table_lacks_are_the_distractors(tmp_path):
    (tmp_path / "index.csv").write_text("id,path\na,source/a.jpg\n")
    (tmp_path / DISTRACTORS).mkdir()
    (tmp_path / DISTRACTORS / "index.csv").write_text("id,path\nfar,source/far.png\n")
    assert Pictures(tmp_path, "index").paths(["far", "a"]) == [f"{tmp_path}/{DISTRACTORS}/source/far.png", f"{tmp_path}/source/a.jpg"]


def test_a_box_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "test.csv").write_text("id,path,left,top,right,bottom\na,a.jpg,0,1,wide,3\n")
    with pytest.raises(UserError, match="a box of pixels is four numbers.*wide"):
        Pictures(tmp_path, "test")


def test_missing_pictures_are_listed_in_the_order_asked_for(tmp_path):
    ids = np.array(["zaa", "abc", "abd", "bcd"], object)
    touch(image_path(tmp_path, "index", "abd"))
    assert missing_images(tmp_path, "index", ids) == ["zaa", "abc", "bcd"]
    with pytest.raises(UserError, match="3 of 4 index images are missing, first 'zaa'") as raised:
        require_images(tmp_path, "index", ids)
    assert raised.value.where == image_path(tmp_path, "index", "zaa")
    require_images(tmp_path, "index", ids[2:3])


def test_the_photos_of_a_split_are_the_jpg_files_of_the_layout(tmp_path):
    for id in ("bcd", "abc"):
        touch(image_path(tmp_path, "test", id))
    touch(tmp_path / "test" / "notes.txt")
    assert photo_ids(tmp_path, "test") == ["abc", "bcd"] and photo_ids(tmp_path, "train") == []


@pytest.mark.parametrize("name", ["a b.jpg", "a,b.jpg", ".jpg", "a\nb.jpg", "a\udce9.jpg"])
def test_photos_whose_names_are_no_ids_are_refused_by_name(tmp_path, name):
    touch(tmp_path / "test" / "a" / name)
    with pytest.raises(UserError, match="is no id") as raised:
        photo_ids(tmp_path, "test")
    assert raised.value.where == str(tmp_path / "test" / "a")


def test_two_photos_of_one_name_are_refused_by_their_folders(tmp_path):
    for folder in ("a/b/c", "elsewhere"):
        touch(tmp_path / "test" / folder / "abc.jpg")
    with pytest.raises(UserError, match="two photos have the id 'abc'") as raised:
        photo_ids(tmp_path, "test")
    assert raised.value.where == f"{tmp_path}/test/a/b/c; {tmp_path}/test/elsewhere"
