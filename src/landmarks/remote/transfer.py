"""One file brought from another machine: resumed inside, waited for, never taken for whole before it is."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import requests
import urllib3

from landmarks.remote.faults import Subject, explain, say_waiting, seconds_to_wait
from landmarks.store.files import write_json

PIECE = 1 << 17
TIMEOUT = (15, 120)  # seconds to connect, and between two pieces

Address = Callable[[], requests.PreparedRequest]  # asked anew for each attempt: a signed address is good for a while only


class Stopped(Exception):
    """Another transfer failed, or the user pressed Ctrl-C."""


class Hands:
    """What the transfers that run side by side share: a way to stop them, and the counter of bytes."""

    def __init__(self):
        self._stop, self._lock = threading.Event(), threading.Lock()
        self.counter: Callable[[int], object] = lambda count: None

    def stop(self) -> None:
        self._stop.set()

    def tick(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self.tick()

    def moved(self, count: int) -> None:
        with self._lock:
            self.counter(count)


def plain(url: str) -> Address:
    return lambda: requests.Request("GET", url).prepare()


def size_of(address: Address) -> int | None:
    """The length in bytes that the server states, if it does. Raises requests' errors, as `patiently` takes them."""
    with _send(address(), {"Range": "bytes=0-0"}) as response:
        return _whole_size(response)


def fetched(path: Path) -> int:
    """How many bytes of the file are here: all of it, or a part that can be continued."""
    return _length(path) or (_length(_part(path)) if _state(path).exists() else 0)


def discard(path: Path) -> None:
    for file in (path, _part(path), _state(path)):
        file.unlink(missing_ok=True)


def md5_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch(address: Address, path: Path, subject: Subject, hands: Hands) -> None:
    """Bring the file to `path`, going on where an earlier attempt stopped if the server still has the same file (ETag).

    Raises UserError with the next step where waiting does not help.
    """
    tries = 0
    while True:
        before = _length(_part(path))
        try:
            _go_on(address, path, hands)
            os.replace(_part(path), path)
            _state(path).unlink(missing_ok=True)
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            tries = 1 if _length(_part(path)) > before else tries + 1
            seconds = seconds_to_wait(error, tries)
            if seconds is None:
                raise explain(error, subject) from None
            say_waiting(error, subject, seconds)
            hands.wait(seconds)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise explain(error, subject) from None


def _go_on(address: Address, path: Path, hands: Hands) -> None:
    part, known = _part(path), _read_state(path)
    have = _length(part) if known.get("validator") else 0
    if have and have == known["size"]:
        return
    headers = {"Range": f"bytes={have}-", "If-Range": known["validator"]} if have else {}
    with _send(address(), headers) as response:
        if have and response.status_code != 206:  # another file now, or one that is not served in parts
            hands.moved(-have)
            have = 0
        if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise requests.ConnectionError("another part than the one asked for")
        size = _whole_size(response)
        if have == 0:
            part.unlink(missing_ok=True)
            write_json(_state(path), {"validator": _validator(response), "size": size})
        with open(part, "ab" if have else "wb") as file:
            while piece := response.raw.read1(PIECE):  # what has come so far: nothing is lost when the connection breaks
                hands.tick()
                file.write(piece)
                hands.moved(len(piece))
    if size is not None and _length(part) != size:
        raise requests.ConnectionError(f"{_length(part)} bytes of {size}")


def _send(request: requests.PreparedRequest, headers: dict[str, str]) -> requests.Response:
    request.headers.update({"Accept-Encoding": "identity", **headers})
    session = requests.Session()
    response = session.send(request, timeout=TIMEOUT, **session.merge_environment_settings(request.url, {}, True, None, None))
    if response.status_code == 416:  # what is here is longer than what is there
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
        return int(whole) if whole.isdigit() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _validator(response: requests.Response) -> str | None:
    """What tells two versions of a file apart (RFC 9110, section 13.1.5: a weak ETag will not do)."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _state(path: Path) -> Path:
    return path.with_name(path.name + ".part.json")


def _read_state(path: Path) -> dict:
    try:
        return json.loads(_state(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
