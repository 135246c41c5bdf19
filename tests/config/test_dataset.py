import importlib
import inspect
from pathlib import Path

import pytest

from landmarks.config import load_config
from landmarks.config.dataset import SOURCES
from landmarks.errors import UserError
from landmarks.scoring.protocol import protocol_named
from landmarks.stage import STAGES


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_s_stage_protocol_and_reader_are_there(name):
    source = SOURCES[name]
    assert source.stage is None or source.stage in STAGES
    assert protocol_named(source.protocol) is not None
    assert source.is_benchmark == (source.stage == "prepare")
    if source.reader is not None:
        module, _, function = source.reader.partition(":")
        reader = getattr(importlib.import_module(f"landmarks.datasets.{module}"), function)
        assert list(inspect.signature(reader).parameters) == ["dataset", "places", "need_pictures"]


@pytest.mark.parametrize("name", SOURCES)
def test_tables_are_made_in_the_run_folder_where_the_folder_is_the_user_s_own(name):
    config = load_config(None, [f"dataset.source={name}", "dataset.folder=/data", "run.folder=/run"])
    in_run = name not in ("folder", "sample")
    assert config.dataset.kind is SOURCES[name] and config.dataset.kind.has_tables_in_run == in_run
    assert config.tables_folder == Path("/run/dataset" if in_run else "/data")


@pytest.mark.parametrize("name", SOURCES)
def test_the_source_s_protocol_is_taken_unless_another_is_asked_for(name):
    assert load_config(None, [f"dataset.source={name}"]).protocol == SOURCES[name].protocol
    assert load_config(None, [f"dataset.source={name}", "evaluate.protocol=recognition"]).protocol == "recognition"


def test_pictures_alone_have_no_queries():
    assert [name for name, source in SOURCES.items() if not source.queries] == ["pictures"]


def test_an_unknown_source_is_refused_with_all_that_there_are():
    with pytest.raises(UserError, match=r"dataset.source: unknown source 'photo'; did you mean photos\? \(one of folder, sample, photos"):
        load_config(None, ["dataset.source=photo"])


@pytest.mark.parametrize("shares", [(0.6, 0.4), (0.5, 0.6)])
def test_photos_for_the_index_must_remain(shares):
    train, test = shares
    with pytest.raises(UserError, match="make their sum less than 1"):
        load_config(None, [f"photos.train_share={train}", f"photos.test_share={test}"])
    load_config(None, [f"photos.train_share={train}", f"photos.test_share={0.99 - train}"])
