"""extract: pictures -> global descriptors, and on request local features from the same pass over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from landmarks.config import Config
from landmarks.extraction.jobs import ExtractionJob, descriptors_job, joint_job, local_job
from landmarks.extraction.run import run_extraction
from landmarks.progress import say
from landmarks.store.artefact import fingerprint_of_file
from landmarks.store.tables import SPLITS, read_tables


def extract(config: Config) -> list[Path]:
    """Describe every picture of train, index and test with every model; returns the folders, one per model and split.

    Each folder holds shards of (n, dimensions) float16 and ids.csv. With extract.local.images=all the local features of
    extract.local.splits are made as well, by the models that have a local branch; their folders are returned too.
    Raises UserError as `run_extraction` does, and for a model that is not trained.
    """
    if not config.models:
        say("extract: the configuration names no model, nothing to do")
        return []
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    fingerprints = {split: fingerprint_of_file(tables.path(split)) for split in SPLITS}

    def plan(precision: str) -> Iterator[ExtractionJob]:
        for name, model in config.models.items():
            for split in SPLITS:
                ids, table = tables.ids(split), fingerprints[split]
                alone = descriptors_job(config, name, split, ids, table, precision)
                if model.local is None or config.extract.local.images != "all" or split not in config.extract.local.splits:
                    yield alone
                elif alone.is_complete():  # made before local features were asked for
                    yield alone
                    yield local_job(config, name, split, ids, precision)
                else:
                    yield joint_job(config, name, split, ids, table, precision)

    return run_extraction(config, "extract", plan)
