import numpy as np

from landmarks.ops.id_numbers import IdNumbers


def as_bytes(texts):
    encoded = [text.encode() for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.concatenate([[0], np.cumsum([len(e) for e in encoded])]).astype(np.int32)


def test_numbers_equal_a_dictionary_s_on_random_ids_of_all_lengths():
    rng = np.random.default_rng(0)
    words = list(dict.fromkeys("".join(rng.choice(list("abcdef0123é"), rng.integers(1, 20))) for _ in range(3000)))
    known = words[:2000]
    numbers = {id: number for number, id in enumerate(known)}
    rows = [" ".join(rng.choice(words, rng.integers(0, 12))) for _ in range(500)]
    found, starts = IdNumbers(*as_bytes(known)).parse(*as_bytes(rows))
    expected = [[numbers.get(id, -1) for id in row.split()] for row in rows]
    assert [found[a:b].tolist() for a, b in zip(starts[:-1], starts[1:], strict=True)] == expected


def test_spaces_of_any_number_and_kind_separate():
    found, starts = IdNumbers(*as_bytes(["0", "00", "null"])).parse(*as_bytes(["  00 \t null\r", "", " ", "0 0"]))
    assert found.tolist() == [1, 2, 0, 0] and starts.tolist() == [0, 2, 2, 2, 4]


def test_no_known_ids_and_no_rows():
    empty = IdNumbers(*as_bytes([]))
    assert empty.parse(*as_bytes(["a b"]))[0].tolist() == [-1, -1]
    assert empty.parse(*as_bytes([]))[1].tolist() == [0]
