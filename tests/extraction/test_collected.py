import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.extraction.collected import Collected, Found

IDS = [np.array(["a", "b", "c"], object), np.array([], object), np.array(["d", "e"], object)]
ERROR = UserError("damaged", where="d.jpg", next="replace it")


def found(*positions, error=None):
    positions = np.array(positions)
    return Found(positions, None if error else np.stack([positions, -positions], axis=1).astype(np.float32), [], error)


def shards(*parts, on_error="stop"):
    return list(Collected(IDS, 2, local=False).shards(parts, on_error))


def test_shards_come_in_their_order_with_their_pictures_in_theirs():
    one, none, two = shards(found(4, 2), found(1), found(0, 3))
    assert one.ids.tolist() == ["a", "b", "c"] and one.descriptors.tolist() == [[0, 0], [1, -1], [2, -2]]
    assert none.ids.tolist() == [] and none.descriptors.shape == (0, 2)
    assert two.ids.tolist() == ["d", "e"] and two.descriptors[:, 0].tolist() == [3, 4]
    assert one.local is None and one.skipped == {}


def test_an_unreadable_picture_is_left_out_with_its_reason():
    *_, two = shards(found(3, error=ERROR), found(0, 1, 2), found(4), on_error="skip")
    assert two.ids.tolist() == ["e"] and two.skipped == {"d": "damaged"}


def test_an_unreadable_picture_stops_the_run_once_earlier_shards_are_done():
    made = Collected(IDS, 2, local=False).shards([found(3, error=ERROR), found(4), found(0, 2), found(1)], "stop")
    assert next(made).ids.tolist() == ["a", "b", "c"] and len(next(made).ids) == 0
    with pytest.raises(UserError, match="(?s)damaged.*extract.on_error=skip"):
        next(made)


def test_no_picture_at_all():
    (only,) = Collected([np.array([], object)], 0, local=True).shards([], "stop")
    assert only.descriptors is None and only.local == [] and len(only.ids) == 0
