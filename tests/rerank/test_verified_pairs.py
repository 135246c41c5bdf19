import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

import landmarks.rerank.pair_verifier as module
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.processes import Processes
from landmarks.rerank import verified_pairs
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.store.artefact import Artefact
from landmarks.store.local_features import local_folder, part_path, write_part

QUERY_IDS, INDEX_IDS = (np.array([f"{letter}{n}" for n in range(count)], object) for letter, count in (("q", 4), ("i", 9)))
POINTS, FEATURES = 12, 40  # places of the world, features a photo


@pytest.fixture
def config(tmp_path):
    """A run with local features of four queries and nine index images, which share places, each in its own frame."""
    config = load_config(None, [f"run.folder={tmp_path}", "models.m.local={dimensions: 16}"])
    rng = np.random.default_rng(0)
    world = rng.standard_normal((300, 16)), 800 * rng.random((300, 2))
    for split, ids in (("test", QUERY_IDS), ("index", INDEX_IDS)):
        artefact = Artefact(local_folder(config.run.folder, "m", split), "extract-local", {}, {})
        artefact.begin()
        for number, part in enumerate(np.array_split(np.arange(len(ids)), 2)):
            seen = [rng.permutation(60)[:FEATURES] + 60 * (image % 3) for image in part]
            descriptors = np.concatenate([world[0][places] for places in seen]) + 0.05 * rng.standard_normal((len(part) * FEATURES, 16))
            frame = np.concatenate([world[1][places] * (0.7 + 0.1 * image) + 20 * image for places, image in zip(seen, part)])
            rest = np.ones((len(frame), 2))
            features = LocalFeatures(
                descriptors=(descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)).astype(np.float16),
                factors=None,
                keypoints=np.column_stack([frame, rest]).astype(np.float32),
                offsets=np.arange(len(part) + 1, dtype=np.int64) * FEATURES,
            )
            write_part(part_path(artefact.folder, number, ids[part]), ids[part], features, {})
        artefact.finish()
    return config


def verified(config):
    return VerifiedPairs(config.run, config.verification, "m", ("test", "index"), QUERY_IDS, INDEX_IDS)


ALL = tuple(np.divmod(np.arange(36), 9))


def as_lists(counts, rows=slice(None)):
    return [column[rows].tolist() for column in counts]


@pytest.fixture
def counted(monkeypatch):
    """How many pairs were verified."""
    calls = []

    def count(queries, index, pairs, *more, **others):
        calls.append(len(pairs))
        return verify_pairs(queries, index, pairs, *more, **others)

    verify_pairs = module.verify_pairs
    monkeypatch.setattr(module, "verify_pairs", count)
    return calls


def test_every_pair_is_what_it_is_alone_whatever_the_blocks_and_the_order(config, tmp_path, monkeypatch):
    together = verified(config).counts(*ALL)
    same = ALL[0] % 3 == ALL[1] % 3
    assert together.inliers[same].min() > 10 and together.inliers[~same].max() < 8, "photos of one place, and of two"
    monkeypatch.setattr(verified_pairs, "VERIFIED_TOGETHER", 5)
    monkeypatch.setattr(verified_pairs, "KEPT_TOGETHER", 11)
    order = np.random.default_rng(1).permutation(36)
    moved = config.model_copy(update={"run": config.run.model_copy(update={"folder": tmp_path / "again"})})
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "local").symlink_to(tmp_path / "local")
    shuffled = verified(moved).counts(ALL[0][order], ALL[1][order])
    assert as_lists(shuffled) == as_lists(together, order)


def test_a_pair_is_verified_once_by_whoever_asks(config, counted):
    query, index = ALL[0][:20], ALL[1][:20]
    first = verified(config).counts(np.concatenate([query, query[::-1]]), np.concatenate([index, index[::-1]]))
    assert sum(counted) == 20 and as_lists(first, slice(20)) == as_lists(first, slice(None, 19, -1))
    again = verified(config)
    assert as_lists(again.counts(query, index)) == as_lists(first, slice(20)) and sum(counted) == 20
    again.counts(*ALL)
    assert sum(counted) == 36 and again.pairs_per_second > 0


def test_cut_off_it_goes_on_where_the_last_block_ended(config, counted, monkeypatch):
    monkeypatch.setattr(verified_pairs, "VERIFIED_TOGETHER", 4)
    monkeypatch.setattr(verified_pairs, "KEPT_TOGETHER", 8)
    monkeypatch.setattr(verified_pairs, "PARTS", 1)
    counting = module.verify_pairs

    def cut_off(*arguments, **others):
        if sum(counted) == 20:
            raise KeyboardInterrupt
        return counting(*arguments, **others)

    monkeypatch.setattr(module, "verify_pairs", cut_off)
    with pytest.raises(KeyboardInterrupt):
        verified(config).counts(*ALL)
    counted.clear()
    monkeypatch.setattr(module, "verify_pairs", counting)
    verified(config).counts(*ALL)
    assert sum(counted) == 36 - 16


