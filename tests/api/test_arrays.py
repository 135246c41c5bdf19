"""Arrays in memory: the same rankings and scores as the command line makes of the same arrays in files."""

import numpy as np
import pandas as pd
import pytest

import landmarks as lm
from landmarks.cli import main
from landmarks.config import step_names
from landmarks.search.rankings import read_ranking

CHAINS = [
    "[]",
    "sort,insert",
    "[discriminate, {step: add_labels, neighbours: 5}, augment_database, expand_query, diffuse]",
    "soft_labels,k_reciprocal",
]


@pytest.fixture(scope="module")
def world():
    random = np.random.default_rng(3)
    centres = random.standard_normal((6, 16))
    labels = {split: np.arange(count) % 6 for split, count in (("train", 48), ("index", 90), ("test", 18))}
    return {split: (centres[of] + random.standard_normal((len(of), 16))).astype(np.float32) for split, of in labels.items()}, labels


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("whiten", [0, 8])
def test_it_is_the_ranking_that_the_command_line_makes(world, tmp_path, chain, whiten):
    arrays, labels = world
    for split, rows in arrays.items():
        np.save(tmp_path / f"{split}.npy", rows)
        table = pd.DataFrame({"id": [f"{split}{n}" for n in range(len(rows))]})
        table = table.assign(landmark_id=labels[split]) if split == "train" else table
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    (tmp_path / "c.yaml").write_text("{}\n")
    words = [
        f"dataset.folder={tmp_path}",
        f"run.folder={tmp_path / 'run'}",
        f"rerank={chain}",
        f"whiten.dimensions={whiten}",
        "run.device=cpu",
    ]
    for stage in ("search", "rerank"):
        assert main([stage, "--config", str(tmp_path / "c.yaml"), *words]) == 0
    run = lm.open_run(tmp_path / "run") if (tmp_path / "run/config.yaml").is_file() else None
    assert run is not None
    written = run.ranking()
    made = lm.rerank_arrays(
        arrays["test"],
        arrays["index"],
        arrays["train"],
        labels["train"],
        chain=[step.model_dump() for step in run.config.rerank],
        whiten=whiten,
        test_ids=written.query_ids,
        index_ids=written.index_ids,
        device="cpu",
    )
    np.testing.assert_array_equal(made.indices, written.indices)
    np.testing.assert_array_equal(made.scores, written.scores)
    assert made.to_frame().equals(read_ranking(tmp_path / "run/rankings" / run.rankings[-1]).to_frame()) or chain == "[]"


def test_a_step_of_one_s_own_and_settings_beside_names(world):
    arrays, labels = world

    class Backwards(lm.Step):
        first: int = 3

        def apply(self, ranking, context):
            indices = ranking.indices.copy()
            indices[:, : self.first] = indices[:, : self.first][:, ::-1]
            return ranking.with_order(indices)

    data = (arrays["test"], arrays["index"], arrays["train"], labels["train"])
    plain = lm.rerank_arrays(*data, chain="sort")
    turned = lm.rerank_arrays(*data, chain=["sort", Backwards(first=2), {"step": "sort", "neighbours": 1}][:2])
    np.testing.assert_array_equal(turned.indices[:, :2], plain.indices[:, 1::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "0 labels for 48 training images"),
        ({"train": None, "labels": None}, "the step sort learns from training images"),
        ({"chain": "srot"}, "did you mean sort"),
        ({"chain": "verify"}, "local features are matched"),
        ({"test": np.full((2, 16), np.nan)}, "NaN"),
        ({"index": np.zeros((3, 16))}, "zero"),
        ({"test": np.ones((2, 16), int)}, "floating point"),
        ({"labels": np.linspace(0, 1, 48)}, "labels are whole numbers"),
        ({"labels": np.zeros((48, 1), int)}, "labels are whole numbers"),
        ({"index_ids": ["a", "a"]}, "2 ids, 1 of them different, for 90 rows"),
    ],
)
def test_what_does_not_fit_is_refused(world, change, message):
    arrays, labels = world
    words = arrays | {"labels": labels["train"], "chain": "sort"} | change
    with pytest.raises(Exception, match=message) as error:
        lm.rerank_arrays(**words)
    assert isinstance(error.value, lm.UserError | ValueError)


