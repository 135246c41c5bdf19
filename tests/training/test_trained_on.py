import json

import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.artefact import fingerprint_of_file
from landmarks.training.held_out import hold_out
from landmarks.training.trained_on import known_before, manifest_of_training

IDS = [f"{n:010x}" for n in range(40)]
LABELS = np.arange(40) // 8


@pytest.fixture
def tables(tmp_path):
    """all.csv, and few.csv with the first half of its rows."""
    for name, count in (("all", 40), ("few", 20)):
        rows = [f"{id},{label}" for id, label in zip(IDS[:count], LABELS, strict=False)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,landmark_id", *rows]) + "\n")
    return tmp_path


@pytest.fixture
def trained(tables):
    """trained(name, table, start, classes, **settings): the folder of a model whose manifest says that it was trained like that."""

    def make(name, table="all.csv", start=None, classes=5, **settings):
        folder = tables / "models" / name
        folder.mkdir(parents=True)
        inputs, facts = {table: fingerprint_of_file(tables / table)}, {"images": 1, "classes": classes}
        if (clean := settings.get("clean_table")) is not None:
            inputs[clean] = fingerprint_of_file(tables / clean)
        if start is not None:
            made = json.loads((start / "manifest.json").read_text())["fingerprint"] if start.is_dir() else fingerprint_of_file(start)
            inputs, facts = inputs | {"start_from": made}, facts | {"start_from": str(start)}
        made = {"stage": "train", "settings": {"train": settings}, "inputs": inputs, "fingerprint": f"of {name}", "seconds": 1.0}
        (folder / "manifest.json").write_text(json.dumps(made | facts))
        return folder

    return make


def known(folder, tables, source=None):
    return known_before("a", manifest_of_training(folder, None), source, tables).tolist()


def test_what_a_model_started_from_knows_all_that_it_was_trained_on(tables, trained):
    first = trained("first")
    assert known(first, tables) == []
    assert known(trained("second", start=first), tables) == IDS


def test_but_not_what_it_held_out(tables, trained):
    first = trained("first", validation_images=12, seed=3)
    held = hold_out(LABELS, 12, 10_000, landmarks=False, seed=3)
    assert known(trained("second", start=first, seed=4), tables) == [IDS[row] for row in held.training]
    landmarks = trained("landmarks", validation_images=12, validation="landmarks")
    held = hold_out(LABELS, 12, 10_000, landmarks=True, seed=0)
    assert known(trained("third", start=landmarks), tables) == [IDS[row] for row in held.training]


def test_the_trainings_before_count_together_each_with_its_own_table(tables, trained):
    first = trained("first", table="few.csv")
    second = trained("second", start=first, validation_images=12, clean_table="few.csv")
    held = hold_out(LABELS, 12, 10_000, landmarks=False, seed=0)
    expected = sorted({*IDS[:20], *(IDS[row] for row in held.training)})
    assert known(trained("third", start=second), tables) == expected and len(expected) < 40
    assert known(trained("of few", start=trained("few", table="few.csv", overfit=4)), tables) == IDS[:20:5]


def test_weights_that_no_training_touched_know_nothing(tables, trained):
    assert known(trained("second", start=trained("untouched", classes=0)), tables) == []


def test_weights_of_somebody_else_are_named(tables, trained, capsys):
    (tables / "published.safetensors").write_bytes(b"weights")
    assert known(trained("second", start=tables / "published.safetensors"), tables) == []
    assert f"which images {tables / 'published.safetensors'} was trained on, where 'a' started, is not known" in capsys.readouterr().out


def test_the_weights_of_a_model_folder_are_that_model(tables, trained, capsys):
    first = trained("first", table="few.csv")
    (first / "model.safetensors").write_bytes(b"weights")
    assert known(trained("second", start=first / "model.safetensors"), tables) == IDS[:20] and not capsys.readouterr().out


def test_weights_that_have_moved_are_asked_for(tables, trained):
    first = trained("first")
    second = trained("second", start=first)
    moved = first.rename(tables / "elsewhere")
    with pytest.raises(UserError, match="(?s)which images 'a' was trained on is not known.*models.a.recipe.start_from=PLACE"):
        known(second, tables)
    assert known(second, tables, moved) == IDS
    other = trained("other")
    with pytest.raises(UserError, match="gone, or others"):
        known(second, tables, other)


def test_a_training_on_another_table_is_named(tables, trained, capsys):
    second = trained("second", start=trained("first", table="few.csv"))
    (tables / "few.csv").write_text("id,landmark_id\n")
    assert known(second, tables) == []
    said = capsys.readouterr().out.replace("\n", " ")
    assert "first, which was trained on another few.csv than" in said and "its weight is too large" in said
