"""Training images that cannot be read, that are removed from the table, and that count less."""

import json
import shutil

import numpy as np
import pytest
import torch
from toy_training import configure, cut_off_at, make_photos, weights

from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.search.origins import require_model_of_table
from landmarks.seeds import seed_of
from landmarks.stages import train as stage
from landmarks.stages.train import train
from landmarks.store.artefact import fingerprint_of_file
from landmarks.training import hardware
from landmarks.training.held_out import hold_out

DAMAGED = 5  # its row


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 1)  # a busy machine makes threads of one step wait for each other


@pytest.fixture
def photos(tmp_path):
    """The folder of a dataset of 48 photos, and their ids."""
    folder = make_photos(tmp_path / "data")
    return folder, [row.split(",")[0] for row in (folder / "train.csv").read_text().splitlines()[1:]]


def damage(folder, id):
    path = image_path(folder, "train", id)
    path.write_bytes(path.read_bytes()[:300])


def remove_row(folder, id):
    table = folder / "train.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if not line.startswith(id)))


def manifest(run):
    return json.loads((run / "models" / "tiny" / "manifest.json").read_text())


def test_damaged_and_missing_pictures_are_skipped_and_listed(photos, tmp_path, capsys):
    folder, ids = photos
    damage(folder, ids[DAMAGED])
    image_path(folder, "train", ids[7]).unlink()
    train(configure(folder, tmp_path / "run", on_error="skip", epochs=1))
    out = capsys.readouterr().out
    assert f"1 of 48 images are missing, first '{ids[7]}': others stand in their places" in out
    assert f"skipped '{ids[DAMAGED]}': damaged" in out and "another image stands in its place" in out
    assert "2 images skipped, listed in" in out
    skipped = manifest(tmp_path / "run")["skipped"]
    assert skipped.keys() == {ids[DAMAGED], ids[7]} and "damaged" in skipped[ids[DAMAGED]] and "missing" in skipped[ids[7]]
    assert not {"skipped.jsonl", "begun.csv"} & {path.name for path in (tmp_path / "run" / "models" / "tiny").iterdir()}


def test_without_any_picture_nothing_is_skipped(photos, tmp_path):
    folder, ids = photos
    shutil.rmtree(folder / "train")
    with pytest.raises(UserError, match="48 of 48 train images are missing"):
        train(configure(folder, tmp_path / "run", on_error="skip"))


def test_a_missing_picture_stops_before_the_first_step_with_the_ways_on(photos, tmp_path):
    folder, ids = photos
    image_path(folder, "train", ids[7]).unlink()
    with pytest.raises(UserError, match="1 of 48 train images are missing") as raised:
        train(configure(folder, tmp_path / "run"))
    assert "remove the rows" in raised.value.next and raised.value.next.endswith("or train.on_error=skip")
    assert not (tmp_path / "run" / "models").exists()


def test_told_to_skip_it_the_training_goes_on_as_if_it_had_been_told_before(photos, tmp_path, capsys):
    folder, ids = photos
    settings = {"checkpoint_minutes": 0}
    damaged = ids[np.random.default_rng(seed_of(0, "order", 0)).permutation(48)[-1]]  # the last image of the first epoch
    damage(folder, damaged)
    train(configure(folder, tmp_path / "whole", on_error="skip", **settings))
    with pytest.raises(UserError, match=damaged) as raised:
        train(configure(folder, tmp_path / "run", **settings))
    assert raised.value.next.endswith("train.on_error=skip; the same command then goes on")
    capsys.readouterr()
    train(configure(folder, tmp_path / "run", on_error="skip", **settings))
    assert "train tiny: continues after step 3 of 8" in capsys.readouterr().out
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert list(manifest(tmp_path / "run")["skipped"]) == [damaged]


def test_removing_its_row_keeps_the_checkpoint_and_the_order_of_the_others(photos, tmp_path, monkeypatch, capsys):
    """The same weights as where the picture was skipped from the start."""
    folder, ids = photos
    settings = {"checkpoint_minutes": 0, "sampler": "square_root", "aspect_batches": True}
    damage(folder, ids[DAMAGED])
    train(configure(folder, tmp_path / "whole", on_error="skip", **settings))
    cut_off_at(5, monkeypatch, configure(folder, tmp_path / "run", on_error="skip", **settings))
    remove_row(folder, ids[DAMAGED])
    image_path(folder, "train", ids[DAMAGED]).unlink()
    config = configure(folder, tmp_path / "run", **settings)
    capsys.readouterr()
    train(config)
    assert "train tiny: continues after step 5 of 8" in capsys.readouterr().out
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(one[name], other[name]) for name in one)
    made = manifest(tmp_path / "run")
    assert list(made["skipped"]) == [ids[DAMAGED]] and made["inputs"] == {"train.csv": fingerprint_of_file(folder / "train.csv")}
    train(config)
    assert "up to date" in capsys.readouterr().out


