import numpy as np
import pytest
import yaml

from landmarks.config.load import read_chain
from landmarks.ranking import Ranking, Space
from landmarks.rerank import choice as module
from landmarks.rerank import verdict as verdicts_module
from landmarks.rerank.choice import WITH_TRAIN, choose, diffusion, without_train
from landmarks.rerank.context import Context
from landmarks.rerank.index_owners import IndexDepth
from landmarks.rerank.parts import Draw
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.verdict import as_table, chosen, report

DRAW = Draw(0.3, 0.2, 0.75, 1000, 6000, 0)


def images(random, per_landmark, landmarks=12, noise=0.8):
    labels = np.repeat(np.arange(landmarks), per_landmark)
    rows = np.random.default_rng(9).standard_normal((landmarks, 16))[labels] + noise * random.standard_normal((len(labels), 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def world(noise=0.8, index=8, train=10, landmarks=12):
    random = np.random.default_rng(0)
    vectors = {split: images(random, count, landmarks, noise) for split, count in (("test", 2), ("index", index), ("train", train))}
    base = Space.from_splits({split: rows for split, (rows, _) in vectors.items()})
    context = Context(base, vectors["train"][1], base.vectors)
    ids = [np.arange(len(vectors[split][0])).astype(str) for split in ("test", "index")]
    return context.search_first(*ids, 20), context


def scored(monkeypatch, changes, before=0.5):
    """Verdicts where `changes` says what a step does to each query's average precision: step -> (100,); 0 for the others."""

    def score(context, chain, parts, neighbours):
        return before + sum((changes.get(step.step, np.zeros(100)) for step in chain), start=np.zeros(100))

    monkeypatch.setattr(module, "_score", score)
    return choose(world()[1].after(()), DRAW, 20)


def names(steps):
    return [step.step for step in steps]


def test_a_step_is_dropped_where_it_surely_loses(monkeypatch, capsys):
    unsure = np.where(np.arange(100) % 2, 0.28, -0.3)
    changes = {
        "add_labels": np.full(100, -0.05),
        "augment_database": np.full(100, 0.02),
        "expand_query": unsure,
        "add_classes": np.full(100, -0.1),
    }
    verdicts = scored(monkeypatch, changes)
    assert names(chosen(verdicts)) == ["discriminate", "expand_query", "augment_database"]
    table = as_table(verdicts)
    table.index = table["step"].str.split("(").str[0]
    assert table.loc["augment_database", ["before", "after", "low", "high"]].tolist() == [49, 51, 2, 2]
    assert table.loc["expand_query", "after"] == 49 and table.loc["expand_query", "low"] < 0 < table.loc["expand_query", "high"]
    assert table.loc["add_classes", ["before", "after"]].tolist() == [51, 41], "compared with what was kept so far"
    assert table.loc["discriminate", "kept"] and table.loc["discriminate", "high"] == 0, "nothing speaks against it"
    report(verdicts, "mAP")
    said = capsys.readouterr().out
    interval = "95 % interval of the change +2.00 to +2.00 (gains on pseudo-queries of 12 landmarks)"
    assert f"auto: kept    augment_database(neighbours=3,mutual=True): mAP 49.00 -> 51.00, {interval}" in said
    assert "auto: dropped add_classes: mAP 51.00 -> 41.00" in said and "surely loses on pseudo-queries of 12 landmarks; saves about" in said


def test_every_step_is_timed_when_it_runs_for_the_first_time():
    timed, running = {}, []

    class Timed:
        def __enter__(self):
            running.append([])
            return self

        def __exit__(self, *error):
            timed[len(timed)] = running.pop()

        seconds = 1.0

    def apply(step, ranking, context):
        running[-1].append(step.step)
        return ranking

    with pytest.MonkeyPatch.context() as patch:
        for step in (*WITH_TRAIN, *module.WHERE_DEEP):
            patch.setattr(type(step), "apply", apply)
        patch.setattr(verdicts_module, "measured", Timed)
        choose(world(noise=1.3, landmarks=6)[1].after(()), DRAW, 20)
    steps = ["discriminate", "add_labels", "expand_query", "augment_database", "add_classes"]
    assert list(timed.values()) == [[step] * module.DRAWS for step in steps]


def test_of_thin_landmarks_nothing_is_measured_and_the_chain_of_other_sets_is_taken():
    verdicts = choose(world(noise=1.3, train=4)[1].after(()), DRAW, 20)
    assert names(chosen(verdicts)) == [*names(WITH_TRAIN), "expand_query", "augment_database", "add_classes"]
    assert verdicts[-1].step.step == "fuse" and "gained nothing on average" in verdicts[-1].why
    assert "4 training images" in verdicts[2].why and all(np.isnan(verdict.before) for verdict in verdicts)


@pytest.mark.parametrize("train", [1, 2])
def test_of_one_or_two_training_images_nothing_is_measured_and_the_chain_of_other_sets_is_taken(train):
    verdicts = choose(world(noise=1.3, train=train)[1].after(()), DRAW, 20)
    assert names(chosen(verdicts)) == [*names(WITH_TRAIN), "expand_query", "augment_database", "add_classes"]
    assert f"landmarks have {train} training images" in verdicts[2].why


def test_where_the_labels_are_not_seen_in_the_descriptors_nothing_is_learned():
    _, right = world(noise=0.3, train=20, landmarks=40)
    labels = np.random.default_rng(1).permutation(right.labels)
    verdicts = choose(Context(right.base, labels, right.base.vectors), DRAW, 20)
    assert chosen(verdicts) == without_train(len(right.base.index))
    assert "train's labels are not seen in the descriptors (mAP" in verdicts[0].why and not np.isnan(verdicts[0].before)
    half = np.where(np.arange(len(labels)) % 2, right.labels, labels)
    assert names(chosen(choose(Context(right.base, half, right.base.vectors), DRAW, 20)))[:2] == names(WITH_TRAIN)


def test_diffusion_is_tried_where_a_landmark_has_many_index_images(monkeypatch):
    assert diffusion(IndexDepth(10.9, 60.0)) == () and diffusion(IndexDepth(11.0, 26.6))[0].neighbours == 27
    assert diffusion(IndexDepth(800.0, 900.0))[0].neighbours == 100
    assert diffusion(IndexDepth(11.0, 26.6))[0].earlier, "with classes and without"
    monkeypatch.setattr(module, "index_depth", lambda context: IndexDepth(20.0, 30.4))
    verdicts = choose(world(noise=1.3, index=30, train=4)[1].after(()), DRAW, 20)
    assert names(chosen(verdicts))[-2:] == ["add_classes", "diffuse"] and "4 training images" in verdicts[-2].why
    assert chosen(verdicts)[-1].neighbours == 30
    monkeypatch.setattr(module, "_score", lambda context, chain, parts, neighbours: np.full(100, 0.5 - 0.1 * ("diffuse" in names(chain))))
    verdicts = choose(world(noise=0.3, index=30)[1].after(()), DRAW, 20)
    assert names(chosen(verdicts))[-1] == "add_classes" and verdicts[-2].step.step == "diffuse" and "surely loses" in verdicts[-2].why


def test_a_landmark_counts_once_with_its_queries_in_all_pseudo_worlds(monkeypatch):
    queries = [(np.array([7, 7, 9]), np.array([0.2, 0.4, 1.0])), (np.array([9, 11]), np.array([0.5, 0.1]))]

    class World:
        ranking = Ranking(np.array(["q"]), np.array(["i"]), np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32))

        def __init__(self, number):
            self.query_labels, self.precision = queries[number]

        def average_precision(self, indices):
            return self.precision

    monkeypatch.setattr(module, "make_pseudo_world", lambda context, chain, number, neighbours: World(number))
    np.testing.assert_allclose(module._score(None, (), [0, 1], 20), [0.3, 0.75, 0.1])


def test_where_a_model_has_local_features_the_chain_verifies():
    _, context = world(noise=1.3, landmarks=6)
    context.count_inliers = lambda *pairs: pytest.fail("none are asked for: they are not there yet")
    verdicts = choose(context.after(()), DRAW, 20)
    assert names(chosen(verdicts))[-1] == "verify"


@pytest.mark.parametrize(("index", "expected"), [(8, ["expand_query"]), (30, ["expand_query", "augment_database", "add_classes"])])
def test_overfitted_descriptors_are_judged_by_the_depth_of_the_index(index, expected):
    _, context = world(noise=0.01, index=index)
    verdicts = choose(context, DRAW, 60)
    assert names(chosen(verdicts)) == names(WITH_TRAIN) + expected
    assert "overfitted to the training images (mAP 100.00)" in verdicts[3].why
    assert f"about {index} index images" in verdicts[3].why


def test_of_few_landmarks_nothing_is_measured():
    _, few = world(landmarks=4)
    verdicts = choose(few, DRAW, 20)
    assert names(chosen(verdicts)) == [*names(WITH_TRAIN), "expand_query", "augment_database"] and "4 landmarks" in verdicts[3].why
    assert "it cost where train knew few of the landmarks" in verdicts[4].why


def nobody():
    _, context = world()
    return Context(Space(context.base.test, context.base.index, context.base.train[:0]), np.empty(0, np.int64), context.base.vectors)


def test_without_train_it_falls_back_on_steps_that_learn_nothing():
    context = nobody().after(())
    verdicts = choose(context, DRAW, 20)
    assert chosen(verdicts) == without_train(96) and "nothing can be learned" in verdicts[0].why
    assert without_train(96)[1].resolution == 1 and without_train(30_000)[1].resolution == 100
    assert not any(step.learns for step in chosen(verdicts))
    context.count_inliers = lambda *pairs: pytest.fail("none are asked for: they are not there yet")
    assert names(chosen(choose(context, DRAW, 20)))[-1] == "verify"
    ranking = context.search_first(np.arange(24).astype(str), np.arange(96).astype(str), 20)
    for place, step in enumerate(chosen(verdicts)):
        ranking = step.apply(ranking, context.after(chosen(verdicts)[:place]))
    assert ranking.indices.shape == (24, 20)


@pytest.mark.parametrize("context", [nobody(), world()[1]])
def test_of_places_the_first_image_counts_and_no_step_is_taken_but_verification(context):
    context = context.after(())
    verdicts = choose(context, DRAW, 20, "places")
    assert chosen(verdicts) == () and "costs Recall@1" in verdicts[0].why
    context.count_inliers = lambda *pairs: pytest.fail("none are asked for: they are not there yet")
    assert names(chosen(choose(context, DRAW, 20, "places"))) == ["verify"]


def test_the_chosen_chain_is_what_running_its_steps_gives(capsys):
    ranking, context = world(noise=1.3, landmarks=6)
    context = context.after(())
    made = Auto(index_images=150).apply(ranking, context)
    chain = read_chain(yaml.safe_load(context.attachments["chain.yaml"])["rerank"])
    assert names(chain)[-1] == "add_classes"
    assert "surely lose on pseudo-queries of 6 landmarks" in context.attachments["choice.csv"], "the averages were measured"
    by_hand = ranking
    for place, step in enumerate(chain):
        by_hand = step.apply(by_hand, context.after(chain[:place]))
    np.testing.assert_array_equal(made.indices, by_hand.indices)
    said = capsys.readouterr().out
    assert "auto: kept    discriminate" in said
    assert context.attachments["choice.csv"].startswith("step,kept,before,after,low,high,seconds,why\ndiscriminate,True,")
