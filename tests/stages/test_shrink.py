import json
import shutil

import numpy as np
import pytest
from PIL import Image
from toy_training import configure, journal, make_photos

from landmarks.data import copies as module
from landmarks.data.images import read_image
from landmarks.data.train_set import side_needed
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.stages.shrink import shrink
from landmarks.stages.train import train
from landmarks.store.tables import read_train


@pytest.fixture
def dataset(tmp_path):
    """Photos of 48 x 40 pixels, the first three of them larger."""
    folder = make_photos(tmp_path / "data")
    for number, id in enumerate(read_train(folder / "train.csv").ids[:3]):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((900, 600), Image.Resampling.BICUBIC).save(image_path(folder, "train", id), quality=95)
    return folder


def test_pictures_are_kept_at_the_size_that_the_crops_need_and_trained_on(dataset, tmp_path, capsys, monkeypatch):
    config = configure(dataset, tmp_path / "run", epochs=1)
    need = side_needed(config.train)
    assert 32 < need < 200
    folder = shrink(config)
    said = capsys.readouterr().out
    assert "(estimate)" in said and "48 pictures of at most" in said
    ids = read_train(dataset / "train.csv").ids
    for number, id in enumerate(ids[:5]):
        made, original = (read_image(image_path(place, "train", id), 10_000) for place in (folder, dataset))
        assert max(made.shape) == (need if number < 3 else 48) and made.shape[0] < made.shape[1]
        if number >= 3:
            assert np.abs(made.astype(int) - original).mean() < 4
    shrink(config)
    assert "shrink: up to date" in capsys.readouterr().out
    read, opened = module.read_image, []
    monkeypatch.setattr("landmarks.data.train_set.read_image", lambda path, *rest: opened.append(path) or read(path, *rest))
    own = config.model_copy(update={"train": config.train.model_copy(update={"shrunk": True})})
    train(own)
    assert len(journal(tmp_path / "run")) == 4 and all(path.is_relative_to(folder) for path in opened)
    capsys.readouterr()
    shutil.rmtree(folder)
    train(own)
    assert "train tiny: up to date" in capsys.readouterr().out
    with pytest.raises(UserError, match="(?s)not there, or not finished.*shrink"):
        train(own.model_copy(update={"train": own.train.model_copy(update={"learning_rate": 0.5})}))


def test_it_goes_on_with_the_next_shard_and_lists_what_cannot_be_read(dataset, tmp_path, monkeypatch):
    config = configure(dataset, tmp_path / "run")
    config = config.model_copy(update={"shrink": config.shrink.model_copy(update={"shard_images": 10})})
    ids = read_train(dataset / "train.csv").ids
    broken = image_path(dataset, "train", ids[25])
    broken.write_bytes(broken.read_bytes()[:300])
    written, write = [], module.Copies._write

    def cut_off(copies, id):
        written.append(id)
        if len(written) == 25:
            raise KeyboardInterrupt
        return write(copies, id)

    monkeypatch.setattr(module, "cores", lambda: 1)
    monkeypatch.setattr(module.Copies, "_write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        shrink(config)
    folder = tmp_path / "run" / "shrunk"
    assert len(list(folder.glob("shards/*.json"))) == 2 and not (folder / "manifest.json").exists()
    written.clear()
    monkeypatch.setattr(module.Copies, "_write", lambda copies, id: written.append(id) or write(copies, id))
    shrink(config)
    assert written == ids[20:].tolist()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest["skipped"]) == [ids[25]] and manifest["images"] == 47 and not list(folder.rglob("*.part"))


def test_smaller_pictures_that_are_missing_or_too_small_are_refused(dataset, tmp_path):
    config = configure(dataset, tmp_path / "run", shrunk=True)
    with pytest.raises(UserError, match="(?s)not there, or not finished.*shrink"):
        train(config)
    shrink(config.model_copy(update={"shrink": config.shrink.model_copy(update={"side": 40})}))
    with pytest.raises(UserError, match=r"(?s)pictures of 40 pixels, and the crops need \d+.*shrink.side=\d+"):
        train(config)


def test_a_run_without_training_needs_a_size(dataset, tmp_path):
    with pytest.raises(UserError, match="(?s)no model of the configuration is trained.*shrink.side=PIXELS"):
        shrink(configure(dataset, tmp_path / "run", epochs=0))