def test_no_pairs_and_images_without_features(config):
    none = np.empty(0, np.int64)
    assert verified(config).counts(none, none).inliers.shape == (0,) and verified(config).pairs_per_second is None
    with pytest.raises(UserError, match="1 of 2 images have no local features, first 'new'"):
        VerifiedPairs(config.run, config.verification, "m", ("test", "index"), QUERY_IDS, np.append(INDEX_IDS, "new")).counts(
            np.array([0, 0]), np.array([0, 9])
        )
    with pytest.raises(UserError, match="not there, or not finished"):
        VerifiedPairs(config.run, config.verification, "m", ("train", "train"), QUERY_IDS, QUERY_IDS)


@pytest.fixture
def a_card(monkeypatch):
    """A GPU whose memory holds 100 pairs, played by the CPU; returns the numbers of pairs that it verified."""
    batches, verify_pairs_torch = [], module.verify_pairs_torch

    def on_tensors(queries, index, pairs, seeds, settings, device, batch):
        assert device.type == "cuda"
        if batch > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        batches.append(len(pairs))
        return verify_pairs_torch(queries, index, pairs, seeds, settings, "cpu")

    monkeypatch.setattr(module, "verify_pairs_torch", on_tensors)
    monkeypatch.setattr(verified_pairs, "choose_device", lambda requested: (torch.device("cuda"), "a card"))
    return batches


def test_on_a_gpu_tensors_verify_and_keep_a_table_of_their_own(config, request):
    on_cpu = verified(config).counts(*ALL)
    batches = request.getfixturevalue("a_card")
    opened = verified(config)
    found = opened.counts(*ALL)
    assert opened._verifier.together == 64, "halved twice, and remembered"
    assert sum(batches) == 36, "nothing of the other processor's table was taken"
    np.testing.assert_array_equal(found.matches, on_cpu.matches)
    same = ALL[0] % 3 == ALL[1] % 3
    assert np.abs(found.inliers.astype(int) - on_cpu.inliers)[same].max() <= 2 and found.inliers[~same].max() < 8


@pytest.fixture
def in_nine_parts(monkeypatch):
    monkeypatch.setattr(verified_pairs, "VERIFIED_TOGETHER", 2)
    monkeypatch.setattr(verified_pairs, "PARTS", 9)


def test_the_cores_verify_their_share_beside_a_gpu_whatever_the_number_of_processes(config, a_card, counted, in_nine_parts, tmp_path):
    config = config.model_copy(update={"verification": config.verification.model_copy(update={"cpu_share": 0.25})})
    found = verified(config).counts(*ALL)
    assert sum(a_card) == 27 and sum(counted) == 9, "one of four queries"
    assert as_lists(verified(config).counts(*ALL)) == as_lists(found) and sum(a_card) == 27, "all of them are kept"
    alone = [path.read_bytes() for path in sorted((tmp_path / "pairs/m").glob("*/0*.npy"))]
    shutil.rmtree(tmp_path / "pairs")
    halves = [VerifiedPairs(config.run, config.verification, "m", ("test", "index"), QUERY_IDS, INDEX_IDS, None, Two(n)) for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda half: half.counts(*ALL), halves))
    assert [as_lists(counts) for counts in both] == [as_lists(found)] * 2
    assert [path.read_bytes() for path in sorted((tmp_path / "pairs/m").glob("*/0*.npy"))] == alone and len(alone) == 3 + 7


class Two(Processes):
    """One of two processes that are threads, and meet at a barrier."""

    together = Barrier(2)

    def __init__(self, number):
        super().__init__(number, 2)

    def meet(self):
        self.together.wait(60)


@pytest.mark.parametrize("broken", ["verify_pairs", "verify_pairs_torch"])
def test_an_error_of_the_cores_or_the_gpu_ends_the_other_and_nothing_finished_is_lost(
    config, a_card, counted, in_nine_parts, monkeypatch, broken
):
    config = config.model_copy(update={"verification": config.verification.model_copy(update={"cpu_share": 0.5})})
    working, calls = getattr(module, broken), []

    def breaks(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise UserError("a damaged file")
        return working(*arguments)

    monkeypatch.setattr(module, "ON_A_GPU", 64)
    monkeypatch.setattr(module, broken, breaks)
    with pytest.raises(UserError, match="a damaged file"):
        verified(config).counts(*ALL)
    monkeypatch.setattr(module, broken, working)
    before = sum(a_card) + sum(counted)
    kept = len(verified(config)._table)
    assert kept >= 4, "the first part of the one that broke"
    verified(config).counts(*ALL)
    assert sum(a_card) + sum(counted) - before == 36 - kept
