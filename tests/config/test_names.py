import sys
import types

import pytest

from landmarks.config.names import class_in, did_you_mean, module_names, require_known


class Base:
    pass


def test_modules_of_a_folder_are_named_without_being_imported(tmp_path):
    for name in (*(f"{letter}.py" for letter in "cabfed"), "__init__.py", "_private.py", "notes.txt"):
        (tmp_path / name).write_text("raise SystemExit\n")
    assert module_names(tmp_path) == list("abcdef")


def module(monkeypatch, **classes):
    """A module that defines those of the classes that are a tuple of bases, and imports the others."""
    made = types.ModuleType("some_module")
    for name, value in classes.items():
        setattr(made, name, type(name, value, {"__module__": "some_module"}) if isinstance(value, tuple) else value)
    monkeypatch.setitem(sys.modules, "some_module", made)
    return made


def test_the_one_subclass_that_a_module_defines(monkeypatch):
    made = module(monkeypatch, Base=Base, Imported=type("Imported", (Base,), {}), Other=(), Own=(Base,), number=3)
    assert class_in("some_module", Base) is made.Own


@pytest.mark.parametrize("classes", [{}, {"One": (Base,), "Two": (Base,)}])
def test_none_and_several_are_a_mistake_of_the_package(monkeypatch, classes):
    module(monkeypatch, **classes)
    with pytest.raises(ValueError):
        class_in("some_module", Base)


def test_an_unknown_name_is_refused_with_the_nearest_and_all_others():
    assert require_known("loss", "arcface", {"arcface": 1, "cosface": 2}) == "arcface"
    with pytest.raises(ValueError, match=r"^unknown loss 'arcfase'; did you mean arcface\? \(one of arcface, cosface\)$"):
        require_known("loss", "arcfase", ["arcface", "cosface"])


@pytest.mark.parametrize(("typed", "words"), [("srot", "; did you mean sort?"), ("xyz", ""), ("sorted", "; did you mean sort?")])
def test_only_a_name_that_is_like_one_is_a_guess(typed, words):
    assert did_you_mean(typed, (name for name in ("insert", "sort"))) == words
