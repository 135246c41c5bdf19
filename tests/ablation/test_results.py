"""The tables from scores made up, so that every value follows by hand."""

import numpy as np
import pandas as pd
import pytest

from landmarks.ablation.comparisons import comparisons
from landmarks.ablation.results import Scored, compare, compare_combinations
from landmarks.config import chain_names, load_config
from landmarks.scoring.judge import Judge, Judged
from landmarks.search.rankings import Cost

USAGES = np.array(["Private", "Private", "Public", "Public"], dtype=object)
SCORES = {
    "knn": [0.0, 0.5, 0.25, 1.0],
    "sort": [0.5, 0.5, 0.75, 0.5],  # two helped, one hurt, one changed by less than the threshold
    "sort+insert": [0.5, 0.5 + 1e-12, 0.75, 0.5],
    "insert": [0.5, 0.5, 0.25, 1.0],
}
COSTS = {
    "knn": (2.0, None, 2.0, None),
    "sort": (1.0, 50.0, 3.0, 50.0),
    "sort+insert": (0.5, 40.0, 3.5, 50.0),
    "insert": (0.7, 45.0, 2.7, 45.0),
}


class Plain(Judge):
    """A judge with nothing of its own."""

    queries = counts = judge = per_query = true_images = subjects = None


def judged(precisions):
    """As retrieval judges them: public and private queries have columns of their own."""
    precisions = np.array(precisions)
    usages = USAGES[: len(precisions)]
    measures = {f"map_{usage.lower()}": np.where(usages == usage, precisions, np.nan) for usage in ("Private", "Public")}
    return Judged(measures, precisions, {})


def scored(chain):
    name = chain_names(chain)[-1]
    return Scored(name, judged(SCORES[name]), Cost(*COSTS[name]))


def table(among=(True, True, True, True), *overrides):
    config = load_config(None, ["rerank=[{step: sort}, {step: insert}]", "ablate.samples=500", *overrides])
    return compare(
        comparisons(config.rerank, config.ablate.leave_one_out, config.ablate.chains), scored, Plain(), np.array(among), config.ablate
    ).set_index("row")


def test_every_value_follows_from_the_scores():
    rows = table()
    assert rows.index.tolist() == ["knn", "+ sort", "+ insert", "= all steps", "- sort", "- insert"]
    assert rows["map_private"].tolist() == [25, 50, 50, 50, 50, 50] and rows["map_public"].tolist() == [62.5] * 6
    assert rows["reference"].tolist()[1:] == ["knn", "sort", "knn", "sort+insert", "sort+insert"]
    assert rows["change"].tolist()[1:] == [12.5, 0, 12.5, 0, 0] and np.isnan(rows["change"].iloc[0])
    assert rows["helped"].tolist()[1:] == [2, 0, 2, 1, 0] and rows["hurt"].tolist()[1:] == [1, 0, 1, 1, 0]
    assert rows["queries"].eq(4).all()


def test_costs_are_those_of_the_step_or_of_the_chain():
    rows = table()
    assert rows.loc[["knn", "+ sort", "+ insert"], "seconds"].tolist() == [2, 1, 0.5]
    assert rows.loc[["= all steps", "- sort", "- insert"], "seconds"].isna().all()
    assert rows["total_seconds"].tolist() == [2, 3, 3.5, 3.5, 2.7, 3]
    assert rows["peak_megabytes"].tolist()[1:] == [50, 40, 50, 45, 50] and np.isnan(rows["peak_megabytes"].iloc[0])


def test_the_interval_is_that_of_the_change_in_percent():
    rows = table()
    assert rows.loc["+ sort", "change_low"] == -25 and rows.loc["+ sort", "change_high"] == 50  # of 4 queries, draws vary widely
    assert abs(rows.loc["+ insert", "change_low"]) < 1e-6 and abs(rows.loc["+ insert", "change_high"]) < 1e-6
    assert rows.loc["- sort", "change_low"] <= rows.loc["- sort", "change"] <= rows.loc["- sort", "change_high"]


def test_only_the_queries_asked_for_count():
    rows = table((True, True, False, False))
    assert rows["map_public"].isna().all() and rows["queries"].eq(2).all()
    assert rows.loc["+ sort", ["map_private", "change", "helped", "hurt"]].tolist() == [50, 25, 1, 0]


@pytest.fixture
def sweep():
    """Three chains: the first query chooses "b", which the others regret."""
    config = load_config(None, ["rerank=[{step: sort}]"])
    chains = [load_config(None, [f"rerank=[{{step: sort, neighbours: {n}}}]"]).rerank for n in (3, 4, 5, 6)]
    scores = dict(zip(chains, ([0.2, 0.9, 0.9], [0.6, 0.1, 0.3], [0.1, 1.0, 1.0], [0.6, 1.0, 1.0]), strict=True))
    choosing = np.array([True, False, False])
    costing = {chain: Scored(chain_names(chain)[-1], judged(scores[chain]), Cost(1, 1, 2, 1)) for chain in chains}
    made = compare_combinations(chains, [("sort", "neighbours")], costing.get, Plain(), choosing)
    return config, chains, made


def test_the_best_is_chosen_on_one_side_whatever_the_other_says(sweep):
    _, chains, (frame, best) = sweep
    assert best is chains[1], "among equals the earlier"
    assert frame["sort.neighbours"].tolist() == [4, 6, 3, 5] and frame["choosing"].tolist() == [60, 60, 20, 10]


def test_the_other_side_is_told_of_the_best_and_of_the_chain_as_it_stands_alone(sweep):
    frame = sweep[2][0].set_index("sort.neighbours")["scoring"]
    assert frame[4] == 20 and frame[3] == 90 and frame[[5, 6]].isna().all()


def test_empty_cells_stay_empty_on_disk(tmp_path):
    table().reset_index().to_csv(tmp_path / "a.csv", index=False)
    assert pd.read_csv(tmp_path / "a.csv")["helped"].tolist()[1:] == [2, 0, 2, 1, 0]
    assert (tmp_path / "a.csv").read_text().splitlines()[2].split(",")[-5:] == ["2", "1", "1.0", "3.0", "50.0"]
