import os
import socket
import threading

import pytest

from landmarks.errors import UserError
from landmarks.reading import open_regular, read_bytes, read_text, require_regular


@pytest.fixture
def odd(tmp_path):
    """Name -> path of everything in a folder that is no regular file, links to it included."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(tmp_path / "socket"))
    for name, target in {"link to fifo": "fifo", "zero": "/dev/zero", "null": "/dev/null", "loop": "loop", "to folder": "folder"}.items():
        (tmp_path / name).symlink_to(target)
    yield sorted(path for path in tmp_path.iterdir())
    bound.close()


def test_what_is_no_regular_file_is_refused_at_once(odd):
    assert len(odd) == 8
    for path in [*odd, "/dev/zero"]:
        for read in (open_regular, require_regular, read_bytes, read_text):
            found = []
            thread = threading.Thread(target=lambda: found.append(pytest.raises(UserError, read, path)), daemon=True)  # noqa: B023
            thread.start()
            thread.join(5)
            assert found, f"{read.__name__} waits for {path}"
            assert found[0].value.where == path and found[0].value.next


def test_regular_files_are_read_through_links(tmp_path):
    (tmp_path / "text").write_text("ä\r\n", encoding="utf-8", newline="")
    (tmp_path / "link").symlink_to("text")
    assert read_text(tmp_path / "link") == "ä\r\n"
    with open_regular(tmp_path / "link") as file:
        assert file.read() == "ä\r\n".encode()


def test_missing_files_stay_what_they_are_to_the_caller(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    with pytest.raises(NotADirectoryError):
        open_regular(tmp_path / "file" / "below")
    for path in ("a\0b", tmp_path / ("x" * 5000)):
        with pytest.raises(UserError, match="cannot be read"):
            open_regular(path)


def test_reading_is_bounded_whatever_the_file_says_of_itself(tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="more than 1,000 bytes"):
        read_bytes(path, 1000)
    path.write_bytes(bytes(1000))
    assert read_bytes(path, 1000) == bytes(1000)
    if os.path.exists("/proc/self/status"):  # its size is said to be 0
        assert read_text("/proc/self/status").startswith("Name:")
