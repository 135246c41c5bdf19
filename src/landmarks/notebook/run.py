"""The work of a bundle's notebook: photos of a competition -> submission.csv, without network, within a given time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import Config, first_verifying, load_config, verified_images, verifies
from landmarks.config.run_file import as_yaml
from landmarks.datasets.images import photo_ids
from landmarks.errors import UserError
from landmarks.extraction.jobs import local_longest_side
from landmarks.notebook.budget import Budget, area
from landmarks.notebook.time_limit import describe_within
from landmarks.pipeline import run_stage
from landmarks.progress import say
from landmarks.rerank.chain import make_chain, open_context
from landmarks.search.rankings import read_ranking
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text
from landmarks.store.local_features import local_model
from landmarks.store.tables import Tables, read_ids, read_tables

PAIRS_PER_SECOND = 360.0  # measured on two CPU cores (EXPERIMENTS.md); used until this machine's own rate is known
TRIAL = 10  # queries whose pairs are verified to measure the rate


def make_submission(bundle: Path, input: Path, working: Path, started: float) -> Path:
    """Describe test and index of the competition in `input`, search, re-rank; returns working/submission.csv.

    started  time.time() when the notebook began: the limit counts from there
    Raises UserError where the input holds no competition.
    """
    dataset, run = working / "dataset", working / "run"
    folders = [f"dataset.folder={dataset}", f"run.folder={run}"]
    config = load_config(bundle / "config.yaml", folders, allow_code=True)  # the bundle's own code runs here in any case
    end = started + 3600 * config.bundle.hours - 60 * config.bundle.reserve_minutes

    def seconds_left() -> float:
        return end - time.time()

    tables = _prepare_folders(dataset, run, bundle, _competition(input), config.models)
    say(f"{len(tables.test_ids)} queries, {len(tables.index_ids)} index images, {seconds_left() / 3600:.2f} hours for them")
    budget = Budget(config.extract.scales, verifies(config.rerank), partial(_verification_seconds, config, tables))
    describe_within(config, tables, seconds_left, budget)
    if not budget.verify:
        config = _without_verification(config)
    _run(working, "search", config)
    if budget.verify:
        _run(working, "extract-local", config)
        if (seconds := _pairs_seconds(config)) > seconds_left():
            say(f"verification is dropped: it would take {seconds / 60:.0f} minutes, {seconds_left() / 60:.0f} are left")
            config = _without_verification(config)
    _run(working, "rerank", config)
    _run(working, "submit", config)
    shutil.copyfile(run / "submission.csv", working / "submission.csv")
    say(f"{working / 'submission.csv'}, {(time.time() - started) / 60:.1f} minutes after the start")
    return working / "submission.csv"


def _run(working: Path, stage: str, config: Config) -> None:
    """Run a stage; where there are several cards, in a process on each, which reads the configuration from a file."""
    file = working / "config.yaml"
    write_text(file, as_yaml(config))
    run_stage(stage, config, ["--config", str(file), "--allow-code"])


def _competition(input: Path) -> Path:
    """The folder of the competition's photos: directly in the input folder, or below "competitions"."""
    for pattern in ("*", "*/*", "*/*/*"):
        for path in sorted(input.glob(pattern)):
            if (path / "index").is_dir() and (path / "test").is_dir():
                return path
    raise UserError("no folder with photos in index/ and test/", where=input, next="add the competition's data to the notebook")


def _prepare_folders(dataset: Path, run: Path, bundle: Path, competition: Path, models: Iterable[str]) -> Tables:
    """A dataset and a run folder of links to the bundle and the competition, with tables of the competition's photos."""
    links = {
        dataset / "test": competition / "test",
        dataset / "index": competition / "index",
        dataset / "train.csv": bundle / "dataset" / "train.csv",
        run / "models": bundle / "models",
    }
    links |= {run / "descriptors" / name / "train": bundle / "descriptors" / name / "train" for name in models}
    for link, target in links.items():
        if target.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, link)
    sample = competition / "sample_submission.csv"
    test_ids = read_ids(sample) if sample.exists() else photo_ids(competition, "test")
    write_csv(dataset / "test.csv", pd.DataFrame({"id": test_ids}))
    write_csv(dataset / "index.csv", pd.DataFrame({"id": photo_ids(competition, "index")}))
    return read_tables(dataset)


def _verification_seconds(config: Config, tables: Tables, unit_seconds: Mapping[str, float]) -> float:
    """An estimate for local features and matching. unit_seconds: model -> seconds for a picture at scale 1."""
    images = len(tables.test_ids) + min(len(tables.index_ids), len(tables.test_ids) * config.search.neighbours)
    larger = (local_longest_side(config.extract) / config.extract.longest_side) ** 2 * area(config.extract.local.scales)
    pairs = len(tables.test_ids) * min(verified_images(config.rerank), config.search.neighbours, len(tables.index_ids))
    return images * larger * unit_seconds.get(local_model(config.models, config.verification.model), 0.0) + pairs / PAIRS_PER_SECOND


def _pairs_seconds(config: Config) -> float:
    """An estimate for all pairs, from those of a few queries, which are verified now and kept."""
    place = first_verifying(config.rerank)
    context, top = cache(lambda: open_context(config)), config.rerank[place].verified_images
    lists = read_ranking(make_chain(config, config.rerank[:place], context)).indices[:, :top]
    seconds_per_pair = 0.0
    for first, last in ((0, 1), (1, 1 + TRIAL)):  # the first query's time includes compilation: it counts only if it is the only one
        query, rank = np.nonzero(lists[first:last] >= 0)
        began = time.perf_counter()
        context().inliers("test", "index", query + first, lists[query + first, rank])
        if len(query):
            seconds_per_pair = (time.perf_counter() - began) / len(query)
    return seconds_per_pair * int((lists >= 0).sum())


def _without_verification(config: Config) -> Config:
    return config.model_copy(update={"rerank": tuple(step for step in config.rerank if not step.verified_images)})
