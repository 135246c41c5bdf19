"""YAML that is odd, hostile or random ends in a configuration or a UserError of bounded length."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.config import load_config
from landmarks.config.keys import known_keys
from landmarks.config.read_yaml import read_yaml
from landmarks.errors import UserError

BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'lol'] * 10)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: " + "[" * 2000 + "]" * 2000, "nested more than 50 deep"),
        ("{a: " * 100_000, "nested more than 50 deep"),
        ("\n".join(" " * n + f"k{n}:" for n in range(1000)), "nested more than 50 deep"),
        ("train: {epochs: " + "1" * 5000 + "}", "is not a value of int"),
        ("train: {epochs: 0x" + "f" * 5000 + "}", "is too large"),
        ("train: {epochs: 1" + "0" * 30 + "}", "is too large"),
        ("train: {epochs: 0x_}", "is not a value of int"),
        ("train: {epochs: !!int seven}", "is not a value of int"),
        ("train: {epochs: !!bool maybe}", "is not a value of bool"),
        ("train: {epochs: !!timestamp soon}", "is not a value of timestamp"),
        ("train: {epochs: 2001-99-99}", "is not a value of timestamp"),
        ("train: {epochs: !!python/object/apply:os.system [ls]}", "could not determine a constructor"),
        ("train: !!map [a]", "expected a mapping"),
        ('run: {folder: "a\\0b"}', "no file name may hold"),
        ('run: {folder: "a\\ud800b"}', "no file name may hold"),
        ('run: {folder: "\\UFFFFFFFF"}', "no such character"),
        ("run: {folder: a\0b}", "special characters are not allowed"),
        (BOMB, "with what its aliases stand for"),
        ("a: &a [*a]", "holds itself"),
        ("run: &r {folder: *r}", "holds itself"),
        ("x: " + "y" * 1_000_001, "more than 1,000,000 characters"),
        ("train: {epochs: 1, epochs: 2}", "given twice"),
        ("train: {[epochs]: 2}", "a key should be a word"),
        ("rerank: [{step: sort, neighbours: 3, neighbours: 4}]", "given twice"),
        ("[]", "must be a mapping"),
        ("train: [1", "not valid YAML"),
    ],
    ids=lambda text: text[:30].replace("\n", " ").replace("\0", "0") if len(text) > 60 or "\0" in text else text,
)
def test_hostile_files_are_refused_quickly_and_in_few_words(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    started = time.process_time()
    with pytest.raises(UserError, match=message) as raised:
        load_config(tmp_path / "c.yaml")
    assert len(str(raised.value)) < 2000 and time.process_time() - started < 5  # usually milliseconds, minutes if it grew with the square


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rerank=[{step: sort, neighbours: 3, neighbours: 4}]", "given twice"),
        ("models={a: {dimensions: 3}, a: {dimensions: 4}}", "given twice"),
        ("models.a={dimensions: 3, dimensions: 4}", "given twice"),
        ("train.epochs=" + "[" * 2000, "nested more than 50 deep"),
        ("train.epochs=" + "9" * 5000, "is not a value of int"),
        ("models.a.dimensions=1000000000000", "less than or equal to 65536"),
        ("search.neighbours=1000000000000", "at most 10,000,000"),
        ("whiten.dimensions=1000000000000", "less than or equal to 65536"),
        ("places.metres=1.0e+200", "less than or equal to 100000000"),
        ("train.learning_rate=1.0e+200", "at most 1e\\+38"),
        ("models.a.weight=1.0e+200", "less than or equal to 1000000"),
        ("extract.scales=[1.0e+9]", "less than or equal to 16"),
        ("train.batch_size=99999999999", "at most 10,000,000"),
        ("search.neighbours=yes", "search.neighbours: should be a number, not True"),
        ("extract.scales=[true, 2]", "extract.scales: should be a number"),
        ("rerank=[{step: sort, neighbours: on}]", "rerank.0.neighbours: should be a number"),
        ("search.neighbours=010", "write 8 for 010"),
        ("search.neighbours=0x10", "write 16 for 0x10"),
        ("search.neighbours=1:30", "write 90 for 1:30"),
        ("places.metres=1:30.5", "write 90.5 for 1:30.5"),
        ("run.folder=a\0b", "special characters are not allowed"),
        ("train." + "x" * 100_000 + "=1", "unknown key"),
        ("x" * 1_000_000, "not an override"),
        ("train.epochs=[" + "1, " * 10_000 + "]", "valid integer"),
        ("extract.scales=[" + "a, " * 10_000 + "]", "and 9,99. more"),
        ("models={" + ", ".join(f"'{n} {n}': 1" for n in range(2000)) + "}", "more"),
    ],
    ids=lambda text: text[:50].replace("\0", "0"),
)
def test_hostile_overrides_are_refused_quickly_and_in_few_words(override, message):
    started = time.process_time()
    with pytest.raises(UserError, match=message) as raised:
        load_config(None, [override])
    assert len(str(raised.value)) < 2000 and time.process_time() - started < 10  # usually milliseconds, minutes if it grew with the square


def test_an_error_shows_control_characters_escaped():
    with pytest.raises(UserError) as raised:
        load_config(None, ["dataset.source=\x1b[31mfold\x07er"])
    assert "\x1b" not in str(raised.value) and "\\x1b[31mfold\\x07er" in str(raised.value)


def test_seeds_may_be_large_and_nobody_s_home_is_a_plain_name():
    config = load_config(None, ["train.seed=9223372036854775807", "run.folder=~no-such-user/x"])
    assert config.train.seed == 2**63 - 1 and str(config.run.folder) == "~no-such-user/x"


def test_what_an_alias_stands_for_can_be_changed_alone(tmp_path):
    (tmp_path / "c.yaml").write_text("models:\n  a: &common {dimensions: 64}\n  b: *common\n")
    config = load_config(tmp_path / "c.yaml", ["models.a.dimensions=32"])
    assert (config.models["a"].dimensions, config.models["b"].dimensions) == (32, 64)


WORDS = st.sampled_from(
    [*known_keys(), "step", "sort", "insert", "verify", "models", "a", "version", "null", "~", "<<", "=", "-1", "1e400"]
)
SCALARS = st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates())
TREES = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)), max_leaves=8)
YAML_TEXT = st.text(st.sampled_from("[]{}:,&*!|>-?#'\"%@` \n\tab0x1.~<=_e+"), max_size=40)


def flow(value):
    """As it is typed in an override."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(flow, value)) + "]" if isinstance(value, list) else str(value)


def loads_or_says(load, *arguments):
    try:
        load(*arguments)
    except UserError as error:
        assert str(error).replace("\n", "").isprintable() and len(str(error)) < 6000


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(known_keys())), st.one_of(TREES.map(flow), YAML_TEXT))
def test_any_override_of_a_known_key_is_taken_or_refused(key, value):
    loads_or_says(load_config, None, [f"{key.replace('NAME', 'a')}={value}"])


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(max_size=20), TREES.map(flow)), st.one_of(TREES.map(flow), YAML_TEXT))
def test_any_override_is_taken_or_refused(key, value):
    loads_or_says(load_config, None, [f"{key}={value}"])


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=60), YAML_TEXT.map(str.encode), TREES.map(lambda tree: flow(tree).encode("utf-8", "replace"))))
def test_any_file_is_a_configuration_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    loads_or_says(read_yaml, path)
    loads_or_says(load_config, path)
