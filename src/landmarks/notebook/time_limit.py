"""Queries and index described within a given time: by all models, shard by shard, less of it when time runs short."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from landmarks.config import Config
from landmarks.device import choose_device, resolve_precision
from landmarks.extraction.describe import describe_shards, open_model
from landmarks.extraction.outputs import Described
from landmarks.extraction.work import Work, descriptors_work
from landmarks.models.global_model import GlobalModel
from landmarks.notebook.budget import Budget
from landmarks.progress import progress, say
from landmarks.store.artefact import fingerprint_of_file
from landmarks.store.tables import Tables

NO_TIME = "no time was left to describe it"


@dataclass(frozen=True)
class Model:
    """A model, and what it describes of each split."""

    network: GlobalModel
    works: dict[str, Work]


def describe_within(config: Config, tables: Tables, left: Callable[[], float], budget: Budget) -> None:
    """Make descriptors/<model>/{test,index}; the queries first, all of them, then as much of the index as there is time for.

    left    gives the seconds that are left for it; looked at before every shard
    budget  says what is dropped; pictures that there is no time for are listed as skipped, as unreadable ones are
    """
    device, reason = choose_device(config.run.device)
    precision = resolve_precision(config.extract.precision, device)
    say(f"extract on {device.type}: {reason}; {precision}")
    models = {name: _prepare(config, name, tables, precision, device) for name in config.models}
    done: dict[str, int] = dict.fromkeys(models, 0)
    total = len(tables.test_ids) + len(tables.index_ids)
    for split in ("test", "index"):
        one = next(iter(models.values())).works[split]
        with progress(None, f"describe {split}", "image", total=len(one.ids) * len(models)) as bar:
            for shard in one.shards:
                for dropped in budget.fit(left(), {name: total - count for name, count in done.items()}):
                    say(f"extract: {dropped} is dropped, {left() / 60:.0f} minutes are left for {total - min(done.values())} images")
                ids = one.ids_of(shard)
                late = split == "index" and budget.seconds(dict.fromkeys(models, len(ids))) > left()
                for name, model in models.items():
                    if late:
                        _leave_out(model, split, shard, bar)
                    elif not model.works[split].is_made(model.works[split].descriptors, shard):
                        _describe(config, name, model, split, shard, precision, device, budget, bar)
                    done[name] += len(ids)
        for model in models.values():
            model.works[split].descriptors.seal(one.ids, model.network.dimensions)


def _prepare(config: Config, name: str, tables: Tables, precision: str, device: torch.device) -> Model:
    works = {
        split: descriptors_work(config, name, split, tables.ids(split), fingerprint_of_file(tables.path(split)), precision)
        for split in ("test", "index")
    }
    for work in works.values():
        work.descriptors.artefact.begin()
    return Model(open_model(config, name, precision, device), works)


def _describe(
    config: Config, name: str, model: Model, split: str, shard: int, precision: str, device: torch.device, budget: Budget, bar: tqdm
) -> None:
    """One shard by one model, timed, at the scales that are left."""
    settings = config.model_copy(update={"extract": config.extract.model_copy(update={"scales": budget.scales})})
    work, ids = model.works[split], model.works[split].ids_of(shard)
    side = descriptors_work(settings, name, split, ids, "", precision).side
    began = time.perf_counter()
    (described,) = describe_shards(replace(work, side=side), [ids], model.network, settings, precision, device, bar)
    work.descriptors.write(shard, ids, described)
    budget.measured(name, time.perf_counter() - began, len(ids))


def _leave_out(model: Model, split: str, shard: int, bar: tqdm) -> None:
    work, ids = model.works[split], model.works[split].ids_of(shard)
    nothing = np.zeros((0, model.network.dimensions), np.float32)
    work.descriptors.write(shard, ids, Described(ids[:0], nothing, None, dict.fromkeys(map(str, ids), NO_TIME)))
    bar.update(len(ids))
