import shutil
from collections import namedtuple

import pytest

from landmarks.errors import UserError
from landmarks.store.disk import free_bytes, require_space


def test_a_disk_that_is_too_small_is_refused_beforehand(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 10**9))
    assert free_bytes(tmp_path / "not" / "there") == 10**9
    assert require_space(tmp_path, "features", 10**9, "x") == "up to 1 GB of disk, 1 GB are free"
    with pytest.raises(UserError, match="features take up to 1 GB of disk") as caught:
        require_space(tmp_path, "features", 10**9 + 1, "extract.local.storage=int8")
    assert caught.value.next == "extract.local.storage=int8"
