"""Competitions and data sets of Kaggle, from a server on this machine that speaks as Kaggle does."""

import os
import stat
import zipfile

import pytest
from kaggle_server import Fault
from small_gldv2 import ARCHIVES, lying_in, publish, zip_of

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.remote import archives, faults, gldv2
from landmarks.stages.download import download


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)


def from_kaggle(tmp_path, *names):
    return load_config(None, [f"dataset.folder={tmp_path / 'data'}", f"download.competitions=[{', '.join(names)}]"])


COMPETITION = {
    "train.csv": b"id,landmark_id\n0123,1\n",
    "sample_submission.csv": b"id,images\n",
    "train/0/1/2/0123.jpg": os.urandom(3000),
    "index/4/5/6/4567.jpg": os.urandom(3000),
    "test/8/9/a/89ab.jpg": os.urandom(3000),
}


def test_a_competition(signed_in, tmp_path):
    signed_in.competitions["landmark-retrieval-2021"] = "/files/archive.zip"
    signed_in.files["/files/archive.zip"] = zip_of(COMPETITION)
    config = from_kaggle(tmp_path, "landmark-retrieval-2021")
    download(config)
    assert lying_in(tmp_path / "data") == COMPETITION | {"index.csv": b"id\n4567\n", "test.csv": b"id\n89ab\n"}
    signed_in.requests.clear()
    download(config)
    assert signed_in.requests == []


def test_a_corrupted_zip_is_fetched_again(signed_in, tmp_path, capsys):
    right = zip_of(COMPETITION)
    signed_in.competitions["c"] = "/files/archive.zip"
    place = right.index(COMPETITION["index/4/5/6/4567.jpg"]) + 100
    signed_in.files["/files/archive.zip"] = right[:place] + bytes(8) + right[place + 8 :]
    with pytest.raises(UserError, match="c.zip arrives damaged, 3 times"):
        download(from_kaggle(tmp_path, "c"))
    signed_in.files["/files/archive.zip"] = right
    download(from_kaggle(tmp_path, "c"))
    assert COMPETITION.items() <= lying_in(tmp_path / "data").items()


def test_a_zip_goes_on_where_it_was_cut(signed_in, tmp_path):
    content = zip_of(COMPETITION)
    signed_in.competitions["c"], signed_in.files["/files/archive.zip"] = "/files/archive.zip", content
    signed_in.cuts["/files/archive.zip"] = 5000
    download(from_kaggle(tmp_path, "c"))
    assert COMPETITION.items() <= lying_in(tmp_path / "data").items()
    pieces = [(first, sent) for method, path, first, sent in signed_in.requests if method == "GET" and sent > 1]
    assert pieces == [(0, 5000), (5000, len(content) - 5000)]


def test_a_zip_made_while_it_is_sent_has_no_length(signed_in, tmp_path, capsys):
    signed_in.competitions["c"], signed_in.files["/files/archive.zip"] = "/files/archive.zip", zip_of(COMPETITION)
    signed_in.tells_length = False
    download(from_kaggle(tmp_path, "c"))
    assert COMPETITION.items() <= lying_in(tmp_path / "data").items() and "to fetch: ?" in capsys.readouterr().out


def test_an_archive_that_is_sent_without_a_detour(signed_in, tmp_path):
    signed_in.competitions["c"], signed_in.files["/files/archive.zip"] = "/files/archive.zip", zip_of(COMPETITION)
    signed_in.redirects = False
    download(from_kaggle(tmp_path, "c"))
    assert COMPETITION.items() <= lying_in(tmp_path / "data").items()


def test_a_competition_that_somebody_put_there_is_not_fetched(signed_in, tmp_path):
    for path, content in (COMPETITION | {"index.csv": b"id\n4567\n", "test.csv": b"id\n89ab\n"}).items():
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path).write_bytes(content)
    for _ in range(2):
        download(from_kaggle(tmp_path, "c"))
        assert signed_in.requests == []


@pytest.mark.parametrize("written", [0, 1, 4])
def test_a_disk_that_fills_up_while_unpacking(signed_in, tmp_path, monkeypatch, written):
    signed_in.competitions["c"], signed_in.files["/files/archive.zip"] = "/files/archive.zip", zip_of(COMPETITION)
    write, calls = archives._write, iter(range(100))

    def fill(*arguments):
        if next(calls) == written:
            raise OSError(28, "No space left on device", "somewhere")
        write(*arguments)

    monkeypatch.setattr(archives, "_write", fill)
    with pytest.raises(UserError, match="the disk is full"):
        download(from_kaggle(tmp_path, "c"))
    found = lying_in(tmp_path / "data")
    assert len(found) == written and found.items() <= COMPETITION.items()
    signed_in.requests.clear()
    download(from_kaggle(tmp_path, "c"))
    assert COMPETITION.items() <= lying_in(tmp_path / "data").items() and signed_in.bytes_sent() <= 1


def test_without_a_credential_the_plan_is_printed_with_what_to_do(signed_out, tmp_path, capsys):
    config = from_kaggle(tmp_path, "landmark-retrieval-2021")
    download(config, dry_run=True)
    printed = capsys.readouterr().out
    assert "competition landmark-retrieval-2021" in printed and "about 97.6 GB" in printed and "198 GB needed" in printed
    assert "KAGGLE_API_TOKEN" in printed
    with pytest.raises(UserError, match="there is none on this machine"):
        download(config)


def test_rules_that_are_not_accepted(signed_in, tmp_path):
    signed_in.competitions["landmark-retrieval-2021"] = "/files/archive.zip"
    signed_in.faults.append(Fault("DownloadDataFiles", 403, times=9))
    with pytest.raises(UserError, match="competitions/landmark-retrieval-2021/rules"):
        download(from_kaggle(tmp_path, "landmark-retrieval-2021"))


@pytest.mark.parametrize("name", ["../out.csv", "link"])
def test_a_wicked_archive_writes_nothing(signed_in, tmp_path, name):
    path = tmp_path / "wicked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo(name)
        if name == "link":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr("good.csv", "x")
        archive.writestr(info, "/etc/passwd")
    signed_in.competitions["c"], signed_in.files["/files/archive.zip"] = "/files/archive.zip", path.read_bytes()
    with pytest.raises(UserError, match="nothing was unpacked"):
        download(from_kaggle(tmp_path, "c"))
    assert lying_in(tmp_path / "data") == {} and not (tmp_path / "out.csv").exists()


def test_a_dataset_beside_the_mirror(signed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(gldv2, "ARCHIVES", ARCHIVES)
    expected = publish(signed_in)
    signed_in.datasets["someone/cleaned"] = "/files/cleaned.zip"
    signed_in.files["/files/cleaned.zip"] = zip_of({"other.csv": b"x\n"})
    overrides = [f"dataset.folder={tmp_path / 'data'}", "download.datasets=[someone/cleaned]", "download.gldv2=[test]"]
    download(load_config(None, [*overrides, f"download.gldv2_url={signed_in.url}"]))
    assert lying_in(tmp_path / "data") == {
        path: content for path, content in expected.items() if path.startswith(("test", *gldv2.SOLUTIONS))
    } | {"other.csv": b"x\n"}
