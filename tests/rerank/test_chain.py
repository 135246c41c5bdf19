"""Chains of two steps that record what they are given: one turns every list round, the other searches in stretched vectors."""

import errno
import os

import numpy as np
import pytest

from landmarks.config import Step, chain_names, load_config
from landmarks.errors import UserError
from landmarks.ops.rows import LazyRows
from landmarks.ranking import Space
from landmarks.rerank import chain as module
from landmarks.rerank import context as context_module
from landmarks.rerank import vectors
from landmarks.rerank.chain import await_chain, make_chain, open_context, require_disk, space_after
from landmarks.search import spaces as spaces_module
from landmarks.search.rankings import SPACE, chain_artefacts, read_ranking
from landmarks.stages.search import search
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.descriptors import seal_shards, write_shard
from landmarks.store.local_features import local_folder
from landmarks.store.tables import read_tables

CALLS = []  # (step, its ranking, its context), one for each time that a step is applied
BROKEN = set()  # steps that stop with an error


class Turn(Step):
    mark: int = 0

    def apply(self, ranking, context):
        _record(self, ranking, context)
        return ranking.with_order(ranking.indices[:, ::-1].copy())


class Stretch(Step):
    searches = True
    factor: float = 3.0

    def apply(self, ranking, context):
        _record(self, ranking, context)
        vectors = {split: context.space(ranking).vectors(split).astype(np.float32) for split in ("test", "index", "train")}
        for split in vectors:
            vectors[split][:, 0] *= self.factor
        return context.search(ranking, Space.from_splits(vectors))


class Shorten(Step):
    def apply(self, ranking, context):
        return type(ranking)(ranking.query_ids[1:], ranking.index_ids, ranking.indices[1:], ranking.scores[1:])


def _record(step, ranking, context):
    if step in BROKEN:
        raise KeyboardInterrupt
    CALLS.append((step, ranking, context))
    context.attach("notes.txt", f"of {step}")


@pytest.fixture(autouse=True)
def nothing_recorded():
    CALLS.clear()
    BROKEN.clear()


def applied():
    return [step for step, *_ in CALLS]


def make(config, *chain):
    return make_chain(config, chain, lambda: open_context(config))


def ranking_of(config, *chain):
    return read_ranking(config.run.folder / "rankings" / chain_names(chain)[-1])


def fingerprints(config, *chain):
    return [artefact.fingerprint for artefact in chain_artefacts(config, chain)]


def test_every_prefix_is_made_from_the_search_and_the_labels_by_its_own_steps(searched):
    config, chain = searched(), (Stretch(), Turn(), Turn(mark=2))
    artefacts = chain_artefacts(config, chain)
    assert [artefact.folder.name for artefact in artefacts] == chain_names(chain)[1:]
    for steps, artefact in enumerate(artefacts, start=1):
        assert artefact.recipe["settings"] == {"chain": [step.recipe() for step in chain[:steps]]}
        assert artefact.recipe["inputs"].keys() == {"knn", "train", "labels"}
    assert artefacts[0].recipe["inputs"]["knn"] == read_manifest(config.run.folder / "rankings" / "knn")["fingerprint"]


def test_chains_that_begin_alike_share_their_prefixes_until_the_labels_change(searched):
    config = searched()
    one, other = fingerprints(config, Stretch(), Turn(), Turn()), fingerprints(config, Stretch(), Turn(), Turn(mark=1))
    assert one[:2] == other[:2] and one[2] != other[2]
    assert not set(one) & set(fingerprints(config, Stretch(factor=2), Turn(), Turn()))
    table = config.dataset.folder / "train.csv"
    table.write_text(table.read_text().replace(",104", ",4"))
    with pytest.raises(UserError, match="another train.csv"):
        chain_artefacts(config, (Stretch(),))
    search(searched("rerank=sort"))
    assert not set(one) & set(fingerprints(config, Stretch(), Turn(), Turn()))


def test_local_features_are_an_input_from_the_step_on_that_matches_them(searched):
    config = searched("models.tiny.local={}", "rerank=[sort, verify, fuse]")
    for split in ("test", "index", "train"):
        described, ids = (
            Artefact(config.run.folder / "descriptors" / "tiny" / split, "extract", {}, {}),
            read_tables(config.dataset.folder).ids(split),
        )
        described.begin()
        write_shard(described.folder, 0, np.load(config.dataset.folder / f"{split}.npy"), {})
        seal_shards(described.folder, ids)
        described.finish(dimensions=8)
    search(config)
    with pytest.raises(UserError, match="not there, or not finished"):
        chain_artefacts(config, config.rerank)
    for split in ("test", "index", "train"):
        local = Artefact(local_folder(config.run.folder, "tiny", split), "extract-local", {}, {"split": split})
        local.begin()
        local.finish()
    of_sort, of_verify, of_fuse = (artefact.recipe for artefact in chain_artefacts(config, config.rerank))
    assert of_verify["inputs"].keys() - of_sort["inputs"].keys() == {"test features", "index features"}
    assert of_fuse["inputs"].keys() - of_verify["inputs"].keys() == {"train features"}
    assert "verification" not in of_sort["settings"] and of_verify["settings"]["verification"]["trials"] == 1000
    before, after = (
        fingerprints(config, *config.rerank),
        fingerprints(searched("models.tiny.local={}", "verification.trials=7"), *config.rerank),
    )
    assert before[0] == after[0] and not set(before[1:]) & set(after[1:])


