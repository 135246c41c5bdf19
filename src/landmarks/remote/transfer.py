"""Downloads one file: resumed where it broke off, retried, and given its final name only when complete."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import requests
import urllib3

from landmarks.reading import open_regular, read_text
from landmarks.remote.faults import Subject, explain, say_waiting, seconds_to_wait
from landmarks.store.cells import integer
from landmarks.store.files import write_json
from landmarks.store.json_files import parse_object

PIECE = 1 << 17
TIMEOUT = (15, 120)  # seconds to connect, and between two pieces

Address = Callable[[], requests.PreparedRequest]  # called again for each attempt: a signed address expires


class Stopped(Exception):
    """Another transfer failed, or the user pressed Ctrl-C."""


class TransferControl:
    """Shared by all parallel transfers: stops them, and counts their bytes (`counter` is called with each number)."""

    def __init__(self):
        self._stop, self._lock = threading.Event(), threading.Lock()
        self.counter: Callable[[int], object] = lambda count: None

    def stop(self) -> None:
        """Make every transfer raise Stopped at its next check."""
        self._stop.set()

    def check(self) -> None:
        """Raise Stopped after `stop`."""
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep; raise Stopped as soon as `stop` is called."""
        self._stop.wait(seconds)
        self.check()

    def moved(self, count: int) -> None:
        """Count `count` bytes more, or less where it is negative."""
        with self._lock:
            self.counter(count)


def plain(url: str) -> Address:
    """The address of a file that needs no sign-in."""
    return lambda: requests.Request("GET", url).prepare()


def size_of(address: Address) -> int | None:
    """The length in bytes that the server states, if it does. Raises the errors of requests that `with_retries` handles."""
    with _send(address(), {"Range": "bytes=0-0"}) as response:
        return _whole_size(response)


def fetched(path: Path) -> int:
    """How many bytes of the file are on this disk: all of it, or a part that can be resumed."""
    return _length(path) or (_length(_part(path)) if _state(path).exists() else 0)


def discard(path: Path) -> None:
    """Delete the file, or what has been fetched of it."""
    for file in (path, _part(path), _state(path)):
        file.unlink(missing_ok=True)


def md5_of(path: Path) -> str:
    """The MD5 of a file in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch(address: Address, path: Path, subject: Subject, control: TransferControl) -> None:
    """Download the file to `path`, resuming an earlier attempt if the server still has the same file (ETag).

    Raises UserError with the next step where retrying does not help, and Stopped.
    """
    tries = 0
    while True:
        before = _length(_part(path))
        try:
            _resume(address, path, control)
            os.replace(_part(path), path)
            _state(path).unlink(missing_ok=True)
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            tries = 1 if _length(_part(path)) > before else tries + 1
            seconds = seconds_to_wait(error, tries)
            if seconds is None:
                raise explain(error, subject) from None
            say_waiting(error, subject, seconds)
            control.wait(seconds)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise explain(error, subject) from None


def _resume(address: Address, path: Path, control: TransferControl) -> None:
    part, known = _part(path), _read_state(path)
    have = _length(part) if known.get("validator") else 0
    if have and have == known["size"]:
        return
    headers = {"Range": f"bytes={have}-", "If-Range": known["validator"]} if have else {}
    with _send(address(), headers) as response:
        if have and response.status_code != 206:  # the file has changed, or the server does not serve parts
            control.moved(-have)
            have = 0
        if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise requests.ConnectionError("another part than the one asked for")
        size = _whole_size(response)
        if have == 0:
            part.unlink(missing_ok=True)
            write_json(_state(path), {"validator": _validator(response), "size": size})
        with open(part, "ab" if have else "wb") as file:
            while piece := response.raw.read1(PIECE):  # what has arrived so far: nothing is lost when the connection breaks
                control.check()
                file.write(piece)
                control.moved(len(piece))
    if size is not None and _length(part) != size:
        raise requests.ConnectionError(f"{_length(part)} bytes of {size}")


def _send(request: requests.PreparedRequest, headers: dict[str, str]) -> requests.Response:
    request.headers.update({"Accept-Encoding": "identity", **headers})
    session = requests.Session()
    response = session.send(request, timeout=TIMEOUT, **session.merge_environment_settings(request.url or "", {}, True, None, None))
    if response.status_code == 416:  # the part on this disk is longer than the server's file
        response.close()
        return _send(request, {key: value for key, value in headers.items() if key not in ("Range", "If-Range")})
    try:
        response.raise_for_status()
    except requests.HTTPError:
        response.close()
        raise
    return response


def _whole_size(response: requests.Response) -> int | None:
    if response.status_code == 206:
        whole = response.headers.get("Content-Range", "").rpartition("/")[2]
        return _count(whole)
    length = response.headers.get("Content-Length", "")
    return _count(length)


def _count(text: str) -> int | None:
    """A number of bytes in a header, if it is one."""
    value = integer(text)
    return value if value is not None and value >= 0 else None


def _validator(response: requests.Response) -> str | None:
    """The tag that identifies a version of the file (RFC 9110, section 13.1.5: not a weak ETag), else the date of its last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _state(path: Path) -> Path:
    return path.with_name(path.name + ".part.json")


def _read_state(path: Path) -> dict:
    try:
        shape = {"validator": (str, type(None)), "size": (int, type(None))}
        return parse_object(read_text(_state(path)), shape)
    except (FileNotFoundError, ValueError):
        return {}


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
