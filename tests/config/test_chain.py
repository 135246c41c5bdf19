import json

import pytest

from landmarks.config import (
    chain_names,
    first_verifying,
    learning_from_inliers,
    load_config,
    matched_splits,
    step_class,
    step_names,
    verified_images,
)
from landmarks.errors import UserError


def chain(text):
    return load_config(None, [f"rerank={text}"]).rerank


def test_names_alone_are_steps_at_their_defaults():
    assert chain("sort,insert") == chain("[sort, insert]") == chain("[{step: sort}, {step: insert}]")
    assert chain(" sort , insert") == chain("sort,insert")
    assert chain("") == chain("[]") == ()


def test_a_chain_is_dumped_and_read_back_and_can_be_a_key():
    steps = chain("[discriminate, {step: penalise_non_landmarks, landmark_ids: [3]}, {step: verify, top: 7}]")
    again = load_config(None, [f"rerank={json.dumps([step.model_dump(mode='json') for step in steps])}"]).rerank
    assert again == steps and hash(again) == hash(steps) and {steps: 1}[again] == 1
    assert [step.recipe() for step in steps] == [step.model_dump(mode="json") for step in steps]


@pytest.mark.parametrize("name", step_names())
def test_every_step_is_one_class_that_knows_its_name_and_says_its_source(name):
    found = step_class(name)
    assert found.__name__.lower() == name.replace("_", "") and found.apply is not step_class("sort").__mro__[1].apply
    assert len(found.__doc__) > 40
    made = chain(f"[{{step: {name}{', landmark_ids: [1]' if name == 'penalise_non_landmarks' else ''}}}]")[0]
    assert made.step == name and type(made) is found and not made.is_from_outside


def test_what_verifies_and_what_learns_from_it():
    none, both = chain("sort,fuse"), chain("[sort, {step: verify, top: 7}, fuse]")
    assert (matched_splits(none), verified_images(none), first_verifying(none), learning_from_inliers(none)) == ((), 0, 2, [])
    assert matched_splits(both) == ("test", "index", "train") and verified_images(both) == 7
    assert first_verifying(both) == 1 and learning_from_inliers(both) == [2]
    assert matched_splits(chain("fuse,verify")) == ("test", "index")


def test_a_folder_s_name_is_short_and_has_no_slash():
    long = chain("[" + ", ".join(f"{{step: sort, neighbours: {n}}}" for n in range(4, 30)) + "]")
    names = chain_names(long)
    assert len(set(names)) == 27 and max(map(len, names)) <= 160 and not any("/" in name for name in names)


@pytest.mark.parametrize(
    ("neighbours", "steps", "lists"),
    [(3334, "discriminate,fuse", 3), (5001, "fuse", 2), (10_001, "[{step: fuse, classifier: false}]", 1), (5001, "verify,fuse", 2)],
)
def test_more_candidates_than_lightgbm_takes_are_refused(neighbours, steps, lists):
    with pytest.raises(UserError, match=f"candidates of {lists} lists of {neighbours} images.*at most 10,000"):
        load_config(None, [f"search.neighbours={neighbours}", f"rerank={steps}"])
    with pytest.raises(UserError, match="ablate.chains.a: the step fuse ranks"):
        load_config(None, [f"search.neighbours={neighbours}", f"ablate.chains.a={steps}"])
    load_config(None, [f"search.neighbours={10_000 // lists}", f"rerank={steps}"])
