"""What settings say of one another."""

import pytest

from landmarks.config import load_config
from landmarks.errors import UserError


def test_auto_is_refused_for_recognition_with_the_chain_to_type():
    with pytest.raises(UserError, match="best for retrieval.*rerank=discriminate,add_labels"):
        load_config(None, ["rerank=auto", "evaluate.protocol=recognition"])
    assert load_config(None, ["rerank=auto"]).rerank
    assert load_config(None, ["rerank=discriminate,add_labels", "evaluate.protocol=recognition"]).protocol == "recognition"
