import os
import threading

import pytest
from kaggle_server import Fault

from landmarks.errors import UserError
from landmarks.remote import faults
from landmarks.remote.faults import Subject
from landmarks.remote.transfer import Stopped, TransferControl, fetch, fetched, plain, size_of

CONTENT = os.urandom(600_000)
PATH = "/train/images_000.tar"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)


def bring(server, path, control=None):
    fetch(plain(server.url + PATH), path, Subject("images_000.tar", server.url + PATH), control or TransferControl())


@pytest.fixture
def counted():
    control = TransferControl()
    control.total = 0

    def count(n):
        control.total += n

    control.counter = count
    return control


def test_a_file_arrives_under_its_name_only_when_whole(server, tmp_path, counted):
    server.files[PATH] = CONTENT
    assert size_of(plain(server.url + PATH)) == len(CONTENT)
    assert server.bytes_sent() <= 1
    bring(server, tmp_path / "a.tar", counted)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and os.listdir(tmp_path) == ["a.tar"]
    assert counted.total == len(CONTENT) and server.bytes_sent() <= 1 + len(CONTENT)


def test_cut_in_the_middle_it_goes_on_from_there(server, tmp_path, counted):
    server.files[PATH] = CONTENT
    server.cuts[PATH] = 250_000
    bring(server, tmp_path / "a.tar", counted)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and counted.total == len(CONTENT)
    first, second = server.requests
    assert first[3] == 250_000 and second[2] == 250_000
    assert server.bytes_sent() == len(CONTENT)


def test_another_run_goes_on_as_well(server, tmp_path, monkeypatch, counted):
    server.files[PATH] = CONTENT
    server.cuts[PATH] = 250_000
    monkeypatch.setattr(faults, "MAX_TRIES", 1)
    with pytest.raises(UserError, match="no connection"):
        bring(server, tmp_path / "a.tar", counted)
    assert fetched(tmp_path / "a.tar") == 250_000 and not (tmp_path / "a.tar").exists()
    bring(server, tmp_path / "a.tar", counted)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and server.bytes_sent() == counted.total == len(CONTENT)


def test_a_part_of_an_older_file_is_not_continued(server, tmp_path, monkeypatch, counted):
    server.files[PATH] = CONTENT[::-1]
    server.cuts[PATH] = 250_000
    monkeypatch.setattr(faults, "MAX_TRIES", 1)
    with pytest.raises(UserError):
        bring(server, tmp_path / "a.tar", counted)
    server.files[PATH] = CONTENT
    bring(server, tmp_path / "a.tar", counted)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and counted.total == len(CONTENT)


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.files[PATH] = CONTENT
    server.cuts[PATH] = 250_000
    (tmp_path / "a.tar.part").write_bytes(b"of unknown origin" * 100_000)
    bring(server, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_server_that_fails_or_asks_to_wait_is_tried_again(server, tmp_path, counted):
    server.files[PATH] = CONTENT
    server.faults += [Fault(PATH, 500, times=3), Fault(PATH, 429, headers={"Retry-After": "0"})]
    bring(server, tmp_path / "a.tar", counted)
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and counted.total == len(CONTENT)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "credential"),
        (403, "access denied"),
        (404, "not on the server"),
        (429, "too many requests"),
        (500, "server fails"),
        (418, "HTTP 418"),
    ],
)
def test_every_refusal_has_its_words_and_next_step(server, tmp_path, status, words):
    server.files[PATH] = CONTENT
    server.faults.append(Fault(PATH, status, times=100, headers={"Retry-After": "0"}))
    with pytest.raises(UserError, match=words) as raised:
        bring(server, tmp_path / "a.tar")
    assert raised.value.next and str(status) in str(raised.value)
    assert len(server.requests) == (faults.MAX_TRIES if status in (429, 500) else 1)


def test_a_full_disk_says_so(server, tmp_path, monkeypatch):
    server.files[PATH] = CONTENT

    class Full(TransferControl):
        def moved(self, count):
            raise OSError(28, "No space left on device", str(tmp_path))

    with pytest.raises(UserError, match="the disk is full"):
        bring(server, tmp_path / "a.tar", Full())


def test_progress_renews_patience(server, tmp_path, monkeypatch):
    server.files[PATH] = CONTENT
    monkeypatch.setattr(faults, "MAX_TRIES", 2)
    steps = iter([100_000, 200_000, 300_000, 400_000, 500_000])

    class Cutting(dict):
        def pop(self, path, default):
            return next(steps, default)

    server.cuts = Cutting()
    bring(server, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT and server.bytes_sent() == len(CONTENT)


def test_it_can_be_stopped(server, tmp_path):
    server.files[PATH], server.bytes_per_second = CONTENT, 400_000
    control = TransferControl()
    threading.Timer(0.2, control.stop).start()
    with pytest.raises(Stopped):
        bring(server, tmp_path / "a.tar", control)
    assert 0 < fetched(tmp_path / "a.tar") < len(CONTENT)
