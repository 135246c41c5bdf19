"""Items of a download, built as short as a test needs them."""

import pytest

from landmarks.remote.faults import Subject
from landmarks.remote.items import Item
from landmarks.remote.transfer import plain


@pytest.fixture
def make_item():
    """make_item(name, url, **more): an item of the group "files"."""

    def make(name, url="http://127.0.0.1:9/none", **more):
        return Item(name, more.pop("group", "files"), Subject(name, url), more.pop("address", plain(url)), **more)

    return make
