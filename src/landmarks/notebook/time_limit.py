"""Queries and index described within a given time: by all models, shard by shard, with less detail when time runs short."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from landmarks.config import Config
from landmarks.extraction.describe import make_shards
from landmarks.extraction.jobs import ExtractionJob, descriptors_job
from landmarks.extraction.outputs import Described
from landmarks.extraction.processor import Processor, choose_processor, open_models
from landmarks.models.global_model import GlobalModel
from landmarks.notebook.budget import Budget
from landmarks.progress import progress, say
from landmarks.store.artefact import fingerprint_of_file
from landmarks.store.tables import Tables

NO_TIME = "no time was left to describe it"


@dataclass(frozen=True)
class Model:
    """A model, on each of the processor's devices, and its job for each split."""

    networks: list[GlobalModel]
    jobs: dict[str, ExtractionJob]

    @property
    def dimensions(self) -> int:
        return self.networks[0].dimensions


def describe_within(config: Config, tables: Tables, seconds_left: Callable[[], float], budget: Budget) -> None:
    """Make descriptors/<model>/{test,index}: first all queries, then as much of the index as there is time for.

    seconds_left  called before every shard
    budget        decides what is dropped; pictures that there is no time for are listed as skipped, as unreadable ones are
    """
    processor = choose_processor(config.run.device, config.extract.precision, all_cards=True)
    say(f"extract on {processor}")
    models = {name: _prepare(config, name, tables, processor) for name in config.models}
    done: dict[str, int] = dict.fromkeys(models, 0)
    total = len(tables.test_ids) + len(tables.index_ids)
    for split in ("test", "index"):
        first = next(iter(models.values())).jobs[split]
        with progress(None, f"describe {split}", "image", total=len(first.ids) * len(models)) as bar:
            for shard in first.shards:
                for dropped in budget.fit(seconds_left(), {name: total - count for name, count in done.items()}):
                    minutes = f"{seconds_left() / 60:.0f} minutes"
                    say(f"extract: {dropped} is dropped, {minutes} are left for {total - min(done.values())} images")
                images = len(first.shard_ids(shard))
                late = split == "index" and budget.seconds(dict.fromkeys(models, images)) > seconds_left()
                for name, model in models.items():
                    job = model.jobs[split]
                    if not job.unmade(shard):  # by a notebook that was interrupted
                        bar.update(images)
                    elif late:
                        _leave_out(job, shard, model.dimensions)
                        bar.update(images)
                    else:
                        began = time.perf_counter()
                        make_shards(job.at_scales(budget.scales), [shard], model.networks, processor, bar)
                        budget.measured(name, time.perf_counter() - began, images)
                    done[name] += images
        for model in models.values():
            model.jobs[split].seal(model.dimensions)


def _prepare(config: Config, name: str, tables: Tables, processor: Processor) -> Model:
    jobs = {
        split: descriptors_job(config, name, split, tables.ids(split), fingerprint_of_file(tables.path(split)), processor.precision)
        for split in ("test", "index")
    }
    for job in jobs.values():
        for output in job.outputs:
            output.artefact.begin()
    return Model(open_models(next(iter(jobs.values())).model_folder, processor, config.extract.gem_power), jobs)


def _leave_out(job: ExtractionJob, shard: int, dimensions: int) -> None:
    """Write the shard without a row, all its images listed as skipped."""
    ids = job.shard_ids(shard)
    nothing = Described(ids[:0], np.zeros((0, dimensions), np.float32), None, dict.fromkeys(map(str, ids), NO_TIME))
    for output in job.outputs:
        output.write(shard, ids, nothing)
