"""The steps chosen for recognition: training images held out as queries, some of landmarks that the rest does not know."""

from dataclasses import replace

import numpy as np
import pytest

from landmarks.config import RecognizeSettings
from landmarks.errors import UserError
from landmarks.metrics.bootstrap import statistic_interval
from landmarks.metrics.recognition import micro_average_precision
from landmarks.ranking import Space
from landmarks.rerank import choice_recognition as module
from landmarks.rerank.choice_recognition import TRIED, UNMEASURED, Recognised, choose_for_recognition
from landmarks.rerank.context import Context
from landmarks.rerank.parts import Draw, split_training
from landmarks.rerank.verdict import chosen

DRAW = Draw(0.3, 0.2, 0.8, 1000, 6000, 0)
NONE = -7  # under which train lists images that show no landmark


def world(landmarks=12, noise=1.0, train=10, none=0):
    """Landmarks 0, 10, 20, ... of `train` training and 6 index images, and `none` training images that show no landmark."""
    random, centres = np.random.default_rng(0), np.random.default_rng(9).standard_normal((landmarks, 16))
    labels = np.repeat(np.arange(landmarks), train)
    rows = {
        "train": np.concatenate([centres[labels] + noise * random.standard_normal((len(labels), 16)), random.standard_normal((none, 16))]),
        "index": centres[np.repeat(np.arange(landmarks), 6)] + noise * random.standard_normal((6 * landmarks, 16)),
        "test": random.standard_normal((4, 16)),
    }
    base = Space.from_splits(
        {split: (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for split, each in rows.items()}
    )
    return Context(base, np.concatenate([10 * labels, np.full(none, NONE)]), base.vectors).after(())


def names(verdicts):
    return [step.step for step in chosen(verdicts)]


def measured(monkeypatch, changes, before=0.5):
    """Verdicts where `changes` says what a step does to the share of right predictions, landmark by landmark: step -> (12,)."""

    def recognised(context, chain, parts, neighbours, settings):
        share = before + sum((changes.get(step.step, np.zeros(12)) for step in chain), start=np.zeros(12))
        right = np.concatenate([np.arange(100) < 100 * each for each in share])
        return Recognised(right, np.ones(1200), np.full(1200, True), np.repeat(np.arange(12), 100))

    monkeypatch.setattr(module, "_recognised", recognised)
    return choose_for_recognition(world(), DRAW, 20, RecognizeSettings())


def test_a_step_is_dropped_where_it_surely_loses(monkeypatch):
    assert names(measured(monkeypatch, {"discriminate": np.full(12, -0.1), "add_labels": np.full(12, 0.1)})) == names_of(TRIED)[1:]
    unsure = np.where(np.arange(12) % 2, 0.2, -0.21)
    verdicts = measured(monkeypatch, {"add_labels": unsure})
    assert names(verdicts) == names_of(TRIED) and "does not surely lose on pseudo-queries of 12 landmarks" in verdicts[1].why


def test_index_images_that_show_none_are_in_the_pseudo_index(monkeypatch):
    """Their share is drawn as that of images of no certain landmark."""
    context, found = world(none=30), []
    owners = np.repeat(context.labels[::10][:12], 6)
    owners[::3] = context.labels[-1]
    monkeypatch.setattr(module, "owners_of_index", lambda context: owners)

    def recognised(context, chain, parts, neighbours, settings):
        found.append(parts)
        return Recognised(np.ones(12), np.ones(12), np.full(12, True), np.arange(12))

    monkeypatch.setattr(module, "_recognised", recognised)
    choose_for_recognition(context, DRAW, 20, RecognizeSettings(non_landmark_ids=(NONE,)))
    assert all(np.isin(np.arange(0, 72, 3), parts.index).all() for parts in found)
    assert (owners[::3] == context.labels[-1]).all(), "they are kept for others who ask"


def test_ids_that_train_does_not_hold_are_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(module, "owners_of_index", None)
    with pytest.raises(UserError, match="train has no image of the landmark 4"):
        choose_for_recognition(world(none=3), DRAW, 20, RecognizeSettings(non_landmark_ids=(NONE, 4)))


def names_of(steps):
    return [step.step for step in steps]


def test_the_measure_is_the_mean_of_the_pseudo_worlds_and_landmarks_are_drawn_whole():
    random = np.random.default_rng(3)

    def made(seed):
        random = np.random.default_rng(seed)
        right = random.random(40) < 0.6
        return Recognised(right, random.random(40), right | (random.random(40) < 0.5), subjects)

    subjects = random.integers(0, 7, 40)
    before, after = [made(0), made(1)], [made(2), made(3)]

    def gap(one, counts):
        rows = np.repeat(np.arange(40), counts[one.subjects].astype(int))
        labels, offsets = np.where(one.right, 1, 0)[rows], np.concatenate([[0], np.cumsum(one.answerable[rows])])
        return micro_average_precision(labels, one.confidences[rows], np.ones(offsets[-1], np.int64), offsets)

    def gaps(made, counts):
        return 100 * np.mean([gap(one, counts) for one in made])

    def change(counts):
        return np.array([[gaps(after, row) - gaps(before, row)] for row in counts])

    found = module._change(before, after)
    assert found.before == pytest.approx(gaps(before, np.ones(7))) and found.after == pytest.approx(gaps(after, np.ones(7)))
    low, high = statistic_interval(change, (7, 1), module.SAMPLES)[:, 0]
    assert (found.low, found.high) == pytest.approx((low, high))


def test_queries_of_unknown_landmarks_and_of_none_are_distractors():
    context = world(none=40)
    labels = np.where(context.landmark_ids == NONE, -1, context.labels)
    owners = np.repeat(np.arange(1, 13), 6)
    parts = module._parts(labels, owners, DRAW)
    alone = split_training(labels, owners, DRAW)
    shows_none = labels < 0
    share = sum(map(len, alone.all_rows[:3])) / 120
    assert (
        shows_none[parts.test].sum() == round(0.2 * round(40 * share))
        and shows_none[parts.train].sum() == round(40 * share) - shows_none[parts.test].sum()
    )
    np.testing.assert_array_equal(parts.test[~shows_none[parts.test]], alone.test)
    assert len(set(np.concatenate(parts.all_rows[:3]))) == sum(map(len, parts.all_rows[:3])), "no image has two parts"
    settings = RecognizeSettings(non_landmark_ids=(NONE,), frequent=0)
    made = module._recognised(context, (), parts, 20, settings)
    known = np.isin(labels[parts.test], labels[parts.train]) & ~shows_none[parts.test]
    np.testing.assert_array_equal(made.answerable, known)
    assert 0 < known.sum() < len(known) and (made.right <= known).all() and made.right.any()
    assert len(np.unique(made.subjects[shows_none[parts.test]])) == shows_none[parts.test].sum()
    assert not module._recognised(context, (), alone, 20, settings).answerable.all(), "none of those ids is left: no error"


def test_where_nothing_can_be_measured_it_says_so_and_takes_what_gained_elsewhere():
    overfitted = choose_for_recognition(world(noise=0.01), DRAW, 20, RecognizeSettings())
    assert names(overfitted) == names_of(UNMEASURED) and "overfitted to the training images (GAP " in overfitted[0].why
    few = choose_for_recognition(world(landmarks=3), DRAW, 20, RecognizeSettings())
    assert names(few) == names_of(UNMEASURED) and "3 landmarks are too few" in few[0].why
    one = choose_for_recognition(world(landmarks=1), DRAW, 20, RecognizeSettings())
    assert names(one) == [] and "no two landmarks" in one[0].why


def test_it_is_measured_as_recognize_votes():
    verdicts = choose_for_recognition(world(noise=1.3), DRAW, 20, RecognizeSettings(frequent=1))
    parts = [module._parts(world().labels, module.owners_of_index(world(noise=1.3)), replace(DRAW, seed=seed)) for seed in range(3)]
    first = [module._recognised(world(noise=1.3), (), each, 20, RecognizeSettings(frequent=0)) for each in parts]
    assert verdicts[0].before == pytest.approx(module._change(first, first).before), "nobody is demoted"


def test_of_few_images_the_classes_are_not_taken():
    verdicts = choose_for_recognition(world(train=4, noise=1.3), DRAW, 20, RecognizeSettings())
    assert [verdict.step for verdict in verdicts] == list(TRIED) and "add_classes" not in names(verdicts)
    assert "4 training images" in verdicts[-1].why and np.isnan(verdicts[-1].before) and not np.isnan(verdicts[-2].before)
