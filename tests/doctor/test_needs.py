from landmarks.config import load_config
from landmarks.doctor.needs import disk_needs, memory_need

IMAGES = {"train": 1000, "index": 100, "test": 10}


def test_descriptors_and_the_spaces_of_the_chain():
    config = load_config(
        None, ["models={a: {dimensions: 64}, b: {dimensions: 0}}", "rerank=[{step: add_labels, dimensions: 50}, {step: sort}]"]
    )
    needs = disk_needs(config, IMAGES, {"a": 2048, "b": 32})
    assert needs["descriptors"] == 1110 * 96 * 2
    assert needs["vectors that are searched"] == 1110 * 96 * 2 + 1110 * 146 * 2
    assert needs["rankings"] == 10 * 100 * 8 * 3 and "local features" not in needs


def test_vectors_that_a_step_leaves_as_they_are_take_no_disk():
    config = load_config(None, ["rerank=[expand_query, augment_database]"])
    assert disk_needs(config, IMAGES, {"arrays": 64})["vectors that are searched"] == (1110 + 10 + 100) * 64 * 2


def test_without_a_chain_train_is_not_searched():
    config = load_config(None, ["whiten.dimensions=16"])
    assert disk_needs(config, IMAGES, {"arrays": 64})["vectors that are searched"] == 110 * 16 * 2


def test_local_features_of_what_is_verified():
    settings = ["models={a: {local: {dimensions: 128}}}", "rerank=[{step: verify}]", "search.neighbours=5"]
    needs = disk_needs(load_config(None, settings), IMAGES, {"a": 2048})
    assert needs["local features"] == (10 + 50) * (1000 * (128 * 2 + 16) + 32)


def test_memory_grows_with_the_widest_vectors():
    plain, labelled = (load_config(None, ["models={a: {}}", *more]) for more in ([], ["rerank=[{step: add_labels}]"]))
    assert memory_need(plain, IMAGES, {}) - 3e9 == 1.2 * 1110 * 512 * 4
    assert memory_need(labelled, IMAGES, {}) - 3e9 == 1.2 * 1110 * 1024 * 4


def test_the_memory_measured_at_the_size_of_the_dataset_is_covered():
    """EXPERIMENTS.md: 11.9 GB for 512 dimensions and label vectors of as many."""
    images = {"train": 1_580_470, "index": 761_757, "test": 117_577}
    assert 11.9e9 < memory_need(load_config(None, ["models={a: {}}", "rerank=[{step: add_labels}]"]), images, {}) < 18e9
