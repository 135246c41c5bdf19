"""Ground truths of any shape: a pickle that is none of Revisited Oxford's or Paris' is refused, never stumbled over."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.datasets.plain_pickle import read_plain_pickle
from landmarks.datasets.revisited import read_revisited
from landmarks.errors import UserError


def tower(depth, key):
    return b"\x80\x04}" + b")" + b"\x85" * depth + b"K\x01s." if key else b"\x80\x04" + b"]" * depth + b"a" * (depth - 1) + b"."


QUERY = {"bbx": [1, 2, 30.5, 40], "easy": [0], "hard": [], "junk": [1]}
WHOLE = {"imlist": ["a", "b"], "qimlist": ["q"], "gnd": [QUERY]}
DEEP = "DEEP"  # stands for 100,000 nested lists, which no pickler makes


def written(folder, value):
    content = value if isinstance(value, bytes) else pickle.dumps(value, protocol=2)
    depth = 100_000
    content = content.replace(b"X\x04\x00\x00\x00DEEP", b"]" * depth + b"a" * (depth - 1))
    (folder / "gnd_roxford5k.pkl").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        7,
        None,
        tower(100_000, key=False),
        tower(3_000_000, key=True),
        WHOLE | {"imlist": 3},
        WHOLE | {"imlist": "ab"},
        WHOLE | {"imlist": [DEEP, DEEP]},
        WHOLE | {"imlist": {"a": 1}},
        WHOLE | {"imlist": np.zeros((2, 2))},
        WHOLE | {"imlist": [b"a", b"b"]},
        WHOLE | {"qimlist": [3]},
        WHOLE | {"gnd": 3},
        WHOLE | {"gnd": "q"},
        WHOLE | {"gnd": {"q": QUERY}},
        WHOLE | {"gnd": [DEEP]},
        WHOLE | {"gnd": [QUERY | {"easy": DEEP}]},
        WHOLE | {"gnd": [QUERY | {"easy": [[0], [0, 1]]}]},
        WHOLE | {"gnd": [QUERY | {"easy": "a"}]},
        WHOLE | {"gnd": [QUERY | {"easy": None}]},
        WHOLE | {"gnd": [QUERY | {"easy": {"a": 1}}]},
        WHOLE | {"gnd": [QUERY | {"easy": [0.0]}]},
        WHOLE | {"gnd": [QUERY | {"easy": [True]}]},
        WHOLE | {"gnd": [QUERY | {"easy": [2]}]},
        WHOLE | {"gnd": [QUERY | {"easy": [10**30]}]},
        WHOLE | {"gnd": [QUERY | {"easy": [-1]}]},
        WHOLE | {"gnd": [QUERY | {"bbx": "1 2 3 4"}]},
        WHOLE | {"gnd": [QUERY | {"bbx": ["1", "2", "30", "40"]}]},
        WHOLE | {"gnd": [QUERY | {"bbx": DEEP}]},
        WHOLE | {"gnd": [QUERY | {"bbx": None}]},
        WHOLE | {"gnd": [QUERY | {"bbx": [1, 2, 1j, 4]}]},
        WHOLE | {"gnd": [QUERY | {"bbx": [1, 2, float("nan"), 4]}]},
        WHOLE | {"gnd": [QUERY | {"bbx": [1, 2, 10**400, 4]}]},
    ],
    ids=range(34),
)
def test_what_is_no_ground_truth_is_refused_in_few_words(tmp_path, value):
    with pytest.raises(UserError) as raised:
        read_revisited(written(tmp_path, value), need_pictures=False)
    assert len(str(raised.value)) < 1000 and str(tmp_path) in str(raised.value.where)


def test_numbers_of_any_kind_are_taken(tmp_path):
    for easy in ([0], (0,), np.array([0]), np.array([0], ">i4"), np.array([[0]], np.uint8), np.int64(0), [np.int32(0)]):
        benchmark = read_revisited(written(tmp_path, WHOLE | {"gnd": [QUERY | {"easy": easy}]}), need_pictures=False)
        assert benchmark.truth["revisited_solution.csv"]["easy"].tolist() == ["a"]
    names = np.array(["a", "b"])
    assert read_revisited(written(tmp_path, WHOLE | {"imlist": names}), need_pictures=False).index["id"].tolist() == ["a", "b"]


def test_a_tower_of_tuples_does_not_end_the_interpreter(tmp_path):
    path = tmp_path / "gnd.pkl"
    path.write_bytes(tower(3_000_000, key=True))
    code = f"from landmarks.datasets.plain_pickle import read_plain_pickle\nread_plain_pickle({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "more than 100,000 tuples" in done.stderr


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=3), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3), st.tuples(inner, inner)),
    max_leaves=6,
)
QUERIES = st.fixed_dictionaries(
    {key: st.one_of(VALUES, st.lists(st.integers(0, 1), max_size=4)) for key in ("bbx", "easy", "hard", "junk")}
)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        VALUES,
        st.fixed_dictionaries({"imlist": VALUES, "qimlist": VALUES, "gnd": VALUES}),
        QUERIES.map(lambda query: WHOLE | {"gnd": [query]}),
    )
)
def test_any_value_is_a_benchmark_or_refused(tmp_path_factory, value):
    folder = written(tmp_path_factory.mktemp("any"), value)
    try:
        benchmark = read_revisited(folder, need_pictures=False)
    except UserError as error:
        assert len(str(error)) < 1500
    else:
        assert benchmark.index["id"].tolist() == ["a", "b"] or isinstance(value["imlist"], list | tuple)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_damage_of_a_pickle_is_a_value_or_refused(tmp_path_factory, data):
    content = bytearray(pickle.dumps(WHOLE | {"a": np.arange(3), "b": b"x"}, protocol=data.draw(st.sampled_from([0, 2, 5]))))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(content)
    try:
        read_plain_pickle(path)
    except UserError as error:
        assert len(str(error)) < 1000
