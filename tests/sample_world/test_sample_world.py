"""The sample world: the same bytes everywhere, a plan that can be scored, pictures that differ."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest

from sample_world import plan_world, render_shot


@pytest.fixture(scope="module")
def plan():
    return plan_world()


@pytest.fixture(scope="module")
def pictures():
    """Up to 60 photos of a small world, every view and split among them."""
    return [(shot, render_shot(shot, 96)) for shot in plan_world(landmarks=8)[:60]]


def digest(shots, longest_side):
    return hashlib.sha256(b"".join(render_shot(shot, longest_side).tobytes() for shot in shots)).hexdigest()


def test_same_bytes_in_another_order_and_another_process():
    shots = plan_world(landmarks=4, seed=3)[:12]
    forward = digest(shots, 64)
    for shot in reversed(shots):
        render_shot(shot, 64)
    assert digest(shots, 64) == forward
    program = """
import hashlib
from sample_world import plan_world, render_shot
backwards = [render_shot(shot, 64) for shot in reversed(plan_world(landmarks=4, seed=3)[:12])]
print(hashlib.sha256(b"".join(picture.tobytes() for picture in reversed(backwards))).hexdigest())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == forward


def test_size_and_type(pictures):
    aspects = set()
    for _, picture in pictures:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        assert max(picture.shape[:2]) == 96
        aspects.add(picture.shape[:2])
    assert len(aspects) >= 5


def test_no_picture_is_constant(pictures):
    for shot, picture in pictures:
        assert picture.std() > 4, shot


def test_pictures_of_one_landmark_differ(pictures):
    digests = [hashlib.sha256(picture.tobytes()).hexdigest() for _, picture in pictures]
    assert len(set(digests)) == len(digests)


def test_another_seed_is_another_world():
    first, second = plan_world(landmarks=4, seed=0), plan_world(landmarks=4, seed=1)
    assert not {shot.id for shot in first} & {shot.id for shot in second}
    shot = next(shot for shot in first if shot.view == "exterior")
    assert not np.array_equal(render_shot(shot, 48), render_shot(dataclasses.replace(shot, seed=1), 48))


def test_ids_are_unique_hexadecimal(plan):
    assert len({shot.id for shot in plan}) == len(plan)
    assert all(len(shot.id) == 16 and set(shot.id) <= set("0123456789abcdef") for shot in plan)


def test_sizes_of_the_default_world(plan):
    counts = Counter(shot.split for shot in plan)
    assert 1100 <= counts["train"] <= 1500 and 750 <= counts["index"] <= 1050 and 290 <= counts["test"] <= 370
    usage = Counter(shot.usage for shot in plan if shot.split == "test")
    assert 0.30 < usage["Public"] / (usage["Public"] + usage["Private"]) < 0.37
    assert 40 <= usage["Ignored"] <= 60
    distractors = sum(shot.landmark is None for shot in plan if shot.split == "index")
    assert 0.27 < distractors / counts["index"] < 0.33


@pytest.mark.parametrize("landmarks", [2, 8, 72])
def test_every_scored_query_can_be_answered(landmarks):
    shots = plan_world(landmarks=landmarks)
    index = Counter(shot.landmark for shot in shots if shot.split == "index" and shot.landmark is not None)
    scored = [shot for shot in shots if shot.usage in ("Public", "Private")]
    assert scored and all(3 <= index[shot.landmark] <= 20 for shot in scored)
    assert all(shot.split == "test" and shot.landmark is not None for shot in scored)
    assert set(index) == set(range(landmarks))
    trained = {shot.landmark for shot in shots if shot.split == "train"}
    untrained = {shot.landmark for shot in scored if shot.group == "not in train"}
    assert untrained == set(range(landmarks)) - trained and untrained


def test_interiors_are_linked_to_exteriors_in_every_split(plan):
    views = defaultdict(set)
    for shot in plan:
        if shot.landmark is not None:
            views[shot.split, shot.landmark].add(shot.view)
    with_interior = {landmark for (_, landmark), seen in views.items() if "interior" in seen}
    assert 20 <= len(with_interior) <= 28
    for (_, landmark), seen in views.items():
        assert seen == ({"exterior", "interior"} if landmark in with_interior else {"exterior"})


def test_some_landmarks_have_look_alikes_and_some_have_none(plan):
    members = defaultdict(set)
    for shot in plan:
        if shot.landmark is not None:
            members[shot.family].add(shot.landmark)
    sizes = Counter(len(landmarks) for landmarks in members.values())
    assert set(sizes) <= {1, 2, 3} and sizes[1] >= 10 and sizes[2] + sizes[3] >= 10


def test_only_test_photos_carry_a_usage_and_a_group(plan):
    for shot in plan:
        assert (shot.usage is not None) == (shot.group is not None) == (shot.split == "test")
        assert (shot.view == "distractor") == (shot.landmark is None)


def test_a_world_of_one_landmark_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        plan_world(landmarks=1)


def test_every_landmark_of_the_default_world_can_be_built(plan):
    seen = {}
    for shot in plan:
        if shot.landmark is not None:
            seen.setdefault((shot.landmark, shot.view), shot)
    for shot in seen.values():
        assert render_shot(shot, 32).std() > 2, shot
