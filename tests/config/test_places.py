import pytest

from landmarks.config import load_config
from landmarks.errors import UserError


@pytest.mark.parametrize("key", ["query_frames", "index_frames"])
def test_a_sequence_has_a_frame_in_its_middle(key):
    for odd in (1, 3, 5):
        assert getattr(load_config(None, [f"places.{key}={odd}"]).places, key) == odd
    for wrong, message in ((2, "must be odd"), (0, "greater than or equal to 1")):
        with pytest.raises(UserError, match=message):
            load_config(None, [f"places.{key}={wrong}"])


@pytest.mark.parametrize("wrong", ["metres=0", "degrees=0", "degrees=181", "cities=[]", "subtask=s2s"])
def test_limits_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=f"places.{wrong.partition('=')[0]}"):
        load_config(None, [f"places.{wrong}"])
