import sys

import pytest

from landmarks.doctor import probes
from landmarks.doctor.probes import Broken, probe


def test_probes_ask_the_libraries_themselves():
    assert probe("faiss")["works"] is True


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("echo 'OSError: libtorch.so is cut off' >&2; exit 1", "libtorch.so is cut off"),
        ("kill -SEGV $$", "ended with code -11"),
        ("echo not json", "no sensible answer"),
        ("sleep 5", "no answer within"),
    ],
)
def test_a_library_that_crashes_its_process_is_a_message(tmp_path, monkeypatch, python, words):
    """python: a shell script in the place of the interpreter."""
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/bash\n{python}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setattr(probes, "SECONDS", 1)
    with pytest.raises(Broken, match=words):
        probe("torch")


def test_models_are_built_and_an_unknown_one_is_named():
    facts = probe("models", '{"a": "efficientnet_lite0"}')["a"]
    assert facts["channels"] == 1280 and facts["weights"] == "here"
    with pytest.raises(Broken, match="timm knows no architecture 'resnet1001'"):
        probe("models", '{"a": "resnet1001"}')
