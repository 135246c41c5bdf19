"""Shards described by an untrained model; order, resuming and skipping are tested through the stages."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.extraction import describe
from landmarks.extraction import processor as processor_module
from landmarks.extraction.describe import make_shards
from landmarks.extraction.jobs import descriptors_job
from landmarks.extraction.processor import choose_processor, open_model, open_models
from landmarks.models.checkpoint import build_model, save_model
from landmarks.progress import progress
from landmarks.store.artefact import Artefact

IDS = np.array(["d0", "d1", "d2", "d3"], object)


@pytest.fixture
def config(tmp_path):
    settings = [f"run.folder={tmp_path / 'run'}", f"dataset.folder={tmp_path}", "models.tiny={backbone: test_resnet, dimensions: 16}"]
    extract = "{longest_side: 64, scales: [0.5, 1.0], shard_images: 2, workers: 0}"
    config = load_config(None, [*settings, "models.tiny.pretrained=false", f"extract={extract}"])
    for number, id in enumerate(IDS):
        path = image_path(tmp_path, "index", id)
        path.parent.mkdir(parents=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(path)
    trained = Artefact(tmp_path / "run" / "models" / "tiny", "train", {}, {})
    trained.begin()
    torch.manual_seed(0)
    save_model(trained.folder, build_model(config.models["tiny"]), config.models["tiny"])
    trained.finish()
    return config


def make(job, shards, processor, model=None):
    job.descriptors.artefact.begin()
    with progress(None, "test", "image", hidden=True) as bar:
        make_shards(job, shards, [model or open_model(job.model_folder, processor)], processor, bar)
    return {path.name: np.load(path) for path in sorted(job.descriptors.artefact.folder.glob("*.npy"))}


def test_only_the_shards_that_are_named_are_made_and_at_the_scales_of_the_job(config, tmp_path):
    processor = choose_processor("cpu", "auto")
    assert str(processor) == "cpu: run.device=cpu; float32"
    job = descriptors_job(config, "tiny", "index", IDS, "table", processor.precision)
    fewer = make(job.at_scales((0.5,)), [1], processor)
    assert list(fewer) == ["00001.npy"] and fewer["00001.npy"].shape == (2, 16)
    both = make(job, [0], processor)
    np.testing.assert_array_equal(both["00001.npy"], fewer["00001.npy"])
    extract = config.extract.model_copy(update={"scales": (0.5,)})
    other = config.model_copy(update={"extract": extract, "run": config.run.model_copy(update={"folder": tmp_path / "other"})})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "models").symlink_to(tmp_path / "run" / "models")
    half = make(descriptors_job(other, "tiny", "index", IDS, "table", processor.precision), [0, 1], processor)
    np.testing.assert_array_equal(half["00001.npy"], fewer["00001.npy"])
    assert not np.array_equal(half["00000.npy"], both["00000.npy"])


def test_a_model_that_gives_no_numbers_is_named_with_the_image(config):
    processor = choose_processor("cpu", "float32")
    job = descriptors_job(config, "tiny", "index", IDS, "table", processor.precision)
    model = open_model(job.model_folder, processor)
    with torch.no_grad():
        model.head[0].bias[:] = torch.nan
    with pytest.raises(UserError, match="the model tiny gives NaN or infinity") as caught:
        make(job, [1], processor, model)
    assert "image 'd2'" in str(caught.value.where)
    assert not list(job.descriptors.artefact.folder.glob("*.npy"))


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(UserError, match="(?s)float16 needs a GPU.*extract.precision=auto"):
        choose_processor("cpu", "float16")


def test_the_power_of_pooling_can_be_set_for_extraction(config):
    processor = choose_processor("cpu", "float32")
    job = descriptors_job(config, "tiny", "index", IDS, "table", processor.precision)
    model = open_model(job.model_folder, processor, 6.0)
    assert model.pooling.power.item() == 6 and open_model(job.model_folder, processor).pooling.power.item() == 3
    other = config.model_copy(update={"extract": config.extract.model_copy(update={"gem_power": 6.0})})
    settings = descriptors_job(other, "tiny", "index", IDS, "table", processor.precision).descriptors.artefact.recipe["settings"]
    assert settings["gem_power"] == 6 and "gem_power" not in job.descriptors.artefact.recipe["settings"]


@pytest.mark.parametrize("images", [4, 1])
def test_two_cards_of_one_process_share_each_batch(config, monkeypatch, images):
    """The second card is the CPU too."""
    alone = choose_processor("cpu", "float32")
    several = replace(alone, others=(torch.device("cpu"),))
    assert several.batch_size(3).most == 6 and str(several).endswith("float32; 2 cards")
    shares, compute = [], describe._compute_with
    monkeypatch.setattr(
        describe, "_compute_with", lambda *words: lambda batch: shares.append(len(batch.positions)) or compute(*words)(batch)
    )
    job = descriptors_job(config, "tiny", "index", IDS[:images], "table", "float32")
    models = open_models(job.model_folder, several)
    bar = progress(None, "test", "image", hidden=True)
    found = list(describe.describe_shards(job, [IDS[:images]], models, several, bar))
    assert sum(shares) == images and max(shares) <= max(1, images // 2)
    expected = list(describe.describe_shards(job, [IDS[:images]], models[:1], alone, bar))
    np.testing.assert_allclose(found[0].descriptors, expected[0].descriptors, atol=1e-6)


def test_all_cards_are_asked_for_where_a_process_starts_no_others(monkeypatch):
    monkeypatch.setattr(processor_module, "choose_device", lambda device: (torch.device("cuda", 1), "T4"))
    monkeypatch.setattr(processor_module, "own_cards", lambda: (0, 1, 3))
    assert choose_processor("auto", "float16").others == ()
    others = choose_processor("auto", "float16", all_cards=True).others
    assert others == (torch.device("cuda", 0), torch.device("cuda", 3))
