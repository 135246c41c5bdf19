import pytest

from landmarks.config import DownloadSettings
from landmarks.errors import UserError
from landmarks.remote.archives import DamagedArchive
from landmarks.remote.gldv2 import gldv2_items, md5_in


def items_of(*splits, table="train.csv", **settings):
    return gldv2_items(DownloadSettings(gldv2=splits, gldv2_url="http://mirror/", **settings), table)


def test_tables_come_first_then_archives_small_splits_first():
    items = items_of("train", "index", "test")
    tables = [item.name for item in items if item.header]
    assert tables == ["test.csv", "retrieval_solution_v2.1.csv", "recognition_solution_v2.1.csv", "index.csv", "train.csv"]
    archives = [item for item in items if not item.header]
    assert items == [*items[: len(tables)], *archives] and len({item.name for item in items}) == len(items) == 5 + 620
    assert [item.folder for item in archives] == ["test"] * 20 + ["index"] * 100 + ["train"] * 500
    last = archives[-1]
    assert last.name == "train-images_499.tar" and last.address().url == "http://mirror/train/images_499.tar"
    assert last.md5().url == "http://mirror/md5sum/train/md5.images_499.txt" and last.about == 1_000_000_000


def test_where_the_tables_are_and_how_they_are_recognised():
    items = {item.name: item for item in items_of("test", "train", table="train_clean.csv")}
    assert items["train_clean.csv"].address().url == "http://mirror/metadata/train_clean.csv"
    assert items["train_clean.csv"].header == "landmark_id,images" and items["test.csv"].header == "id"
    assert items["retrieval_solution_v2.1.csv"].address().url == "http://mirror/ground_truth/retrieval_solution_v2.1.csv"


def test_photos_that_the_table_does_not_list_take_no_disk():
    share = {item.folder: item.share for item in items_of("train", "index", table="train_clean.csv", photos="listed") if item.folder}
    assert share["index"] == 1 and share["train"] == pytest.approx(1_580_470 / 4_132_914)
    assert {item.share for item in items_of("train", table="train.csv", photos="listed")} == {1.0}


def test_a_table_that_is_not_published_is_refused():
    with pytest.raises(UserError, match="mine.csv is no table of Google Landmarks v2"):
        items_of("train", table="mine.csv")
    assert items_of("test", table="mine.csv"), "nothing of train is wanted"


def test_the_digest_of_an_md5_file():
    digest = "0123456789abcdef" * 2
    assert md5_in(f"{digest}  images_000.tar\n") == digest and md5_in(digest) == digest
    for text in ("", "<html>", digest[:-1], digest + "0"):
        with pytest.raises(DamagedArchive):
            md5_in(text)
