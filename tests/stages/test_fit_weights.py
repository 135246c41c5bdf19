import shutil

import numpy as np
import pytest
from toy_training import configure, make_photos

from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.stages.extract import extract
from landmarks.stages.fit_weights import fit_weights
from landmarks.stages.train import train

MODELS = ("a", "b")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The photos, two of which are also index and query under other names."""
    folder = make_photos(tmp_path_factory.mktemp("toy"))
    ids = [line.split(",")[0] for line in (folder / "train.csv").read_text().splitlines()[1:3]]
    for split, id in zip(("index", "test"), ids, strict=True):
        path = image_path(folder, split, f"{split}00001")
        path.parent.mkdir(parents=True)
        shutil.copyfile(image_path(folder, "train", id), path)
        (folder / f"{split}.csv").write_text(f"id\n{split}00001\n")
    return folder


def made(dataset, folder, **settings):
    config = configure(dataset, folder, models=MODELS, epochs=1, **settings)
    config = config.model_copy(update={"extract": config.extract.model_copy(update={"longest_side": 48, "scales": (1.0,), "workers": 0})})
    train(config)
    extract(config)
    return config


def test_the_weights_are_printed_as_they_are_typed(dataset, tmp_path, capsys):
    config = made(dataset, tmp_path, validation_images=18)
    fitted = fit_weights(config)
    printed = capsys.readouterr().out
    assert "18 held-out images in 30 of train" in printed and len(fitted.alone) == 2
    assert "models.a.weight=" in printed and "models.b.weight=" in printed and "equal weights" in printed


def test_held_out_landmarks_are_searched_among_themselves_and_the_others(dataset, tmp_path, capsys):
    fit_weights(made(dataset, tmp_path, validation_images=12, validation="landmarks"))
    assert "16 held-out images in 48 of train" in capsys.readouterr().out


def test_models_that_know_all_images_are_refused(dataset, tmp_path):
    config = made(dataset, tmp_path)
    with pytest.raises(UserError, match="(?s)no training images are held out.*validation_images=500.*train"):
        fit_weights(config)
    asked = config.model_copy(update={"train": config.train.model_copy(update={"validation_images": 18})})
    with pytest.raises(UserError, match="'a' was trained on 48 images, not without those held out"):
        fit_weights(asked)


def with_train(config, **settings):
    return config.model_copy(update={"train": config.train.model_copy(update=settings)})


def test_models_of_other_held_out_images_are_refused(dataset, tmp_path):
    """By every one of these settings the number of images that are trained on is the same."""
    config = made(dataset, tmp_path, validation_images=18, validation_gallery=30)
    with pytest.raises(UserError, match=r"(?s)'a' was trained with train.seed=0 \(now 1\).*models.a.recipe.seed=0"):
        fit_weights(with_train(config, seed=1))
    with pytest.raises(UserError, match=r"'a' was trained with train.validation_gallery=30 \(now 29\)"):
        fit_weights(with_train(config, validation_gallery=29))
    one = config.models["b"].model_copy(update={"recipe": {"seed": 1}})
    with pytest.raises(UserError, match="'b' was trained with train.seed=0"):
        fit_weights(config.model_copy(update={"models": config.models | {"b": one}}))


def test_a_model_that_was_taken_over_is_asked_what_it_was_trained_on(dataset, tmp_path):
    first = made(dataset, tmp_path / "first", validation_images=18, seed=1)
    models = {name: model.model_copy(update={"checkpoint": tmp_path / "first/models" / name}) for name, model in first.models.items()}
    here = configure(dataset, tmp_path / "here", models=MODELS, epochs=1, validation_images=18)
    here = here.model_copy(update={"models": models, "extract": first.extract})
    train(here)
    extract(here)
    with pytest.raises(UserError, match=r"'a' was trained with train.seed=1 \(now 0\)"):
        fit_weights(here)
    np.testing.assert_array_equal(fit_weights(with_train(here, seed=1)).alone, fit_weights(first).alone)
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="(?s)which images 'a' was trained on is not known.*models.a.checkpoint=FOLDER"):
        fit_weights(with_train(here, seed=1))


def test_another_table_of_as_many_images_is_refused(dataset, tmp_path):
    config = made(dataset, tmp_path, validation_images=18)
    head, *rows = (dataset / "train.csv").read_text().splitlines()
    (dataset / "other.csv").write_text("\n".join([head, *rows[::-1]]) + "\n")
    other = config.model_copy(update={"dataset": config.dataset.model_copy(update={"train_table": "other.csv"})})
    with pytest.raises(UserError, match="'a' was trained on another table"):
        fit_weights(other)


def test_one_model_has_no_weight_to_fit(dataset, tmp_path):
    with pytest.raises(UserError, match="two models"):
        fit_weights(configure(dataset, tmp_path))


def test_few_held_out_images_are_refused(dataset, tmp_path):
    with pytest.raises(UserError, match="(?s)6 images.*too few.*validation_images=500"):
        fit_weights(made(dataset, tmp_path, validation_images=6))


def test_images_that_were_known_before_a_model_started_are_left_out(dataset, tmp_path, capsys):
    (first,) = train(configure(dataset, tmp_path / "first", models=("first",), epochs=1, validation_images=20))
    config = made(dataset, tmp_path / "run", validation_images=24, start_from=str(first))
    fit_weights(config)
    said = capsys.readouterr().out
    assert "4 of 24 held-out images were trained on before 'a' started" in said and "20 held-out images in 24 of train" in said