def test_scores_are_those_worked_by_hand():
    """The example of the challenge: 01:[10,20] 02:[10] 03:[30,40,50] 04:[30]; found 02:[00,10] 03:[40] 04:[30,40] -> 0.458333."""
    index_ids = np.array(["00", "10", "20", "30", "40", "50"], object)
    indices = np.array([[-1, -1], [0, 1], [4, -1], [3, 4]], np.int32)
    scores = np.where(indices >= 0, [[2, 1]], -np.inf).astype(np.float32)
    ranking = lm.Ranking(np.array(["01", "02", "03", "04"], object), index_ids, indices, scores)
    truth = {"01": ["10", "20"], "02": ["10"], "03": ["30", "40", "50"], "04": ["30"]}
    found = lm.score_ranking(ranking, truth)
    assert found.mean_average_precision == pytest.approx(0.458333, abs=1e-6) and found.precision_at_1 == 0.5
    rows = [[1, 2], [1], [3, 4, 5], [3]]
    np.testing.assert_array_equal(lm.score_ranking(indices, rows).average_precision, found.average_precision)
    assert lm.score_ranking(ranking, truth, at=1).mean_average_precision == pytest.approx(0.5)


def test_queries_without_true_images_are_left_out_and_nothing_to_score_is_refused():
    indices = np.array([[0, 1], [1, 0]])
    found = lm.score_ranking(indices, [[0], []])
    assert found.mean_average_precision == 1 and np.isnan(found.average_precision[1])
    for ranking, truth, message in (
        (indices, [[], []], "nothing to score"),
        (indices, [[0]], "truth for 1 queries"),
        (indices, {"a": []}, "Ranking"),
    ):
        with pytest.raises(lm.UserError, match=message):
            lm.score_ranking(ranking, truth)


@pytest.mark.parametrize("truth", [[[-1], [0]], [[5], [0]], [[0.5], [0]], [["0"], [0]], [[True], [0]]])
def test_truth_that_is_no_row_is_refused(truth):
    ids = np.array(["a", "b", "c"], object)
    ranking = lm.Ranking(ids[:2], ids, np.array([[0, 1], [1, 0]], np.int32), np.array([[2, 1], [2, 1]], np.float32))
    with pytest.raises(lm.UserError, match="row numbers of index images are whole numbers from 0 to 2"):
        lm.score_ranking(ranking, truth)


@pytest.mark.parametrize("indices", [np.array([[0.0, 1.0]]), np.array([[-2, 1]]), np.array([[2**40, 1]]), np.array([0, 1])])
def test_what_is_no_ranking_is_not_scored(indices):
    with pytest.raises(lm.UserError, match="row numbers of index images are whole numbers from -1|a ranking has rows"):
        lm.score_ranking(indices, [[0]])


def test_an_image_named_twice_counts_once():
    indices = np.array([[0, 1, 2]])
    twice, once = lm.score_ranking(indices, [[1, 1, 2, 1]]), lm.score_ranking(indices, [[2, 1]])
    assert twice.mean_average_precision == once.mean_average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_arrays_of_any_byte_order_give_the_same_ranking(world, dtype):
    arrays, labels = world
    native = {name: array.astype(f"={dtype}") for name, array in arrays.items()}
    other = {name: array.astype(f">{dtype}") for name, array in arrays.items()}
    expected = lm.rerank_arrays(**native, labels=labels["train"], chain="sort,insert,add_labels", whiten=8)
    found = lm.rerank_arrays(**other, labels=np.asarray(labels["train"]).astype(">i8"), chain="sort,insert,add_labels", whiten=8)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    truth = [np.array([row % 7, row % 5]) for row in range(len(found.indices))]
    scores = lm.score_ranking(found.indices.astype(">i4"), [one.astype(">i8") for one in truth])
    assert scores.mean_average_precision == lm.score_ranking(expected, truth).mean_average_precision


def test_every_step_can_be_named():
    assert {"sort", "fuse", "verify"} <= set(step_names())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": np.ones((9, 16))}, "the index descriptors are all alike"),
        ({"train": np.ones((48, 16))}, "the train descriptors are all alike"),
        ({"train": np.ones((48, 16)), "whiten": 3}, "whitening is learned on train, whose descriptors are all alike"),
        ({"index": np.ones((0, 16))}, "index has no rows"),
        ({"test": np.ones((0, 16))}, "test has no rows"),
    ],
)
def test_what_gives_no_result_is_refused(world, change, message):
    arrays, labels = world
    with pytest.raises(lm.UserError, match=message):
        lm.rerank_arrays(**(arrays | {"labels": labels["train"], "chain": "sort"} | change))
