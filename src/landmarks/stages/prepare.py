"""prepare: a benchmark's folder as its authors distribute it -> tables in GLDv2 form, with the ground truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from landmarks.config import Config
from landmarks.config.run_file import has_made_parts
from landmarks.datasets.authors_folder import read_authors_folder
from landmarks.datasets.benchmark import in_words, write_benchmark
from landmarks.progress import say
from landmarks.store.artefact import Artefact
from landmarks.store.dataset_folder import is_replaced, refuse_replacing
from landmarks.store.tables import SPLITS


def prepare(config: Config) -> Path:
    """Make <run.folder>/dataset: index.csv, test.csv, a train.csv without rows, and the ground truth; returns the folder.

    The pictures stay where they are. Raises UserError where the folder is not the benchmark's, and where other tables
    are there that the run was made from (run.overwrite=false).
    """
    folder, source, distractors = config.tables_folder, config.dataset.folder, config.dataset.distractors
    benchmark = read_authors_folder(config.dataset, config.places, need_pictures=bool(config.models))
    if benchmark.passed_over:
        say(f"prepare: passed over {in_words(benchmark.passed_over)}")
    settings: dict[str, Any] = {"source": config.dataset.source, "pictures": str(source.resolve())}
    settings |= {"distractors": str(distractors.resolve())} if distractors else {}
    facts: dict[str, Any] = {}
    if config.dataset.source == "msls":
        frames = {"query_frames": config.places.query_frames, "index_frames": config.places.index_frames}
        settings |= {name: count for name, count in frames.items() if count > 1}
        facts["places"] = {"cities": list(config.places.cities), "subtask": config.places.subtask}
    artefact = Artefact(folder, "prepare", settings, {"benchmark": benchmark.fingerprint()})
    if artefact.is_complete():
        say(f"prepare: up to date ({folder})")
        return folder
    if has_made_parts(config.run.folder) and not config.run.overwrite:
        refuse_replacing(artefact, "run.folder=ANOTHER")
    if is_replaced(artefact):
        say(f"prepare: settings or files are others than before, the dataset is made again ({folder})")
    artefact.begin()
    write_benchmark(folder, source, benchmark, distractors)
    if benchmark.passed_over:
        facts["passed_over"] = benchmark.passed_over
    artefact.finish(without=SPLITS, editable=True, index=len(benchmark.index), queries=len(benchmark.test), **facts)
    say(f"prepare: {len(benchmark.test)} queries, {len(benchmark.index)} index images of {source} ({folder})")
    return folder
