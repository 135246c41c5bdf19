from itertools import product

import numpy as np
import pytest

from landmarks.ablation.sweep import as_yaml, choosing_queries, combinations, swept_keys, swept_values
from landmarks.config import load_config
from landmarks.errors import UserError

CHAIN = "rerank=[{step: sort}, {step: insert, threshold: 0.7}]"
GRID = "ablate.sweep={sort: {neighbours: [1, 3, 5]}, insert: {threshold: [0.5, 0.7], neighbours: [3, 9]}}"


def tried(config):
    return combinations(config.rerank, config.ablate, config.search.neighbours)


def settings_of(chains):
    return [(sort.neighbours, insert.threshold, insert.neighbours) for sort, insert in chains]


def test_the_grid_is_every_combination_once_and_the_chain_as_it_stands_comes_first():
    config = load_config(None, [CHAIN, GRID])
    grid = settings_of(tried(config))
    assert grid[0] == (3, 0.7, 3) and set(grid) == set(product([1, 3, 5], [0.5, 0.7], [3, 9])) and len(grid) == 12
    assert swept_keys(config.ablate) == [("sort", "neighbours"), ("insert", "threshold"), ("insert", "neighbours")]
    assert swept_values(tried(config)[0], swept_keys(config.ablate)) == [3, 0.7, 3]


def test_trials_are_a_part_of_the_grid_that_the_seed_draws():
    everything = set(settings_of(tried(load_config(None, [CHAIN, GRID]))))
    drawn = [settings_of(tried(load_config(None, [CHAIN, GRID, "ablate.sweep_trials=4", f"ablate.seed={n}"]))) for n in range(4)]
    assert all(set(some) <= everything and len(some) in (4, 5) for some in drawn)  # 4 where the chain itself was drawn
    assert drawn[1] == settings_of(tried(load_config(None, [CHAIN, GRID, "ablate.sweep_trials=4", "ablate.seed=1"])))
    assert len({tuple(some) for some in drawn}) > 1
    assert len(tried(load_config(None, [CHAIN, GRID, "ablate.sweep_trials=99"]))) == 12


def test_a_grid_too_large_to_write_down_can_be_drawn_from():
    many = "ablate.sweep={insert: {threshold: [%s], neighbours: [%s]}, sort: {neighbours: [%s]}}"
    lists = (", ".join(f"0.{n:03d}" for n in range(1, 999)), *[", ".join(map(str, range(1, 1001)))] * 2)
    assert len(tried(load_config(None, [CHAIN, many % lists, "ablate.sweep_trials=3"]))) == 4


def test_a_step_that_stands_twice_changes_twice():
    config = load_config(None, ["rerank=[{step: sort}, {step: insert}, {step: sort}]", "ablate.sweep.sort.neighbours=[7]"])
    assert [step.neighbours for step in tried(config)[1]] == [7, 3, 7]


def test_a_step_that_the_chain_has_not_is_refused():
    with pytest.raises(UserError, match="changes expand_query, and the chain has no such step"):
        tried(load_config(None, [CHAIN, "ablate.sweep.expand_query.power=[1]"]))


SUBJECTS = ["a", "b", "a", "c", "d", "b"]  # four landmarks; the first and the second have two queries each


@pytest.mark.parametrize("seed", range(6))
def test_half_of_the_landmarks_choose_with_all_their_queries(seed):
    choosing = choosing_queries(SUBJECTS, None, "half", seed)
    assert choosing[0] == choosing[2] and choosing[1] == choosing[5]
    assert sum(choosing[[0, 1, 3, 4]]) == 2


def test_the_halves_come_from_the_seed_and_the_subjects_not_from_any_order():
    halves = [choosing_queries(SUBJECTS, None, "half", seed) for seed in range(6)]
    assert len({half.tobytes() for half in halves}) > 1
    np.testing.assert_array_equal(choosing_queries(SUBJECTS[::-1], None, "half", 3)[::-1], halves[3])


def test_the_public_queries_choose_for_the_private_ones():
    public = np.array([True, False, True, False, False, False])
    assert choosing_queries(SUBJECTS, public, "public", 0).tolist() == public.tolist()


@pytest.mark.parametrize(
    ("subjects", "public", "how"),
    [
        (SUBJECTS, np.ones(6, bool), "public"),
        (SUBJECTS, np.zeros(6, bool), "public"),
        (SUBJECTS, None, "public"),
        (["a", "a"], None, "half"),
        ([], None, "half"),
    ],
)
def test_a_side_without_queries_is_refused(subjects, public, how):
    with pytest.raises(UserError, match="chosen on some queries and scored on others"):
        choosing_queries(subjects, public, how, 0)


def test_the_lines_to_paste_are_the_chain(tmp_path):
    config = load_config(None, [CHAIN, GRID])
    for chain in tried(config):
        (tmp_path / "c.yaml").write_text(as_yaml(chain))
        assert load_config(tmp_path / "c.yaml").rerank == chain
    assert as_yaml(config.rerank) == "rerank:\n  - {step: sort}\n  - {step: insert, threshold: 0.7}"
