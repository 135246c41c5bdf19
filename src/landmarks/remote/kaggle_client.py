"""The only module that uses Kaggle's client, whose printing, exits and display of headers it suppresses."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

from landmarks.errors import UserError
from landmarks.remote.credentials import HOW_TO, find_credential
from landmarks.remote.faults import Subject, explain, with_retries

SITE = "https://www.kaggle.com"
TIMEOUT = (15, 120)  # seconds to connect, and between two pieces of an answer; the client itself waits for ever


@dataclass(frozen=True)
class Submission:
    """One submission as Kaggle lists it; a score is None until there is one."""

    ref: int
    file_name: str
    description: str
    date: str
    status: str  # pending, complete or error
    public_score: float | None
    private_score: float | None
    error: str


def competition(name: str) -> Subject:
    """How messages name a competition."""
    page = f"{SITE}/competitions/{name}"
    return Subject(f"competition {name}", page, rules=f"{page}/rules", kaggle=True)


def dataset(name: str) -> Subject:
    """How messages name a data set, "owner/name"."""
    return Subject(f"dataset {name}", f"{SITE}/datasets/{name}", kaggle=True)


def connect(wait: Callable[[float], object] = time.sleep) -> Kaggle:
    """The client, authenticated. Raises UserError without a credential, or with one that Kaggle does not accept."""
    credential = find_credential()
    if credential is None:
        raise UserError("Kaggle asks for a credential, and there is none on this machine", next=HOW_TO)
    with _contained():
        api = _client_class()()

    def sign_in() -> None:
        with _contained():
            api.authenticate()

    try:
        with_retries(sign_in, Subject(f"sign in with {credential}", SITE, kaggle=True), wait)
    except SystemExit:
        raise UserError(f"Kaggle does not accept the credential in {credential}", next=HOW_TO) from None
    return Kaggle(api, wait)


class Kaggle:
    """The requests this project makes to Kaggle. Every method raises UserError with the next step: see remote/faults.py."""

    def __init__(self, api: Any, wait: Callable[[float], object] = time.sleep):
        self._api, self._wait = api, wait

    def competition_archive(self, name: str) -> requests.PreparedRequest:
        """The request for the zip of all of a competition's files; its address expires after some hours."""
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = name
        return self._address(lambda client: client.competitions.competition_api_client.download_data_files(request), competition(name))

    def dataset_archive(self, name: str) -> requests.PreparedRequest:
        """The same for a dataset, "owner/name"."""
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = name.split("/")
        return self._address(lambda client: client.datasets.dataset_api_client.download_dataset(request), dataset(name))

    def submit(self, name: str, path: Path, message: str) -> tuple[int, str]:
        """Upload a submission file: (its number at Kaggle, Kaggle's message). Tried once only: a second try might count twice.

        Raises UserError where the upload fails, which the client itself reports as a normal answer.
        """
        try:
            with _contained():
                answer = self._api.competition_submit(str(path), message, name, quiet=True)
        except requests.RequestException as error:
            raise explain(error, competition(name)) from None
        if answer.message == self._api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise UserError(
                "the upload failed: nothing was submitted",
                where=competition(name).where,
                next="run the same command again, or use the page",
            )
        return answer.ref, answer.message

    def submissions(self, name: str, count: int = 20) -> list[Submission]:
        """The latest submissions of this account's team, the newest first."""
        listed = with_retries(lambda: self._api.competition_submissions(name, page_size=count), competition(name), self._wait)
        return [_submission(one) for one in listed or []]

    def submissions_left(self, name: str) -> int:
        """How many submissions the team may still make today (UTC)."""
        limits = with_retries(lambda: self._api.competition_get_submission_limits(name), competition(name), self._wait)
        return limits.num_allowed_now

    def _address(self, call: Callable[[Any], requests.Response], subject: Subject) -> requests.PreparedRequest:
        def ask() -> requests.PreparedRequest:
            with self._api.build_kaggle_client() as client:
                # Only the file's address is wanted: following the redirection would start the download.
                client.http_client()._session.max_redirects = 0
                try:
                    response = call(client)
                except requests.TooManyRedirects as redirected:
                    if redirected.response is None:
                        raise
                    place = urljoin(redirected.response.url, redirected.response.headers["Location"])
                    return requests.Request("GET", place).prepare()
                response.close()
                return response.request

        return with_retries(ask, subject, self._wait)


def _client_class() -> type:
    """Kaggle's client with time limits, and without its printing of headers, which hold the credential."""
    try:
        from kaggle.api.kaggle_api_extended import KaggleApi
    except ImportError as error:
        raise UserError(
            f"Kaggle's client cannot be imported: {error}", where="requirements.txt", next="pip install -r requirements.txt"
        ) from None

    class Client(KaggleApi):
        args = ["--local"] if os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST" else []

        def build_kaggle_client(self):
            client = super().build_kaggle_client()
            client.http_client().__enter__()
            for scheme in ("https://", "http://"):
                client.http_client()._session.mount(scheme, _TimeLimited())
            return client

        def get_response_processor(self):  # it prints that a newer version exists
            return None

    return Client


class _TimeLimited(HTTPAdapter):
    """Requests without a time limit of their own get TIMEOUT."""

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        return super().send(request, stream, timeout or TIMEOUT, verify, cert, proxies)


@contextmanager
def _contained() -> Iterator[None]:
    """Discard what is printed inside: importing the client prints, and an upload prints addresses that contain tokens.

    Standard input is replaced too: the client's exit() closes it.
    """
    typed, sys.stdin = sys.stdin, io.StringIO()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.stdin = typed


def _submission(one: Any) -> Submission:
    return Submission(
        ref=one.ref,
        file_name=one.file_name or "",
        description=one.description or "",
        date=one.date.isoformat() if one.date else "",
        status=one.status.name.lower(),
        public_score=_score(one.public_score),
        private_score=_score(one.private_score),
        error=one.error_description or "",
    )


def _score(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
