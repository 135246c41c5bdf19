"""Every configuration that comes with the project loads, names models that can be built and steps that exist."""

from pathlib import Path

import pytest
import torch

from landmarks.config import chain_names, load_config, step_names
from landmarks.errors import UserError
from landmarks.models.checkpoint import build_model
from landmarks.pipeline import stages_of
from landmarks.stage import STAGES

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_loads_and_its_stages_and_steps_exist(path):
    config = load_config(path)
    assert set(stages_of(config)) <= set(STAGES)
    assert all(step.step in step_names() for step in config.rerank) and len(chain_names(config.rerank)) == len(config.rerank) + 1
    for name in config.models:
        recipe = config.train_of(name)
        assert [recipe.size_in(epoch) for epoch in range(recipe.epochs)] == sorted(recipe.size_in(epoch) for epoch in range(recipe.epochs))


ARCHITECTURES = {(model.backbone, model.local is not None): model for path in FILES for model in load_config(path).models.values()}


@pytest.mark.parametrize("model", ARCHITECTURES.values(), ids=lambda model: f"{model.backbone}{'+local' if model.local else ''}")
def test_its_models_can_be_built(model):
    with torch.device("meta"):  # shapes only
        built = build_model(model.model_copy(update={"pretrained": False}))
    assert model.dimensions in (0, built.dimensions)


def test_each_run_has_a_folder_of_its_own():
    folders = [load_config(path).run.folder for path in FILES]
    assert len(set(folders)) == len(folders)


def test_the_published_weights_of_the_ensemble():
    config = load_config(CONFIGS / "gldv2_ensemble.yaml")
    assert [model.weight for model in config.models.values()] == [0.5, 1, 1, 0.5, 1, 1]
    assert [config.train_of(name).loss for name in config.models] == ["cosface", "arcface", "arcface", "arcface", "arcface", "cosface"]
    assert [config.train_of(name).epochs for name in config.models] == [5, 7, 7, 5, 7, 7]


@pytest.mark.parametrize(
    ("recipe", "words"),
    [("{los: arcface}", "models.a.recipe: los"), ("{epochs: -1}", "models.a.recipe: epochs"), ("{precision: float16}", "train.precision")],
)
def test_a_recipe_of_a_model_s_own_is_checked(recipe, words):
    with pytest.raises(UserError, match=words):
        load_config(None, [f"models.a.recipe={recipe}"])


def test_sizes_grow_in_equal_shares():
    train = load_config(None, ["train.image_size=[64, 96, 128]", "train.epochs=7"]).train
    assert [train.size_in(epoch) for epoch in range(7)] == [64, 64, 64, 96, 96, 128, 128]
    assert load_config(None, ["train.image_size=96", "train.epochs=2"]).train.size_in(1) == 96
    for wrong in (["train.image_size=[64, 96]", "train.epochs=1"], ["train.image_size=[]"], ["train.image_size=[8]"]):
        with pytest.raises(UserError, match="image_size"):
            load_config(None, wrong)


def test_published_recipes_are_what_the_authors_code_does():
    """Yokoo et al.: no mirroring, no clipping, batches of one aspect ratio. Cao et al.: crops alone, clipped at 10."""
    gldv2 = load_config(CONFIGS / "gldv2.yaml").train
    assert (gldv2.augmentation, gldv2.crop_scale, gldv2.clip_norm, gldv2.aspect_batches) == ("yokoo_soft", 0.2, None, True)
    ensemble = load_config(CONFIGS / "gldv2_ensemble.yaml")
    recipes = [ensemble.train_of(name) for name in ensemble.models]
    assert all(recipe.clip_norm is None and recipe.aspect_batches for recipe in recipes)
    soft, middle = ("yokoo_soft", 0.2), ("yokoo_middle", 0.3)
    assert [(recipe.augmentation, recipe.crop_scale) for recipe in recipes] == [soft, middle, middle, soft, middle, middle]
    for name in ("delg_resnet50", "delg_resnet101"):
        delg = load_config(CONFIGS / f"{name}.yaml").train
        assert (delg.augmentation, delg.crop_scale, delg.clip_norm, delg.aspect_batches) == ("delg", 0.92, 10.0, False)