def test_without_a_search_there_is_no_chain(tmp_path):
    config = load_config(None, [f"run.folder={tmp_path}"])
    with pytest.raises(UserError, match="not there, or not finished") as caught:
        make(config, Turn())
    assert caught.value.where == tmp_path / "rankings" / "knn" and chain_artefacts(config, ()) == []


def test_on_a_search_of_other_settings_nothing_is_begun(searched):
    config = searched("search.neighbours=5")
    with pytest.raises(UserError, match="made with other settings"):
        make(config, Turn())
    assert applied() == [] and [path.name for path in (config.run.folder / "rankings").iterdir()] == ["knn"]


def test_each_step_takes_the_ranking_of_the_one_before_and_knows_the_chain_so_far(searched):
    config, chain = searched(), (Turn(), Stretch(), Turn(mark=1))
    assert make(config, *chain) == config.run.folder / "rankings" / chain_names(chain)[-1]
    assert applied() == list(chain) and [context.chain for *_, context in CALLS] == [(), chain[:1], chain[:2]]
    knn = read_ranking(config.run.folder / "rankings" / "knn")
    np.testing.assert_array_equal(CALLS[0][1].indices, knn.indices)
    np.testing.assert_array_equal(CALLS[1][1].indices, knn.indices[:, ::-1])
    assert CALLS[1][1].space is None, "those of the first search"
    np.testing.assert_array_equal(ranking_of(config, *chain).indices, ranking_of(config, *chain[:2]).indices[:, ::-1])


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_chain_cut_off_between_two_steps_continues_with_the_second(searched, cut):
    config, chain = searched(), (Stretch(), Turn(), Turn(mark=1))
    BROKEN.add(chain[cut])
    with pytest.raises(KeyboardInterrupt):
        make(config, *chain)
    assert [artefact.is_complete() for artefact in chain_artefacts(config, chain)] == [steps < cut for steps in range(3)]
    CALLS.clear()
    BROKEN.clear()
    make(config, *chain)
    assert applied() == list(chain[cut:])
    if cut:  # the vectors of the search before the cut, as they were read back
        expected = read_ranking(config.run.folder / "rankings" / chain_names(chain)[cut]).indices
        np.testing.assert_array_equal(CALLS[0][1].indices, expected)
        np.testing.assert_allclose(CALLS[0][1].space.index[:, 0], 3 * open_context(config).base.index[:, 0].astype(float), rtol=2e-3)
        assert CALLS[0][2].chain == chain[:cut]


@pytest.mark.parametrize("cut", [Stretch(factor=2), Turn()])
def test_the_vectors_of_the_search_before_are_those_on_disk_wherever_a_chain_was_cut_off(searched, cut):
    config, chain = searched(), (Stretch(), Stretch(factor=2), Turn(), Turn(mark=1))
    BROKEN.add(cut)
    with pytest.raises(KeyboardInterrupt):
        make(config, *chain)
    CALLS.clear(), BROKEN.clear()
    make(config, *chain)
    folders = [config.run.folder / "rankings" / name / SPACE for name in chain_names(chain)]
    _, ranking, context = CALLS[-1]
    assert (context.space_before(ranking).folder, context.space(ranking).folder) == (folders[1], folders[2])
    CALLS.clear()
    make(config, Turn(), Stretch(factor=5), Turn(mark=4))
    before = [context.space_before(ranking) for _, ranking, context in CALLS]
    assert all(space is context.base for space, (_, _, context) in zip(before, CALLS, strict=True)), "that of the first search"


def test_a_chain_that_begins_as_an_earlier_one_makes_its_own_steps_alone(searched):
    config = searched()
    make(config, Stretch(), Turn())
    CALLS.clear()
    make(config, Stretch(), Turn(mark=1))
    assert applied() == [Turn(mark=1)]


def test_where_everything_is_made_no_context_is_opened(searched):
    config = searched()
    folder = make(config, Turn())
    assert make_chain(config, (Turn(),), lambda: pytest.fail("opened")) == folder
    assert make_chain(config, (), lambda: pytest.fail("opened")) == config.run.folder / "rankings" / "knn"


