import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.extraction.features import as_stored
from landmarks.extraction.jobs import descriptors_job, joint_job, local_bytes_per_image, local_job, local_recipe, new_local_bytes
from landmarks.extraction.outputs import Described
from landmarks.store.artefact import Artefact
from landmarks.store.local_features import LocalStore

IDS = np.array([f"b{n}" for n in range(7)], object)


@pytest.fixture
def config(tmp_path):
    """A finished model "tiny" with a local branch of 8 dimensions, shards of three images."""
    trained = Artefact(tmp_path / "models" / "tiny", "train", {}, {})
    trained.begin()
    trained.finish()
    settings = ["models.tiny={backbone: test_resnet, local: {dimensions: 8}}", f"run.folder={tmp_path}"]
    extract = "{longest_side: 100, scales: [0.5, 1.25], shard_images: 3, local: {longest_side: 120, scales: [1.0, 1.5], max_features: 10}}"
    return load_config(None, [*settings, f"extract={extract}"])


def described(ids, skipped=()):
    kept = ids[~np.isin(ids.astype(str), list(skipped))]
    local = [as_stored(np.ones((2, 4), np.float32), np.full((2, 8), 8**-0.5, np.float32), "float16") for _ in kept]
    return Described(kept, np.ones((len(kept), 16), np.float32), local, dict.fromkeys(skipped, "damaged"))


def write(job, shard, skipped=()):
    for output in job.outputs:
        output.write(shard, job.shard_ids(shard), described(job.shard_ids(shard), skipped))


def test_pictures_are_decoded_at_the_largest_scale_of_any_output(config):
    alone, local = descriptors_job(config, "tiny", "index", IDS, "table", "float32"), local_job(config, "tiny", "index", IDS, "float32")
    both = joint_job(config, "tiny", "index", IDS, "table", "float32")
    assert (alone.side, local.side, both.side) == (125, 180, 180)
    assert alone.at_scales((0.5,)).side == 50 and alone.at_scales((0.1,)).side == 32
    assert alone.at_scales((0.5,)).descriptors is alone.descriptors, "what is left out does not change whose shards these are"
    # Pictures decoded at another size give other descriptors.
    assert "decoded_side" not in alone.descriptors.artefact.recipe["settings"]
    assert both.descriptors.artefact.recipe["settings"]["decoded_side"] == 180
    assert both.local.artefact.fingerprint == local.local.artefact.fingerprint


def test_shards_are_made_one_by_one(config):
    job = descriptors_job(config, "tiny", "index", IDS, "table", "float32")
    assert [job.shard_ids(shard).tolist() for shard in job.shards] == [["b0", "b1", "b2"], ["b3", "b4", "b5"], ["b6"]]
    job.descriptors.artefact.begin()
    write(job, 1)
    assert [bool(job.unmade(shard)) for shard in job.shards] == [True, False, True]
    assert job.lacking(0).tolist() == ["b0", "b1", "b2"] and len(job.lacking(1)) == 0
    write(job, 0)
    write(job, 2)
    assert not job.is_complete(), "not sealed yet"
    job.seal(16)
    assert job.is_complete()


def test_a_shard_without_its_damaged_picture_counts_only_where_pictures_may_be_skipped(config):
    extract = config.extract.model_copy(update={"on_error": "skip"})
    skipping = config.model_copy(update={"extract": extract})
    lenient, strict = (descriptors_job(one, "tiny", "index", IDS, "table", "float32") for one in (skipping, config))
    lenient.descriptors.artefact.begin()
    write(lenient, 0, skipped=("b1",))
    assert not lenient.unmade(0) and strict.unmade(0) == [strict.descriptors]


def test_local_features_are_made_of_images_that_have_none_yet(config):
    job = local_job(config, "tiny", "index", IDS[:4], "float32")
    job.local.artefact.begin()
    write(job, 0)
    write(job, 1)
    more = local_job(config, "tiny", "index", IDS[[6, 0, 5, 1]], "float32")
    assert more.lacking(0).tolist() == ["b6", "b5"] and not more.unmade(1), "b1 is there already"
    assert new_local_bytes(more) == 2 * local_bytes_per_image(config.models["tiny"], config.extract.local)
    more.local.write(0, more.shard_ids(0), described(more.shard_ids(0)))
    assert sorted(LocalStore(more.local.artefact.folder).ids) == ["b0", "b1", "b2", "b3", "b5", "b6"], "each once"
    both = joint_job(config, "tiny", "index", IDS, "table", "float32")
    assert both.lacking(0).tolist() == ["b0", "b1", "b2"], "descriptors need every image"
    assert new_local_bytes(descriptors_job(config, "tiny", "index", IDS, "table", "float32")) == 0


def test_the_recipe_of_local_features_does_not_say_of_which_images(config):
    recipe = local_recipe(config.extract)
    assert recipe == {"longest_side": 120, "scales": [1.0, 1.5], "max_features": 10, "storage": "float16"}
    unset = config.extract.model_copy(update={"local": config.extract.local.model_copy(update={"longest_side": None})})
    assert local_recipe(unset)["longest_side"] == 100


def test_a_model_without_a_local_branch_has_no_local_features(config):
    plain = load_config(None, ["models.tiny={backbone: test_resnet}", f"run.folder={config.run.folder}"])
    with pytest.raises(ValueError, match="no local branch"):
        local_job(plain, "tiny", "index", IDS, "float32")
