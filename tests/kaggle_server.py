"""A server on this machine that speaks what Kaggle's client speaks, and serves files slowly or badly where a test asks for it."""

import base64
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "a-token-that-nobody-may-see"
KEY = "a-key-that-nobody-may-see"


@dataclass
class Fault:
    """The next `times` requests whose path holds `path` are answered with `status`."""

    path: str
    status: int
    times: int = 1
    headers: dict = field(default_factory=dict)


class KaggleServer:
    def __init__(self):
        self.files = {}  # path -> bytes, by GET and HEAD, in ranges
        self.competitions = {}  # name -> path of its archive
        self.datasets = {}
        self.faults, self.cuts = [], {}  # cuts: path -> bytes after which the connection breaks, once
        self.bytes_per_second = None
        self.tells_length, self.redirects = True, True
        self.upload_status = 200
        self.submissions, self.uploads = [], []
        self.left = 5
        self.at_once, self.most_at_once = 0, 0  # files that are being sent
        self.requests = []  # (method, path, first byte asked for, bytes sent)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                _serve_file(server, self)

            do_HEAD = do_GET

            def do_POST(self):
                _answer(server, self)

            def do_PUT(self):
                _take_upload(server, self)

            def log_message(self, *arguments):
                pass

        self._http = _Server(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def bytes_sent(self, part=""):
        return sum(sent for method, path, _, sent in self.requests if method == "GET" and part in path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that go away in the middle are what is tested."""


def _fault(server, handler):
    for fault in server.faults:
        if fault.path in handler.path and fault.times > 0:
            fault.times -= 1
            _send(handler, fault.status, b"{}", fault.headers)
            return True
    return False


def _send(handler, status, body, headers=()):
    handler.send_response(status)
    for key, value in dict(headers).items():
        handler.send_header(key, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def _serve_file(server, handler):
    record = [handler.command, handler.path, 0, 0]
    server.requests.append(record)
    if _fault(server, handler):
        return
    content = server.files.get(handler.path)
    if content is None:
        _send(handler, 404, b"")
        return
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    tag = f'"{hashlib.md5(content).hexdigest()}"'
    if asked and handler.headers.get("If-Range", tag) != tag:
        asked = None
    start = int(asked[1]) if asked else 0
    stop = int(asked[2]) + 1 if asked and asked[2] else len(content)
    if asked and start >= len(content):
        _send(handler, 416, b"")
        return
    record[2] = start
    if not server.tells_length:
        asked, start, stop = None, 0, len(content)
    handler.send_response(206 if asked else 200)
    if server.tells_length:
        handler.send_header("Content-Length", str(stop - start))
    else:
        handler.send_header("Connection", "close")
    if asked:
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("ETag", tag)
    handler.end_headers()
    if handler.command == "HEAD":
        return
    server.at_once += stop - start > 1
    server.most_at_once = max(server.most_at_once, server.at_once)
    end = min(server.cuts.pop(handler.path, stop) if stop - start > 1 else stop, stop)
    for position in range(start, end, 4096):
        piece = content[position : min(position + 4096, end)]
        record[3] += len(piece)
        try:
            handler.wfile.write(piece)
        except OSError:
            record[3] -= len(piece)
            break
        if server.bytes_per_second:
            time.sleep(len(piece) / server.bytes_per_second)
    server.at_once -= stop - start > 1
    if end < stop:
        handler.close_connection = True


def _answer(server, handler):
    body = json.loads(handler.rfile.read(int(handler.headers.get("Content-Length", 0))) or b"{}")
    server.requests.append(["POST", handler.path, 0, 0])
    if _fault(server, handler):
        return
    method = handler.path.rsplit("/", 1)[1]
    if method == "IntrospectToken":
        known = body.get("token") == TOKEN
        _json(handler, {"active": known, "username": "someone"} if known else {"active": False})
        return
    basic = "Basic " + base64.b64encode(f"someone:{KEY}".encode()).decode()
    if handler.headers.get("Authorization") not in (f"Bearer {TOKEN}", basic):
        _send(handler, 401, b"{}", {"Content-Type": "application/json"})
        return
    name = body.get("competitionName") or f"{body.get('ownerSlug')}/{body.get('datasetSlug')}"
    if name not in server.competitions and name not in server.datasets:
        _send(handler, 404, b"{}", {"Content-Type": "application/json"})
        return
    _METHODS[method](server, handler, body, name)


def _json(handler, value):
    _send(handler, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _redirect(server, handler, body, name):
    path = (server.competitions | server.datasets)[name]
    if not server.redirects:
        handler.path = path
        _serve_file(server, handler)
        return
    _send(handler, 302, b"", {"Location": f"{server.url}{path}"})


def _start_upload(server, handler, body, name):
    _json(handler, {"token": "blob", "createUrl": f"{server.url}/upload/{body['fileName']}"})


def _create(server, handler, body, name):
    server.submissions.insert(
        0,
        {
            "ref": 100 + len(server.submissions),
            "fileName": "submission.csv",
            "description": body.get("submissionDescription", ""),
            "date": "2026-01-02T03:04:05.678Z",
            "status": "PENDING",
        },
    )
    server.left -= 1
    _json(handler, {"message": "Successfully submitted", "ref": server.submissions[0]["ref"]})


def _list(server, handler, body, name):
    _json(handler, {"submissions": server.submissions[: body.get("pageSize", 20)]})


def _limits(server, handler, body, name):
    _json(handler, {"numAllowedNow": server.left})


_METHODS = {
    "DownloadDataFiles": _redirect,
    "DownloadDataset": _redirect,
    "StartSubmissionUpload": _start_upload,
    "CreateSubmission": _create,
    "ListSubmissions": _list,
    "GetSubmissionLimits": _limits,
}


def _take_upload(server, handler):
    length = handler.headers.get("Content-Length")
    body = handler.rfile.read(int(length)) if length else _chunks(handler.rfile)
    if server.upload_status < 300:
        server.uploads.append(body)
    _send(handler, server.upload_status, b"")


def _chunks(stream):
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