def test_attachments_lie_beside_the_ranking_of_their_step_alone(searched):
    config = searched()
    make(config, Turn(), Turn(mark=1))
    knn, *folders = (config.run.folder / "rankings" / name for name in chain_names((Turn(), Turn(mark=1))))
    assert not (knn / "notes.txt").exists()
    assert [(folder / "notes.txt").read_text() for folder in folders] == [f"of {Turn()}", f"of {Turn(mark=1)}"]
    assert CALLS[1][2].attachments == {"notes.txt": f"of {Turn(mark=1)}"}


def test_a_step_that_loses_a_query_is_refused_and_leaves_nothing_finished(searched):
    config = searched()
    with pytest.raises(UserError, match="test_chain:Shorten returned Ranking, not a Ranking of the same queries"):
        make(config, Turn(), Shorten())
    assert [artefact.is_complete() for artefact in chain_artefacts(config, (Turn(), Shorten()))] == [True, False]


def test_the_vectors_of_the_last_search(searched):
    config, chain = searched(), (Stretch(), Stretch(factor=2), Turn())
    make(config, *chain)
    base = open_context(config).base.index[:, 0].astype(float)
    for steps, factor in ((0, 1), (1, 3), (2, 6), (3, 6)):
        np.testing.assert_allclose(space_after(config, chain[:steps]).index[:, 0], factor * base, rtol=2e-3)
    assert space_after(config, chain).folder == space_after(config, chain[:2]).folder
    assert space_after(config, chain).made == {"ranking": fingerprints(config, *chain)[1]}


def test_disk_is_needed_for_the_searches_that_are_not_made_yet_each_once(searched, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "require_space", lambda folder, what, needed, remedy: asked.append((what, needed)))
    config, shared = searched(), (Stretch(), Turn())
    chains = (shared, (*shared, Stretch()), (*shared, Stretch(factor=2)))
    vectors = 2 * (20 + 30 + 6) * 8
    require_disk(config, chains)
    make(config, *shared)
    require_disk(config, chains)
    require_disk(config, [()])
    assert asked == [(f"the vectors of {steps} steps", vectors * (steps + (steps > 0))) for steps in (3, 2, 0)]


def test_disk_is_counted_by_the_width_of_each_step(searched, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "require_space", lambda folder, what, needed, remedy: asked.append(needed))
    chain = "rerank=[{step: discriminate, dimensions: 3}, {step: add_labels, dimensions: 5}]"
    config = searched("whiten.dimensions=4", f"run.folder={searched().run.folder.parent / 'whitened'}", chain)
    search(config)
    require_disk(config, [config.rerank])  # of 8 dimensions: 3 and 8 beside each other, then 5 for labels
    assert asked == [2 * (20 + 30 + 6) * (11 + 16 + 16)]


def test_vectors_that_stay_as_they_are_are_counted_where_they_must_be_copied(searched, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "require_space", lambda folder, what, needed, remedy: asked.append(needed))
    config = searched("rerank=[expand_query]")
    require_disk(config, [config.rerank])  # of 6 queries; twice, since the largest also lies on disk while it is made
    monkeypatch.setattr(os, "link", no_link)
    require_disk(config, [config.rerank])
    assert asked == [2 * 2 * 6 * 8, 2 * 2 * (20 + 30 + 6) * 8]


def no_link(source, target):
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_much_disk_is_worth_a_line(searched, monkeypatch, capsys):
    config = searched()
    require_disk(config, [(Stretch(),)])
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(module, "_MUCH", 100)
    require_disk(config, [(Stretch(),)])
    assert "rerank: the vectors of 1 steps take up to" in capsys.readouterr().out


def test_a_benchmark_has_nothing_to_learn_from(tmp_path):
    config = load_config(None, [f"run.folder={tmp_path}", "dataset.source=revisited", "rerank=[verify, add_labels, sort]"])
    with pytest.raises(UserError, match="the step add_labels learns from train") as caught:
        make(config, *config.rerank)
    without_train = (
        "add_communities, augment_database, auto, diffuse, expand_query, explore, k_reciprocal, remove_junk, super_global, verify"
    )
    assert caught.value.next.endswith(f"without train: {without_train}") and not list(tmp_path.iterdir())


def test_the_context_has_the_labels_and_the_descriptors_before_whitening_of_its_rows(searched):
    config = searched("whiten.dimensions=3", "rerank=sort")
    search(config)
    context = open_context(config)
    assert context.base.index.shape == (30, 3) and context.landmark_ids.tolist() == [100 + n % 5 for n in range(20)]
    for split in ("train", "index", "test"):
        rows = np.load(config.dataset.folder / f"{split}.npy")
        np.testing.assert_allclose(context.descriptors(split), rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-5)
    assert context.junk is None and context.count_inliers is None and not context.use_gpu
    assert open_context(searched("models.tiny.local={}")).count_inliers is not None