def test_removing_its_row_afterwards_keeps_the_model(photos, tmp_path, capsys):
    folder, ids = photos
    damage(folder, ids[DAMAGED])
    config = configure(folder, tmp_path / "run", on_error="skip", epochs=1)
    train(config)
    made = weights(tmp_path / "run")
    remove_row(folder, ids[DAMAGED])
    capsys.readouterr()
    for same in (config, configure(folder, tmp_path / "run", epochs=1)):
        train(same)
        assert capsys.readouterr().out == "train tiny: up to date\n"
    assert all(torch.equal(made[name], tensor) for name, tensor in weights(tmp_path / "run").items())
    assert require_model_of_table(tmp_path / "run" / "models" / "tiny", folder, "train.csv")["skipped"]
    table = (folder / "train.csv").read_text()
    remove_row(folder, ids[0])  # it was trained on
    with pytest.raises(UserError, match="made with other settings: inputs.train.csv"):
        train(config)
    (folder / "train.csv").write_text(table)
    other = configure(folder, tmp_path / "run", epochs=2).model_copy(update={"run": config.run.model_copy(update={"overwrite": True})})
    train(other)
    assert manifest(tmp_path / "run")["inputs"] == {"train.csv": fingerprint_of_file(folder / "train.csv")}
    capsys.readouterr()
    train(configure(folder, tmp_path / "run", epochs=2))
    assert "up to date" in capsys.readouterr().out


def test_a_table_that_is_edited_while_images_are_skipped_is_another(photos, tmp_path, monkeypatch):
    folder, ids = photos
    damage(folder, ids[DAMAGED])
    config = configure(folder, tmp_path / "run", on_error="skip", epochs=1)
    run_training = stage.run_training

    def edited_meanwhile(*given):
        remove_row(folder, ids[0])
        return run_training(*given)

    monkeypatch.setattr(stage, "run_training", edited_meanwhile)
    train(config)
    with pytest.raises(UserError, match="made with other settings: inputs.train.csv"):
        train(config)


def test_added_and_changed_rows_are_another_training(photos, tmp_path, monkeypatch):
    folder, ids = photos
    config = configure(folder, tmp_path / "run", checkpoint_minutes=0)
    cut_off_at(2, monkeypatch, config)
    table = (folder / "train.csv").read_text()
    shutil.copy(image_path(folder, "train", ids[0]), image_path(folder, "train", f"{ids[0]}x"))
    for changed in (table + f"{ids[0]}x,1000\n", table.replace(",1000", ",1", 1)):
        (folder / "train.csv").write_text(changed)
        with pytest.raises(UserError, match="made with other settings: inputs.train.csv"):
            train(config)
    (folder / "train.csv").write_text(table)
    train(config)
    assert "skipped" not in manifest(tmp_path / "run")


def test_images_that_are_not_clean_count_less(photos, tmp_path):
    """With weight 0 their labels do not matter."""
    folder, ids = photos
    rows = [row.split(",") for row in (folder / "train.csv").read_text().splitlines()]
    settings = {"clean_table": "clean.csv", "unclean_weight": 0.0, "epochs": 1}

    def write(name, rows):
        (folder / name).write_text("".join(",".join(row) + "\n" for row in rows))

    write("clean.csv", rows[:1] + rows[1::2])
    train(configure(folder, tmp_path / "one", **settings))
    train(configure(folder, tmp_path / "all", epochs=1))
    rows[2][1], rows[20][1] = rows[20][1], rows[2][1]  # neither is clean
    write("train.csv", rows)
    train(configure(folder, tmp_path / "two", **settings))
    one, two, everything = (weights(tmp_path / name)["head.0.weight"] for name in ("one", "two", "all"))
    assert torch.equal(one, two) and not torch.allclose(one, everything)
    assert manifest(tmp_path / "one")["inputs"].keys() == {"train.csv", "clean.csv"}


def test_a_held_out_picture_that_is_skipped_is_listed_too(photos, tmp_path):
    folder, ids = photos
    labels = np.repeat(np.arange(6)[::-1], 8)  # the last landmark of the table has the lowest number
    held = hold_out(labels, 12, 1000, landmarks=False, seed=0).queries
    damage(folder, ids[held[0]])
    train(configure(folder, tmp_path / "run", on_error="skip", epochs=1, validation_images=12))
    assert list(manifest(tmp_path / "run")["skipped"]) == [ids[held[0]]]


def test_held_out_images_are_looked_for_before_the_first_step(photos, tmp_path):
    folder, ids = photos
    labels = np.unique([row.split(",")[1] for row in (folder / "train.csv").read_text().splitlines()[1:]], return_inverse=True)[1]
    config = configure(folder, tmp_path / "run", validation_images=7)
    held = hold_out(labels, 7, config.train.validation_gallery, landmarks=False, seed=config.train.seed)
    image_path(folder, "train", ids[held.queries[0]]).unlink()
    with pytest.raises(UserError, match="missing"):
        train(config)
    assert not (tmp_path / "run" / "models").exists()
