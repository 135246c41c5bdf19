import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.pairs import PAIR, PairTable

QUERY_IDS, INDEX_IDS = (np.array([f"{letter}{n}" for n in range(count)], object) for letter, count in (("q", 30), ("i", 70)))


def append(table, block):
    table.begin()
    (path,) = table.next_blocks(1)
    table.add(path, block)
    table.take_in([path])


def open_table(folder, settings=(("trials", 1000),), inputs=(("queries", "x"),), index_ids=INDEX_IDS):
    return PairTable(folder, "test-index", QUERY_IDS, index_ids, dict(settings), dict(inputs))


def block_of(pairs, seed=0):
    rng = np.random.default_rng(seed)
    block = np.zeros(len(pairs), PAIR)
    block["query"], block["index"] = np.array(pairs).reshape(-1, 2).T
    block["matches"] = rng.integers(0, 1000, len(pairs))
    block["inliers"] = rng.integers(0, 1 + block["matches"])
    block["model"] = rng.random(block["model"].shape)
    return block


def test_lookups_equal_a_dictionary_of_pairs(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.permutation(30 * 70)
    pairs = np.column_stack(np.divmod(numbers, 70))
    table, known = open_table(tmp_path), {}
    for part in np.array_split(pairs[:900], 7):
        block = block_of(part, seed=len(known))
        append(table, block)
        known |= {(int(record["query"]), int(record["index"])): record for record in block}
        wanted = pairs[rng.integers(0, len(pairs), 300)]
        for again in (table, open_table(tmp_path)):
            rows = again.rows(wanted[:, 0], wanted[:, 1])
            assert len(again) == len(known)
            for (query, index), row in zip(wanted.tolist(), rows.tolist(), strict=True):
                assert (row >= 0) == ((query, index) in known)
                if row >= 0:
                    record = known[query, index]
                    assert (again.matches[row], again.inliers[row]) == (record["matches"], record["inliers"])
    blocks = [np.load(path) for path in sorted(table.folder.glob("*.npy"))]
    assert np.concatenate(blocks).tobytes() == np.array(list(known.values()), PAIR).tobytes(), "row r is record r of the files"


def test_an_empty_table_finds_nothing_and_leaves_nothing_on_disk(tmp_path):
    table = open_table(tmp_path / "pairs")
    assert table.rows(np.array([3]), np.array([4])).tolist() == [-1]
    assert table.rows(np.empty(0, int), np.empty(0, int)).shape == (0,) and len(table) == 0
    table.finish()
    assert not (tmp_path / "pairs").exists()


def test_recipes_lie_side_by_side(tmp_path):
    table = open_table(tmp_path)
    append(table, block_of([(1, 2)]))
    table.finish(seconds_of_work=1.5)
    others = [
        open_table(tmp_path, settings=(("trials", 500),)),
        open_table(tmp_path, inputs=(("queries", "y"),)),
        open_table(tmp_path, index_ids=INDEX_IDS[::-1]),
    ]
    assert len({other.folder for other in [table, *others]}) == 4 and [len(other) for other in others] == [0, 0, 0]
    assert (table.folder / "manifest.json").is_file() and len(open_table(tmp_path)) == 1


def test_what_was_kept_before_a_cut_is_there_and_the_rest_is_added(tmp_path):
    append(open_table(tmp_path), block_of([(1, 2), (3, 4)]))  # never finished
    table = open_table(tmp_path)
    assert table.rows(np.array([3, 5]), np.array([4, 6])).tolist() == [1, -1]
    append(table, block_of([(5, 6)], seed=1))
    table.finish()
    assert open_table(tmp_path).rows(np.array([1, 3, 5]), np.array([2, 4, 6])).tolist() == [0, 1, 2]


def test_a_block_that_was_deleted_is_not_written_over(tmp_path):
    table = open_table(tmp_path)
    for number in range(3):
        append(table, block_of([(number, number)]))
    (table.folder / "00001.npy").unlink()
    table = open_table(tmp_path)
    append(table, block_of([(9, 9)]))
    assert open_table(tmp_path).rows(np.array([0, 1, 2, 9]), np.array([0, 1, 2, 9])).tolist() == [0, -1, 1, 2]


@pytest.mark.parametrize("pair", [(0, 69), (29, 0), (29, 69)])
def test_the_corners_of_the_table_are_told_apart(tmp_path, pair):
    table = open_table(tmp_path)
    append(table, block_of([pair]))
    queries, index = np.divmod(np.arange(30 * 70), 70)
    found = table.rows(queries, index) >= 0
    assert found.sum() == 1 and found[pair[0] * 70 + pair[1]]


@pytest.mark.parametrize(
    "block",
    [
        block_of([(30, 0)]),
        block_of([(0, 70), (1, 1)]),
        block_of([(-1, 3)]),
        np.zeros((3, 4), np.float32),
        np.zeros(3, [("query", "<i4"), ("index", "<i4")]),
        block_of([(1, 1)]).reshape(1, 1),
    ],
    ids=range(6),
)
def test_a_block_of_other_pairs_is_refused(tmp_path, block):
    """A row number that the split does not have would be looked up as the pair of another query."""
    table = open_table(tmp_path)
    append(table, block_of([(1, 1), (2, 5)]))
    np.save(table.folder / "00001.npy", block)
    with pytest.raises(UserError, match="pairs of images that the splits do not have|not of verified pairs") as raised:
        open_table(tmp_path)
    assert raised.value.where == table.folder / "00001.npy"


def test_a_block_of_another_byte_order_holds_the_same_pairs(tmp_path):
    table = open_table(tmp_path)
    append(table, block_of([(1, 1), (2, 5)]))
    np.save(table.folder / "00000.npy", np.load(table.folder / "00000.npy").astype(PAIR.newbyteorder(">")))
    again = open_table(tmp_path)
    assert again.rows(np.array([2, 1, 1]), np.array([5, 1, 2])).tolist() == [1, 0, -1]
    assert again.inliers.tolist() == table.inliers.tolist()
