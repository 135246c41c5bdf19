import pytest

from landmarks.config import DatasetSettings
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.remote.done import Done, found_by_hand
from landmarks.remote.faults import Subject
from landmarks.remote.items import Item


@pytest.fixture
def done_of(tmp_path):
    def make(table="train.csv"):
        return Done(DatasetSettings(folder=tmp_path, train_table=table), tmp_path / ".download")

    return make


def photo(folder, split, id):
    image_path(folder, split, id).parent.mkdir(parents=True, exist_ok=True)
    image_path(folder, split, id).touch()


def test_a_note_counts_for_later_runs_while_the_files_are_there(tmp_path, done_of, make_item):
    table, archive = make_item("index.csv", header="id", about=5), make_item("index-0.tar", folder="index", about=9)
    for item in (table, archive):
        assert not done_of().has(item) and done_of().size(item) == item.about
        done_of().note(item, 100, files=3)
        assert not done_of().has(item), "the files are not there"
    (tmp_path / "index.csv").touch()
    (tmp_path / "index").mkdir()
    assert done_of().has(table) and done_of().has(archive) and done_of().size(archive) == 100


def test_a_part_of_the_photos_is_done_for_one_training_table_only(tmp_path, done_of, make_item):
    (tmp_path / "train").mkdir()
    listed, whole = make_item("listed.tar", folder="train", share=0.4), make_item("whole.tar", folder="train")
    for item in (listed, whole):
        done_of("train_clean.csv").note(item, 100, files=3)
    assert done_of("train_clean.csv").has(listed) and not done_of("train.csv").has(listed) and done_of("train.csv").has(whole)


def test_a_damaged_note_is_refused(tmp_path, done_of):
    (tmp_path / ".download" / "done").mkdir(parents=True)
    (tmp_path / ".download" / "done" / "a.tar.json").write_text("{}")
    with pytest.raises(UserError, match="not a note of a download"):
        done_of()


def test_photos_put_there_by_hand_are_found_where_all_that_the_table_lists_are(tmp_path, done_of, make_item):
    archives = [make_item(f"{split}-{n}.tar", folder=split) for split in ("train", "index") for n in range(2)]
    assert found_by_hand(archives, done_of()) == []
    (tmp_path / "train.csv").write_text("id,landmark_id\nabc,1\nabd,2\n")
    (tmp_path / "index.csv").write_text("id\nxyz\n")
    photo(tmp_path, "train", "abc")
    photo(tmp_path, "index", "xyz")
    assert found_by_hand(archives, done_of()) == archives[2:]
    photo(tmp_path, "train", "abd")
    assert sorted(item.name for item in found_by_hand(archives, done_of())) == sorted(item.name for item in archives)


def test_tables_and_competitions_count_only_before_the_first_download(tmp_path, done_of, make_item):
    table = make_item("index.csv", header="id")
    competition = Item("c.zip", "c", Subject("competition c", "https://kaggle", kaggle=True), None)
    (tmp_path / "index.csv").touch()
    assert found_by_hand([table, competition], done_of()) == [table]
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).touch()
    assert found_by_hand([table, competition], done_of()) == [table, competition]
    done_of().note(make_item("other.csv", header="id"), 1, files=1)
    assert found_by_hand([table, competition], done_of()) == []


def test_a_note_by_hand_replaces_no_other(tmp_path, done_of, make_item):
    item = make_item("index.csv", header="id")
    (tmp_path / "index.csv").touch()
    done_of().note(item, 100, files=1)
    done_of().note_found(item, 5)
    assert done_of().size(item) == 100
