import os
import subprocess
import sys

import pytest
from kaggle_server import KEY, TOKEN, Fault

from landmarks.errors import UserError
from landmarks.remote.kaggle_client import connect


@pytest.fixture
def waits():
    return []


def client(waits):
    return connect(waits.append)


def test_without_a_credential_the_three_ways_are_named(signed_out):
    with pytest.raises(UserError) as raised:
        connect()
    for word in ("KAGGLE_API_TOKEN", "~/.kaggle/access_token", "kaggle.json", "https://www.kaggle.com/settings/api", "Generate New Token"):
        assert word in str(raised.value)


def test_an_archive_is_found_without_fetching_it(signed_in, waits):
    signed_in.competitions["landmark-retrieval-2021"] = "/files/one.zip"
    signed_in.datasets["someone/some-set"] = "/files/two.zip"
    kaggle = client(waits)
    assert kaggle.competition_archive("landmark-retrieval-2021").url == f"{signed_in.url}/files/one.zip"
    request = kaggle.dataset_archive("someone/some-set")
    assert request.url == f"{signed_in.url}/files/two.zip" and "Authorization" not in request.headers
    assert all(method == "POST" for method, *_ in signed_in.requests)


def test_name_and_key_do_as_well(signed_in, waits, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    signed_in.competitions["c"] = "/files/one.zip"
    assert client(waits).competition_archive("c").url.endswith("one.zip")


def test_a_wrong_token_is_refused_and_not_shown(signed_in, waits, monkeypatch, capfd):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong-and-secret")
    with pytest.raises(UserError, match="does not accept the credential in KAGGLE_API_TOKEN") as raised:
        client(waits)
    printed = capfd.readouterr()
    assert "wrong-and-secret" not in str(raised.value) + printed.out + printed.err
    assert not sys.stdin.closed


def test_a_wrong_key_is_refused(signed_in, waits, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "wrong-and-secret")
    signed_in.competitions["c"] = "/files/one.zip"
    with pytest.raises(UserError, match="HTTP 401.*\n.*\n.*settings/api") as raised:
        client(waits).competition_archive("c")
    assert "wrong-and-secret" not in str(raised.value)


def test_rules_that_are_not_accepted_name_their_page(signed_in, waits):
    signed_in.competitions["landmark-retrieval-2021"] = "/files/one.zip"
    signed_in.faults.append(Fault("DownloadDataFiles", 403))
    with pytest.raises(UserError, match="https://www.kaggle.com/competitions/landmark-retrieval-2021/rules"):
        client(waits).competition_archive("landmark-retrieval-2021")


def test_an_unknown_competition(signed_in, waits):
    with pytest.raises(UserError, match="knows no competition landmark-retrieval-2012"):
        client(waits).competition_archive("landmark-retrieval-2012")


def test_too_many_requests_wait_as_long_as_the_server_says(signed_in, waits):
    signed_in.competitions["c"] = "/files/one.zip"
    signed_in.faults += [Fault("DownloadDataFiles", 429, headers={"Retry-After": "17"}), Fault("DownloadDataFiles", 503)]
    assert client(waits).competition_archive("c").url.endswith("one.zip")
    assert waits == [17.0, 4.0]


@pytest.mark.parametrize(("status", "words"), [(429, "too many requests"), (500, "server fails")])
def test_patience_ends(signed_in, waits, status, words):
    signed_in.competitions["c"] = "/files/one.zip"
    signed_in.faults.append(Fault("DownloadDataFiles", status, times=100))
    with pytest.raises(UserError, match=words):
        client(waits).competition_archive("c")
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0]


def test_offline(signed_in, waits):
    signed_in.competitions["c"] = "/files/one.zip"
    kaggle = client(waits)
    signed_in.close()
    with pytest.raises(UserError, match="no connection to www.kaggle.com"):
        kaggle.competition_archive("c")


def test_a_submission(signed_in, waits, tmp_path, capfd):
    signed_in.competitions["c"] = "/files/one.zip"
    (tmp_path / "submission.csv").write_text("id,images\na,b c\n")
    kaggle = client(waits)
    assert kaggle.submissions_left("c") == 5 and kaggle.submissions("c") == []
    assert kaggle.submit("c", tmp_path / "submission.csv", "a message") == (100, "Successfully submitted")
    assert signed_in.uploads == [b"id,images\na,b c\n"]
    signed_in.submissions[0] |= {"status": "COMPLETE", "publicScore": "0.3563", "privateScore": ""}
    (one,) = kaggle.submissions("c")
    assert (one.ref, one.status, one.public_score, one.private_score) == (100, "complete", 0.3563, None)
    assert one.description == "a message" and one.date.startswith("2026-01-02T03:04:05") and kaggle.submissions_left("c") == 4
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


def test_a_failed_upload_is_no_success(signed_in, waits, tmp_path, capfd):
    signed_in.competitions["c"] = "/files/one.zip"
    signed_in.upload_status = 400
    (tmp_path / "submission.csv").write_text("id,images\n")
    with pytest.raises(UserError, match="nothing was submitted"):
        client(waits).submit("c", tmp_path / "submission.csv", "a message")
    assert signed_in.submissions == [] and signed_in.uploads == []
    assert TOKEN not in capfd.readouterr().out


def test_importing_the_client_neither_prints_nor_exits(signed_out):
    code = (
        "from landmarks.remote.kaggle_client import _client_class, _contained\n"
        "with _contained(): _client_class()\nimport sys; assert not sys.stdin.closed"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"VERBOSE": "true"},
        stdin=subprocess.PIPE,
    )
    assert done.stdout == done.stderr == ""
