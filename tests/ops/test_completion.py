import numpy as np
import pytest

from landmarks.ops import completion
from landmarks.ops.completion import complete_ranks


def by_hand(row, query, index, wanted):
    listed = [image for image in row if image >= 0]
    similarities = [float(np.dot(index[i].astype(np.float32), query.astype(np.float32))) for i in range(len(index))]
    rest = sorted((i for i in range(len(index)) if i not in listed), key=lambda i: (-similarities[i], i))
    whole = listed + rest
    return [whole.index(image) for image in wanted]


@pytest.mark.parametrize("seed", range(30))
def test_the_whole_list_by_hand_with_ties(seed, monkeypatch):
    monkeypatch.setattr(completion, "_BLOCK", 7)
    rng = np.random.default_rng(seed)
    queries = rng.integers(-2, 3, (5, 3)).astype(np.float16)  # small whole numbers: exact products, many ties
    index = rng.integers(-2, 3, (31, 3)).astype(np.float16)
    indices = np.stack([rng.permutation(31)[:9] for _ in range(5)]).astype(np.int32)
    indices[seed % 5, 4:] = -1
    wanted = [rng.permutation(31)[: rng.integers(0, 31)] for _ in range(5)]
    found = complete_ranks(indices, queries, index, wanted, batch=2)
    for row, query, images, ranks in zip(indices, queries, wanted, found, strict=True):
        assert ranks.tolist() == by_hand(row.tolist(), query, index, images.tolist())


def test_empty_lists_and_nothing_wanted():
    index = np.eye(3, dtype=np.float32)
    empty = np.full((1, 2), -1, np.int32)
    assert complete_ranks(empty, index[1:2], index, [np.array([0, 1, 2])])[0].tolist() == [1, 0, 2]
    assert complete_ranks(empty, index[:1], index, [np.array([], np.int64)])[0].tolist() == []
    assert complete_ranks(empty[:0], index[:0], index, []) == []
