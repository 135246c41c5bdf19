from landmarks.ablation.comparisons import CHAIN, LEFT_OUT, comparisons
from landmarks.config import chain_names, load_config


def rows(*overrides):
    def name(chain):
        return None if chain is None else chain_names(chain)[-1]

    config = load_config(None, overrides)
    found = comparisons(config.rerank, config.ablate.leave_one_out, config.ablate.chains)
    return [(row.section, row.label, name(row.chain), name(row.reference), row.adds_a_step) for row in found]


def test_prefixes_go_step_by_step_and_a_step_left_out_is_held_against_the_whole():
    assert rows("rerank=[{step: expand_query}, {step: sort, neighbours: 5}, {step: insert}]") == [
        (CHAIN, "knn", "knn", None, False),
        (CHAIN, "+ expand_query", "expand_query", "knn", True),
        (CHAIN, "+ sort(neighbours=5)", "expand_query+sort(neighbours=5)", "expand_query", True),
        (CHAIN, "+ insert", "expand_query+sort(neighbours=5)+insert", "expand_query+sort(neighbours=5)", True),
        (CHAIN, "= all steps", "expand_query+sort(neighbours=5)+insert", "knn", False),
        (LEFT_OUT, "- expand_query", "sort(neighbours=5)+insert", "expand_query+sort(neighbours=5)+insert", False),
        (LEFT_OUT, "- sort(neighbours=5)", "expand_query+insert", "expand_query+sort(neighbours=5)+insert", False),
        (LEFT_OUT, "- insert", "expand_query+sort(neighbours=5)", "expand_query+sort(neighbours=5)+insert", False),
    ]


def test_named_chains_come_last_and_nothing_is_left_out_unasked():
    chains = "ablate.chains={a: [{step: sort}], b: [{step: insert}, {step: sort}]}"
    assert rows("ablate.leave_one_out=false", chains) == [
        (CHAIN, "knn", "knn", None, False),
        ("a", "+ sort", "sort", "knn", True),
        ("b", "+ insert", "insert", "knn", True),
        ("b", "+ sort", "insert+sort", "insert", True),
        ("b", "= all steps", "insert+sort", "knn", False),
    ]


def test_a_step_that_stands_twice_is_told_apart_by_its_place():
    labels = [label for _, label, *_ in rows("rerank=[{step: sort}, {step: insert}, {step: sort}]")]
    assert labels[5:] == ["- sort (step 1)", "- insert", "- sort (step 3)"]


def test_a_chain_of_one_step_without_it_is_the_search():
    assert rows("rerank=[{step: sort}]")[-1] == (LEFT_OUT, "- sort", "knn", "sort", False)
    assert rows() == [(CHAIN, "knn", "knn", None, False)]
