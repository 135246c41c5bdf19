import numpy as np

from landmarks.ops.sequence_lists import consecutive, fuse_lists


def test_sequences_are_consecutive_frames_of_one_drive():
    sequences = np.array(["b", "a", "a", "a", "b", "a", "a"], object)
    frames = np.array([7, 2, 0, 1, 8, 5, 6])
    assert consecutive(sequences, frames, 3).tolist() == [[2, 3, 1]]  # a0 a1 a2; a5 a6 are two, b7 b8 are two
    assert sorted(consecutive(sequences, frames, 2).tolist()) == [[0, 4], [2, 3], [3, 1], [5, 6]]
    assert consecutive(sequences, frames, 1).tolist() == [[row] for row in range(7)]
    assert consecutive(sequences[:2], frames[:2], 3).shape == (0, 3)


def by_hand(indices, query, entries, kept):
    scores = []
    for entry in entries:
        score = 0.0
        for row in query:
            places = [list(indices[row]).index(image) for image in entry if image in indices[row]]
            score += 1 / (61 + min(places)) if places else 0
        scores.append(score)
    order = sorted((n for n, score in enumerate(scores) if score > 0), key=lambda n: (-scores[n], n))[:kept]
    return order + [-1] * (kept - len(order))


def test_random_lists_equal_the_plain_way():
    rng = np.random.default_rng(1)
    for _ in range(20):
        indices = np.stack([rng.permutation(30)[:10] for _ in range(12)]).astype(np.int32)
        indices[3, 2:] = -1
        queries, entries = rng.integers(0, 12, (6, 3)), rng.integers(0, 30, (9, 3))
        found = fuse_lists(indices, queries, entries, 30, 5)
        assert found.tolist() == [by_hand(np.where(indices < 0, 99, indices), query, entries, 5) for query in queries]
