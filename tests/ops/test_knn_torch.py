"""The search of GPUs, here on the CPU, against a sort of all similarities in float64."""

import numpy as np
import pytest
import torch

from landmarks import cuda
from landmarks.cuda import Cards, own_cards
from landmarks.ops import knn_torch
from landmarks.ops.knn import exact_knn, open_index, streamed_knn
from landmarks.ops.knn_torch import TorchIndex

CPU = torch.device("cpu")


def numbers(rows, columns, seed, dtype=np.float16):
    """Small whole numbers: products are exact, and many are equal."""
    return np.random.default_rng(seed).integers(-2, 3, (rows, columns)).astype(dtype)


@pytest.fixture
def as_gpus(monkeypatch):
    """as_gpus(number, fits): what asks for GPUs is given so many devices, all of them this CPU."""

    def give(number=1, fits=True, chunk=7):
        monkeypatch.setattr(TorchIndex, "_fits", lambda self, device: fits)
        monkeypatch.setattr(knn_torch, "QUERIES", 5)
        monkeypatch.setattr("landmarks.ops.knn._on_gpus", lambda index: TorchIndex(index, [CPU] * number, chunk=chunk))

    return give


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f2"])
@pytest.mark.parametrize(("fits", "cards"), [(True, 1), (True, 3), (False, 1), (False, 2)])
@pytest.mark.parametrize(("queries", "index", "k"), [(13, 40, 9), (13, 40, 60), (2, 3, 1), (13, 40, 40)])
def test_neighbours_equal_a_full_sort(as_gpus, queries, index, k, fits, cards, dtype):
    as_gpus(cards, fits)
    a, b = numbers(queries, 6, 0, np.float32), numbers(index, 6, 1).astype(dtype)
    product = a.astype(np.float64) @ b.astype(np.float64).T
    for indices, similarities in (exact_knn(a, b, k, use_gpu=True), streamed_knn(a, b, k, use_gpu=True)):
        assert indices.dtype == np.int32 and similarities.dtype == np.float32 and indices.shape == (queries, k)
        np.testing.assert_array_equal(similarities[:, :index], -np.sort(-product, axis=1)[:, :k])
        for row, values, products in zip(indices[:, :index], similarities[:, :index], product, strict=True):
            assert len(set(row.tolist())) == len(row) and np.array_equal(products[row], values)
            same = values[1:] == values[:-1]
            assert (row[1:][same] > row[:-1][same]).all(), "equal similarities are in index order"
        assert (indices[:, index:] == -1).all() and np.isneginf(similarities[:, index:]).all()


def test_more_than_2048_neighbours_are_found(as_gpus):
    as_gpus(chunk=1000)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((5000, 4)).astype(np.float32)
    indices, _ = exact_knn(a, b, 3000, use_gpu=True)
    np.testing.assert_array_equal(indices, np.argsort(-(a.astype(np.float64) @ b.astype(np.float64).T), axis=1)[:, :3000])


def test_the_index_is_copied_once_for_all_blocks_where_it_fits_and_goes_by_otherwise(as_gpus, monkeypatch):
    copied, copy = [], TorchIndex._copy
    monkeypatch.setattr(TorchIndex, "_copy", lambda self, start, device: copied.append(start) or copy(self, start, device))
    a, b = numbers(20, 4, 0, np.float32), numbers(21, 4, 1)
    done = []
    as_gpus(fits=True)
    open_index(b, use_gpu=True)(a, 3, done.append)
    assert done == [5] * 4 and copied == [0, 7, 14]
    copied.clear()
    done.clear()
    as_gpus(fits=False)
    open_index(b, use_gpu=True)(a, 3, done.append)
    assert done == [20], "so that it goes by once, not four times"
    assert copied == [0, 7, 14]


def test_float16_stays_float16_on_the_card(as_gpus):
    kept = TorchIndex(numbers(9, 4, 0), [CPU])._cards[0].kept
    assert {tensor.dtype for tensor in kept} == {torch.float16}


def test_progress_is_that_of_one_card(as_gpus):
    as_gpus(3)
    seen = []
    streamed_knn(numbers(9, 4, 0, np.float32), numbers(20, 4, 1), 3, use_gpu=True, on_block=seen.append)
    assert seen == [7, 7, 6]


def test_nothing_to_search_in_or_for(as_gpus):
    as_gpus()
    a, b = numbers(9, 4, 0, np.float32), numbers(20, 4, 1)
    assert (exact_knn(a, b[:0], 3, use_gpu=True)[0] == -1).all() and exact_knn(a[:0], b, 3, use_gpu=True)[0].shape == (0, 3)
    assert (streamed_knn(a, b[:0], 3, use_gpu=True)[0] == -1).all() and streamed_knn(a[:0], b, 3, use_gpu=True)[0].shape == (0, 3)


def test_a_launched_process_searches_on_its_own_card(monkeypatch, launched):
    monkeypatch.setattr(cuda, "find_cards", lambda: Cards((0, 2, 3), None))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_cards() == (0, 2, 3)
    launched(1)
    assert own_cards() == (2,)


def test_a_memory_that_is_not_enough_any_more_costs_the_copy_and_then_queries_at_a_time(as_gpus, monkeypatch):
    as_gpus()
    monkeypatch.setattr(knn_torch, "QUERIES", 300)
    a, b = numbers(300, 6, 0, np.float32), numbers(40, 6, 1)
    wanted, topk, sizes, rows = exact_knn(a, b, 9, use_gpu=True), torch.topk, [], []

    def small(values, *arguments, **named):
        joins = values.shape[1] != 7 or (len(sizes) > 2 and len(values) == len(a))  # what was found; others are products with a chunk
        if not joins:
            sizes.append(len(values))
            if len(values) > 100 or len(sizes) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return topk(values, *arguments, **named)

    monkeypatch.setattr(torch, "topk", small)
    index = TorchIndex(b, [CPU], chunk=7)
    found = index.search(a, 9, rows.append)
    assert np.array_equal(found[0], wanted[1]) and np.array_equal(np.take_along_axis(a @ b.T.astype(np.float32), found[1], 1), found[0])
    assert sizes[:4] == [300, 300, 150, 75] and set(sizes[3:]) == {75} and sum(rows) == len(b)
    monkeypatch.setattr(torch, "topk", lambda *_, **__: small(torch.zeros(101, 7)))
    with pytest.raises(torch.OutOfMemoryError):
        index.search(a, 9)


def test_a_copy_for_which_there_is_no_room_is_not_kept(as_gpus, monkeypatch):
    as_gpus()
    a, b = numbers(13, 6, 0, np.float32), numbers(40, 6, 1)
    wanted, copy, calls = exact_knn(a, b, 9, use_gpu=True), TorchIndex._copy, []

    def full(self, start, device):
        calls.append(start)
        if len(calls) == 3:
            raise RuntimeError("CUDA error: out of memory")
        return copy(self, start, device)

    monkeypatch.setattr(TorchIndex, "_copy", full)
    found = exact_knn(a, b, 9, use_gpu=True)
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)) and calls[:4] == [0, 7, 14, 0]
