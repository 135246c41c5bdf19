"""What `import landmarks` offers: listed, documented, with examples that run."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest

import landmarks as lm

MODULES = ["landmarks", "landmarks.api.arrays", "landmarks.api.pairs", "landmarks.api.run"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0 and (tried > 0 or name in ("landmarks", "landmarks.api.run"))


@pytest.mark.parametrize("name", sorted(set(lm.__all__) - {"__version__"}))
def test_every_public_name_is_there_documented_and_in_the_overview(name):
    value = getattr(lm, name)
    assert inspect.getdoc(value) and name in dir(lm)
    assert name in lm.__doc__ or name in ("Run", "Features")


def test_the_public_names_hide_no_room_of_the_package():
    code = "import landmarks, landmarks.search, landmarks.rerank, landmarks.metrics, types; "
    code += "print(all(isinstance(getattr(landmarks, name), types.ModuleType) for name in ('search', 'rerank', 'metrics')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lm.nothing  # noqa: B018
