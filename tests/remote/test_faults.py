import errno
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from landmarks.errors import UserError
from landmarks.remote.faults import Subject, explain, seconds_to_wait, status_of, with_retries

SUBJECT = Subject("competition c", "https://www.kaggle.com/competitions/c", "https://www.kaggle.com/competitions/c/rules", kaggle=True)


def answer(status, headers=(), body=b""):
    response = requests.Response()
    response.status_code, response._content = status, body
    response.headers.update(dict(headers))
    return requests.HTTPError("said so", response=response)


def test_kaggle_also_wraps_an_error_in_a_success():
    assert status_of(answer(404)) == 404
    assert status_of(answer(200, body=b'{"code": 403, "message": "rules"}')) == 403
    assert status_of(answer(200, body=b"[]")) is None and status_of(answer(200, body=b"{")) is None
    assert status_of(requests.HTTPError("nothing")) is None and status_of(ValueError()) is None


@pytest.mark.parametrize(
    ("error", "tries", "seconds"),
    [
        (answer(429, {"Retry-After": "30"}), 1, 30.0),
        (answer(429, {"Retry-After": "30"}), 5, 30.0),
        (answer(429, {"Retry-After": "36000"}), 1, 900.0),
        (answer(429, {"Retry-After": "soon"}), 2, 4.0),
        (answer(429), 3, 8.0),
        (answer(503, {"Retry-After": "30"}), 1, 2.0),
        (requests.ConnectionError(), 4, 16.0),
        (requests.ReadTimeout(), 5, 32.0),
        (requests.ConnectionError(), 6, None),
        (answer(403), 1, None),
        (answer(404), 1, None),
        (requests.exceptions.InvalidURL(), 1, None),
    ],
)
def test_how_long_it_is_worth_waiting(error, tries, seconds):
    assert seconds_to_wait(error, tries) == seconds


def test_a_date_to_wait_for():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < seconds_to_wait(answer(429, {"Retry-After": then}), 1) <= 100
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=100), usegmt=True)
    assert seconds_to_wait(answer(429, {"Retry-After": past}), 1) == 0


@pytest.mark.parametrize(
    ("error", "what", "next"),
    [
        (answer(401), "the credential is not accepted", "https://www.kaggle.com/settings/api"),
        (answer(403), "has not accepted its rules", "https://www.kaggle.com/competitions/c/rules"),
        (answer(404), "Kaggle knows no competition c", "check the name"),
        (answer(429), "too many requests", "wait an hour"),
        (answer(500), "the server fails", "wait a while"),
        (answer(302), "competition c: HTTPError", "run the same command again"),
        (requests.ConnectionError("https://x/?secret=1"), "no connection to www.kaggle.com", "HTTPS_PROXY"),
        (OSError(errno.ENOSPC, "full", "/data"), "the disk is full", "free some"),
    ],
)
def test_every_fault_has_its_next_step_and_tells_no_secret(error, what, next):
    raised = explain(error, SUBJECT)
    assert isinstance(raised, UserError) and what in raised.what and next in raised.next and "secret" not in str(raised)


def test_patience_is_for_faults_of_the_network_only():
    with pytest.raises(ValueError, match="ours"):
        with_retries(lambda: (_ for _ in ()).throw(ValueError("ours")), SUBJECT, pytest.fail)


@pytest.mark.parametrize("text", ["nan", "inf", "9" * 5000, "1_0", "٣", "-5", "Mon, 01 Jan 99999 00:00:00 GMT"])
def test_a_server_s_odd_time_to_wait_is_a_time(text):
    seconds = seconds_to_wait(answer(429, {"Retry-After": text}), 1)
    assert 0 <= seconds <= 900


@pytest.mark.parametrize("body", ["[" * 100_000, '{"code": "' + "9" * 5000 + '"}', '{"code": true}', "[]", '{"code": null}'])
def test_a_server_s_odd_answer_has_no_status(body):
    assert status_of(answer(200, body=body.encode())) is None
