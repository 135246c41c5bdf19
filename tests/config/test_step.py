"""What every step has from its base class; those of the package are in test_chain.py, those from outside in tests/rerank."""

import os
import sys

import pytest
from pydantic import ValidationError

from landmarks.config import Step, load_config, step_class, step_names
from landmarks.config.step import unknown_step
from landmarks.errors import UserError


class Plain(Step):
    size: int = 3


def steps(text):
    return load_config(None, [f"rerank={text}"]).rerank


def test_a_step_is_frozen_knows_its_name_and_refuses_unknown_settings():
    step = Plain(size=4)
    assert step.step.endswith("test_step:Plain") and Plain.model_validate({}).step == step.step
    with pytest.raises(ValidationError, match="frozen"):
        step.size = 5
    with pytest.raises(ValidationError, match="Extra inputs"):
        Plain(sise=4)
    assert Plain() == Plain(size=3) != step and hash(Plain()) == hash(Plain(size=3))


def test_a_step_that_says_nothing_verifies_nothing_and_learns_nothing():
    step = Plain()
    assert (step.verified_images, step.training_images, step.searches, step.learns) == (0, 0, False, False)
    assert step.vector_width(7, 9) == 7
    step.require_place((), 10**6)
    for missing in (lambda: step.apply(None, None), lambda: step.training_rows(None, (), 1)):
        with pytest.raises(NotImplementedError, match="Plain"):
            missing()


def test_the_source_of_a_step_is_part_of_its_recipe_unless_it_is_of_the_package():
    (of_package,) = steps("sort")
    assert of_package.recipe() == {"step": "sort", "neighbours": 3} and not of_package.is_from_outside
    recipe = Plain().recipe()
    assert recipe.pop("source") == Plain(size=9).recipe()["source"] and Plain().is_from_outside
    assert recipe == {"step": Plain().step, "size": 3}


def test_what_an_earlier_revision_of_a_step_made_is_made_again(monkeypatch):
    (before,) = (step.recipe() for step in steps("add_labels"))
    monkeypatch.setattr(step_class("add_labels"), "revision", 2)
    (after,) = (step.recipe() for step in steps("add_labels"))
    assert after == before | {"revision": 2} and "revision" not in before


@pytest.mark.parametrize(
    ("step", "width"),
    [
        ("expand_query", 20),
        ("augment_database", 20),
        ("add_labels", 20 + 512),
        ("add_classes", 20 + 512 + 512),
        ("add_communities", 20 + 512),
        ("auto", 64 + 64 + 512 + 2 * 512),
        ("classify", 20 + 256 + 512),
        ("{step: classify, dimensions: 3, label_dimensions: 4}", 27),
        ("discriminate", 64 + 64),
        ("{step: discriminate, dimensions: 5}", 5 + 64),
    ],
)
def test_dimensions_of_the_vectors_that_a_search_makes(step, width):
    (made,) = steps(f"[{step}]")
    assert made.searches and made.vector_width(searched=20, described=64) == width


def test_all_searching_steps_of_the_package_are_in_that_list():
    assert {name for name in step_names() if step_class(name).searches} == {
        "add_classes",
        "add_communities",
        "add_labels",
        "augment_database",
        "auto",
        "classify",
        "discriminate",
        "expand_query",
    }


def test_an_unknown_step_leads_to_the_nearest():
    assert unknown_step("inset") == "unknown step 'inset'; did you mean insert?"
    with pytest.raises(UserError, match=r"unknown step 'inset'") as caught:
        step_class("inset")
    assert "or module:Class" in caught.value.next and all(name in caught.value.next for name in step_names())


def test_a_module_in_the_current_folder_is_found_however_the_program_was_started(tmp_path, monkeypatch):
    (tmp_path / "steps_of_mine.py").write_text(
        "from landmarks.config import Step\nclass Mine(Step):\n    def apply(self, ranking, context):\n        return ranking\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder not in ("", os.getcwd())])
    try:
        assert step_class("steps_of_mine:Mine").__name__ == "Mine"
    finally:
        sys.modules.pop("steps_of_mine", None)


@pytest.mark.parametrize("refused_in", [None, "theirs/config.yaml"])
def test_a_file_that_is_not_trusted_imports_no_module(tmp_path, monkeypatch, refused_in):
    (tmp_path / "ran.py").write_text("raise RuntimeError('this ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="code from outside the package" if refused_in else "cannot be imported: RuntimeError: this ran"):
        step_class("ran:Step", refused_in)
    assert step_class("sort", refused_in).__name__ == "Sort"
