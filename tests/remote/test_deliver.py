import hashlib

import pytest
from small_gldv2 import tar_of

from landmarks.config import DatasetSettings
from landmarks.errors import UserError
from landmarks.remote.deliver import deliver
from landmarks.remote.done import Done
from landmarks.remote.transfer import Stopped, TransferControl, plain

FILES = {"a/b/c/abc.jpg": b"one" * 1000, "a/b/d/abd.jpg": b"two" * 1000}


@pytest.fixture
def bring(tmp_path):
    """bring(item) -> the notes, after the item has been delivered into tmp_path/data."""
    work = tmp_path / "data" / ".download"
    work.mkdir(parents=True)

    def run(item, control=None, **more):
        done = Done(DatasetSettings(folder=tmp_path / "data"), work)
        deliver(item, tmp_path / "data", work, done, control or TransferControl(), **more)
        assert [path.name for path in work.iterdir()] == ["done"], "nothing but the note is left"
        return done

    return run


def published(server, path, content):
    server.files[path] = content
    return f"{server.url}{path}"


def test_a_table_goes_to_its_place_and_is_noted(server, bring, make_item, tmp_path):
    item = make_item("index.csv", published(server, "/index.csv", b'"id","more"\nx,1\n'), header="id")
    assert bring(item).size(item) == 16 and (tmp_path / "data" / "index.csv").read_bytes() == server.files["/index.csv"]


def test_an_archive_is_unpacked_into_its_folder_as_far_as_it_is_listed(server, bring, make_item, tmp_path):
    content = tar_of(FILES)
    md5 = published(server, "/md5.txt", f"{hashlib.md5(content).hexdigest()}  a.tar\n".encode())
    item = make_item("a.tar", published(server, "/a.tar", content), folder="train", md5=plain(md5), share=0.5)
    assert bring(item, listed=frozenset(["abd"])).has(item)
    assert [path.name for path in (tmp_path / "data" / "train").rglob("*.jpg")] == ["abd.jpg"]


def test_a_table_of_other_content_is_never_replaced(server, bring, make_item, tmp_path):
    (tmp_path / "data" / "index.csv").write_text("id\nmine\n")
    with pytest.raises(UserError, match="another file of this name is there"):
        bring(make_item("index.csv", published(server, "/index.csv", b"id\ntheirs\n"), header="id"))
    assert (tmp_path / "data" / "index.csv").read_text() == "id\nmine\n"


def test_what_keeps_arriving_damaged_is_fetched_three_times_and_counted_back(server, bring, make_item):
    control, moved = TransferControl(), []
    control.counter = moved.append
    with pytest.raises(UserError, match="index.csv arrives damaged, 3 times"):
        bring(make_item("index.csv", published(server, "/index.csv", b"<html>"), header="id"), control)
    assert len(server.requests) == 3 and sum(moved) == 0


def test_without_a_credential_nothing_is_fetched(bring, make_item):
    with pytest.raises(UserError, match="c.zip cannot be fetched without a Kaggle credential"):
        bring(make_item("c.zip", address=None))


def test_a_stopped_delivery_is_resumed_by_the_next(server, bring, make_item, tmp_path):
    item = make_item("a.tar", published(server, "/a.tar", tar_of(FILES)), folder="train")
    control = TransferControl()
    control.stop()
    with pytest.raises(Stopped):
        bring(item, control)
    bring(item)
    assert len(list((tmp_path / "data" / "train").rglob("*.jpg"))) == 2
