import numpy as np
import pandas as pd
import pytest
from PIL import Image

import landmarks as lm
from landmarks.cli import main
from landmarks.datasets.images import image_path

LETTER = {"train": "t", "index": "i", "test": "q"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of an untrained model over a few photos, searched, re-ranked and evaluated."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    rows = {"train": 8, "index": 12, "test": 3}
    for split, count in rows.items():
        ids = [f"{LETTER[split]}abc{n:03d}" for n in range(count)]
        for n, id in enumerate(ids):
            path = image_path(folder / "data", split, id)
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = random.integers(0, 60, (90 + 10 * (n % 3), 120, 3))
            Image.fromarray((noise + 60 * (n % 4)).astype(np.uint8)).save(path, quality=95)
        table = pd.DataFrame({"id": ids} | ({"landmark_id": np.arange(count) % 4} if split == "train" else {}))
        table.to_csv(folder / "data" / f"{split}.csv", index=False)
    images = [" ".join(f"iabc{i:03d}" for i in range(n, 12, 4)) for n in range(3)]
    solution = pd.DataFrame({"id": [f"qabc{n:03d}" for n in range(3)], "images": images, "Usage": ["Public", "Private", "Private"]})
    solution.to_csv(folder / "data/retrieval_solution.csv", index=False)
    settings = [
        f"dataset.folder={folder / 'data'}",
        f"run.folder={folder / 'run'}",
        "models.tiny={backbone: test_resnet, dimensions: 16, pretrained: false, train: false}",
        "extract={longest_side: 96, scales: [0.7, 1.0], workers: 0}",
        "whiten.dimensions=4",
        "search.neighbours=12",
        "rerank=sort",
        "run.device=cpu",
    ]
    (folder / "c.yaml").write_text("{}\n")
    for stage in ("train", "extract", "search", "rerank", "evaluate"):
        assert main([stage, "--config", str(folder / "c.yaml"), *settings]) == 0
    return folder


def test_what_is_known_of_it(made):
    run = lm.open_run(str(made / "run"))
    assert run.rankings == ["knn", "sort"] and run.config.extract.longest_side == 96
    assert list(run.scores.index) == ["knn", "sort"] and {"map_private", "map_public"} <= set(run.scores.columns)
    assert repr(run).count("\n") <= 20 and "tiny (test_resnet)" in repr(run)
    frame = run.ranking("knn").to_frame()
    assert list(frame.columns) == ["query_id", "rank", "index_id", "score"] and len(frame) == 3 * 12
    assert frame.groupby("query_id")["rank"].min().eq(1).all()
    assert repr(run.ranking()) == "Ranking of 3 queries over 12 index images, 12 in each list"


def test_described_pictures_are_those_that_were_extracted(made):
    run = lm.open_run(made / "run")
    paths = [image_path(made / "data", "index", id) for id in run.ranking("knn").index_ids]
    vectors = np.load(made / "run/space/index/vectors.npy").astype(np.float32)
    described = run.describe(paths)
    np.testing.assert_allclose(described, vectors, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    assert run.describe(str(paths[0]), whitened=False).shape == (1, 16)


def test_a_picture_in_any_form_is_described_alike(made):
    run = lm.open_run(made / "run")
    path = image_path(made / "data", "index", "iabc001")
    picture = Image.open(path)
    pixels = np.asarray(picture)
    wanted = run.describe(path)
    for image in (picture, pixels, pixels / 255, (pixels / 255).astype(np.float32)):
        np.testing.assert_allclose(run.describe(image), wanted, atol=1e-5)
    assert run.describe([path, pixels]).shape == (2, 4)


def test_a_picture_of_the_index_finds_itself(made):
    found = lm.open_run(made / "run").search(image_path(made / "data", "index", "iabc007"), neighbours=3)
    assert found.index_ids[found.indices[0, 0]] == "iabc007" and found.indices.shape == (1, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("none.jpg", "missing picture"),
        (np.zeros((4, 4)), "height, width, 3"),
        (np.full((4, 4, 3), 7.0), "from 0 to 1"),
        (np.zeros((4, 4, 3), int), "uint8 or floating point"),
    ],
)
def test_what_is_no_picture_is_refused(made, image, message):
    with pytest.raises(lm.UserError, match=message):
        lm.open_run(made / "run").describe(image)


def test_a_search_needs_no_vectors_of_train(made, tmp_path):
    """Without whitening and with an empty chain `search` makes none."""
    settings = ["search", "--config", str(made / "run/config.yaml"), f"run.folder={tmp_path}", "whiten.dimensions=0", "rerank=[]"]
    for part in ("models", "descriptors"):
        (tmp_path / part).symlink_to(made / "run" / part)
    assert main(settings) == 0 and not (tmp_path / "space/train").exists()
    found = lm.open_run(tmp_path).search(image_path(made / "data", "index", "iabc005"), neighbours=3)
    assert found.to_frame()["index_id"][0] == "iabc005" and found.indices.shape == (1, 3)


def test_what_is_not_there_is_answered_with_the_command(made, tmp_path):
    with pytest.raises(lm.UserError, match="no run was made here"):
        lm.open_run(tmp_path)
    run = lm.open_run(made / "run")
    with pytest.raises(lm.UserError, match="no ranking 'insert': there are knn, sort") as error:
        run.ranking("insert")
    assert error.value.next == f"./run.sh rerank {made / 'run'}"
