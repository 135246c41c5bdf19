import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.rerank.train_subset import rerank_with_train_subset
from landmarks.search.rankings import read_ranking
from landmarks.stages.rerank import rerank
from landmarks.stages.search import search
from landmarks.store.tables import read_ids


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(2)
    for split, count in (("train", 40), ("index", 60), ("test", 12)):
        np.save(tmp_path / f"{split}.npy", rng.standard_normal((count, 8)).astype(np.float16))
        header, label = ("id,landmark_id", ",%d") if split == "train" else ("id", "")
        rows = [f"{split}{n:02d}" + (label % (n % 5) if label else "") for n in range(count)]
        (tmp_path / f"{split}.csv").write_text("\n".join([header, *rows]) + "\n")
    config = load_config(None, [f"dataset.folder={tmp_path}", f"run.folder={tmp_path / 'run'}", "rerank=[{step: sort, neighbours: 1}]"])
    search(config)
    rerank(config)
    return config


def sorted_ranking(config):
    return read_ranking(config.run.folder / "rankings" / "sort(neighbours=1)")


def labels_of_nearest(config, split, kept):
    vectors = {name: np.load(config.run.folder / "space" / name / "vectors.npy").astype(np.float32) for name in (split, "train")}
    ids = read_ids(config.run.folder / "space" / "train" / "ids.csv")
    cosines = vectors[split] @ vectors["train"].T
    cosines[:, ~np.isin(ids.astype(str), kept.astype(str))] = -np.inf
    return cosines.argmax(axis=1) % 5  # training image n shows n % 5


def test_only_the_images_that_are_kept_vote(config, tmp_path):
    kept = np.array([f"train{n:02d}" for n in range(40) if n % 5 != 3], object)
    fewer = rerank_with_train_subset(config, kept, tmp_path / "run" / "fewer")
    assert fewer.run.folder == tmp_path / "run" / "fewer" and fewer.ledger == config.ledger
    query_labels, index_labels = (labels_of_nearest(config, split, kept) for split in ("test", "index"))
    first = read_ranking(config.run.folder / "rankings" / "knn").indices
    made = sorted_ranking(fewer).indices
    for query, row in enumerate(first):
        row = row[row >= 0]
        same = index_labels[row] == query_labels[query]
        assert made[query][: len(row)].tolist() == [*row[same], *row[~same]]
    assert not np.array_equal(made, sorted_ranking(config).indices)


def test_all_of_them_change_nothing_and_fewer_are_not_taken_for_them(config, tmp_path):
    ids = read_ids(config.run.folder / "space" / "train" / "ids.csv")
    folder = tmp_path / "run" / "fewer"
    rerank_with_train_subset(config, ids[:20], folder)
    some = sorted_ranking(config.at(folder)).indices
    rerank_with_train_subset(config, ids, folder)
    np.testing.assert_array_equal(sorted_ranking(config.at(folder)).indices, sorted_ranking(config).indices)
    assert not np.array_equal(some, sorted_ranking(config).indices)


def test_without_a_search_there_is_nothing_to_go_on_from(config, tmp_path):
    with pytest.raises(UserError, match="not there, or not finished"):
        rerank_with_train_subset(config.at(tmp_path / "none"), np.array(["train00"], object), tmp_path / "fewer")
