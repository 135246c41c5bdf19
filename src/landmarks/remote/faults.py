"""Faults of servers and connections: which are retried, and the next step for the others."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.remote.credentials import PAGE
from landmarks.store.cells import integer, number
from landmarks.store.json_files import parse_json

Result = TypeVar("Result")
MAX_TRIES = 6  # in a row without a byte of progress
FIRST_WAIT = 2.0  # seconds; doubled each time
MAX_WAIT = 120.0
MAX_RETRY_AFTER = 900.0  # where the server itself says how long
AGAIN = "run the same command again: finished files are kept, the rest is resumed"


@dataclass(frozen=True)
class Subject:
    """What is requested, as an error message names it.

    name   "competition landmark-retrieval-2021", "dataset owner/name", or a file
    where  the address a person can open
    rules  the page on which a competition's rules are accepted, if they must be
    """

    name: str
    where: str
    rules: str | None = None
    kaggle: bool = False


def status_of(error: Exception) -> int | None:
    """The HTTP status an error carries; Kaggle also sends errors as JSON with a status of 200 outside."""
    response = getattr(error, "response", None)
    if not isinstance(error, requests.HTTPError) or response is None:
        return None
    if response.status_code >= 400:
        return response.status_code
    try:
        code = parse_json(response.text)["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, int) and not isinstance(code, bool) else integer(str(code))


def is_offline(error: Exception) -> bool:
    """Whether there was no answer, or one that broke off."""
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)
    return isinstance(error, broken)


def seconds_to_wait(error: Exception, tries: int) -> float | None:
    """Seconds to wait after `tries` failed tries in a row; None where another try is useless.

    429 waits as long as the server says (Retry-After), 5xx and a broken connection twice as long each time.
    """
    status = status_of(error)
    if tries >= MAX_TRIES or not (is_offline(error) or status == 429 or (status is not None and status >= 500)):
        return None
    requested = _retry_after(error.response) if isinstance(error, requests.HTTPError) and status == 429 else None
    return min(requested, MAX_RETRY_AFTER) if requested is not None else min(FIRST_WAIT * 2 ** (tries - 1), MAX_WAIT)


def with_retries(call: Callable[[], Result], subject: Subject, wait: Callable[[float], object] = time.sleep) -> Result:
    """Call until it succeeds, waiting `seconds_to_wait` between tries. Raises UserError where another try is useless."""
    tries = 0
    while True:
        try:
            return call()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            tries += 1
            seconds = seconds_to_wait(error, tries)
            if seconds is None:
                raise explain(error, subject) from None
            say_waiting(error, subject, seconds)
            wait(seconds)


def say_waiting(error: Exception, subject: Subject, seconds: float) -> None:
    """Print why and how long a transfer waits."""
    status = status_of(error)
    why = "the connection broke" if status is None else "too many requests" if status == 429 else f"the server fails (HTTP {status})"
    say(f"{subject.name}: {why}; trying again in {seconds:.0f} s")


def explain(error: Exception, subject: Subject) -> UserError:
    """The fault in plain words, with the next step."""
    status = status_of(error)
    host = urlsplit(subject.where).hostname or subject.where
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"the disk is full: {subject.name}",
            where=error.filename or subject.where,
            next=f"free some, or dataset.folder=ANOTHER; {AGAIN}",
        )
    if is_offline(error):
        return UserError(
            f"no connection to {host}: {subject.name}",
            where=subject.where,
            next=f"check the network (and HTTPS_PROXY, where there is a proxy), then {AGAIN}",
        )
    if status is None:
        return UserError(f"{subject.name}: {type(error).__name__}", where=subject.where, next=AGAIN)
    what, next = _REFUSALS.get(status, _other)(subject)
    return UserError(f"{what} (HTTP {status})", where=subject.where, next=next)


def _forbidden(subject: Subject) -> tuple[str, str]:
    if subject.rules:
        step = f'open {subject.rules} , accept the rules ("Late Submission" or "Join Competition" leads there), then run the same command'
        return f"Kaggle refuses {subject.name}: this account has not accepted its rules", step
    if subject.kaggle:
        return f"Kaggle refuses {subject.name}: this account may not see it", f"open {subject.where} in a browser"
    return f"access denied: {subject.name}", "check download.gldv2_url"


def _missing(subject: Subject) -> tuple[str, str]:
    if subject.kaggle:
        return f"Kaggle knows no {subject.name}", "check the name: it is the last part of the page's address"
    return f"not on the server: {subject.name}", "check download.gldv2_url"


_REFUSALS: dict[int, Callable[[Subject], tuple[str, str]]] = {
    401: lambda subject: (f"the credential is not accepted: {subject.name}", f"make a new one on {PAGE}"),
    403: _forbidden,
    404: _missing,
    429: lambda subject: (f"too many requests: {subject.name}", f"wait an hour, then {AGAIN}"),
}


def _other(subject: Subject) -> tuple[str, str]:
    return f"the server fails: {subject.name}", f"wait a while, then {AGAIN}"


def _retry_after(response: requests.Response | None) -> float | None:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, section 10.2.3)."""
    text = "" if response is None else response.headers.get("Retry-After", "")
    seconds = number(text)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