def test_the_other_processes_of_a_run_wait_for_its_first_one_and_make_nothing(searched, monkeypatch):
    config, made = searched(), []
    monkeypatch.setattr(module.time, "sleep", lambda seconds: made.append(make(config, Stretch(), Turn())))
    folder = await_chain(config, (Stretch(), Turn()))
    assert made == [folder] and len(applied()) == 2
    assert await_chain(config, (Stretch(), Turn())) == folder and len(made) == 1
    assert await_chain(config, ()).name == "knn"


CLASSIFY = "{step: classify, epochs: 1, hidden: 8, dimensions: 4}"


def test_descriptors_that_are_read_in_blocks_give_the_same_rankings(searched, monkeypatch):
    steps = f"rerank=[{{step: discriminate}}, {{step: add_labels, neighbours: 3}}, {CLASSIFY}, {{step: add_classes}}]"
    made = {}
    for name, limit in (("whole", 1 << 28), ("blocks", 0)):
        monkeypatch.setattr("landmarks.ops.rows.LARGE", limit)
        settings = searched(steps, f"run.folder={searched().run.folder.parent / name}")
        search(settings)
        opened = open_context(settings)
        assert isinstance(opened.descriptors("train"), LazyRows if limit == 0 else np.ndarray)
        made[name] = read_ranking(make_chain(settings, settings.rerank, lambda opened=opened: opened))
    np.testing.assert_array_equal(made["whole"].indices, made["blocks"].indices)
    np.testing.assert_array_equal(made["whole"].scores, made["blocks"].scores)


def test_the_discriminant_is_projected_once_and_searched_where_it_is_stored(searched, monkeypatch):
    made, searches = [], []
    project, find = vectors.projected_space, context_module.nearest
    monkeypatch.setattr(vectors, "projected_space", lambda *given: made.append(1) or project(*given))
    monkeypatch.setattr(context_module, "nearest", lambda space, *given: searches.append((space.folder, *given[:2])) or find(space, *given))
    config = searched("rerank=[{step: discriminate}, {step: add_labels, neighbours: 3}, {step: add_classes, neighbours: 3}]")
    search(config)
    opened = open_context(config)
    folder = make_chain(config, config.rerank, lambda: opened)
    stored = chain_artefacts(config, config.rerank)[0].folder / SPACE
    assert len(made) == 1 and searches.count((stored, "index", "train")) == 2, "the second finds what the first kept beside the vectors"
    again = searched("rerank=[{step: add_classes, neighbours: 3}]", f"run.folder={config.run.folder.parent / 'again'}")
    search(again)
    make(again, *again.rerank)
    assert len(made) == 2, "without the step discriminate it is projected too"
    assert read_ranking(folder).indices.shape == read_ranking(chain_artefacts(again, again.rerank)[-1].folder).indices.shape


def test_nothing_is_searched_twice_and_vectors_that_stay_take_no_disk(searched, monkeypatch):
    averages = "{step: expand_query, reach: 3}, {step: augment_database, mutual: true, neighbours: 3}"
    last = "{step: add_classes, neighbours: 3}, {step: diffuse, neighbours: 3, candidates: 8, weight: 0.5, earlier: true}"
    steps = f"rerank=[{{step: discriminate}}, {{step: add_labels, neighbours: 3}}, {averages}, {last}]"
    made, searches, find = {}, [], spaces_module.search
    monkeypatch.setattr(spaces_module, "search", lambda *given: searches.append(given[3]) or find(*given))
    for name in ("kept", "forgotten"):
        if name == "forgotten":
            monkeypatch.setattr(context_module.Context, "store", lambda self, before, made, stored: None)
        settings = searched(steps, f"run.folder={searched().run.folder.parent / name}")
        search(settings)
        searches.clear()
        opened = open_context(settings)
        make_chain(settings, settings.rerank, lambda opened=opened: opened)
        artefacts = chain_artefacts(settings, settings.rerank)
        made[name] = read_ranking(artefacts[-1].folder), searches.count("search index in index"), searches.count("search test in index")
    np.testing.assert_array_equal(made["kept"][0].indices, made["forgotten"][0].indices)
    np.testing.assert_array_equal(made["kept"][0].scores, made["forgotten"][0].scores)
    assert made["kept"][1:] == (4, 0), "in the discriminant's vectors, with labels, averaged, and with classes"
    files = [[artefact.folder / SPACE / f"{split}.npy" for split in ("test", "index", "train")] for artefact in artefacts[1:4]]
    assert [[one.samefile(other) for one, other in zip(*pair, strict=True)] for pair in zip(files, files[1:])] == [
        [False, True, True],
        [True, False, True],
    ]
