"""The chain run with fewer training images: what the labels that are taken away were worth."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.rerank.chain import make_chain, open_context
from landmarks.search.rankings import read_chain_manifests
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array
from landmarks.store.tables import read_ids

_SHARED = ("models", "descriptors", "local", "pairs", "dataset", "space/test", "space/index", "rankings/knn")


def rerank_with_train_subset(config: Config, kept: np.ndarray, folder: Path) -> Config:
    """Make the rankings of config.rerank again in the run folder `folder`, with the training images `kept` (m,) alone.

    Returns the settings of that run, to be scored like any other. Descriptors, their whitening and the first search stay those of
    `config`, including what they learned from the removed images; only labels and vectors of training images are missing from the chain.
    Raises UserError where the search of `config` has not been made.
    """
    run = config.run.folder
    read_chain_manifests(config, ())
    vectors, ids = run / "space" / "train", read_ids(run / "space" / "train" / "ids.csv")
    rows = np.flatnonzero(np.isin(ids.astype(str), kept.astype(str)))
    made_from = {"train": read_manifest(vectors)["fingerprint"], "kept": hashlib.blake2b("\n".join(ids[rows]).encode()).hexdigest()[:32]}
    train = Artefact(folder / "space" / "train", "overlap", {}, made_from)
    for name in _SHARED:
        _link(folder / name, run / name)
    if not train.is_complete():
        train.begin()
        write_csv(train.folder / "ids.csv", pd.DataFrame({"id": ids[rows]}))
        write_array(train.folder / "vectors.npy", read_array(vectors / "vectors.npy", mapped=True)[rows])
        train.finish(images=len(rows))
    fewer = config.at(folder)
    make_chain(fewer, fewer.rerank, cache(lambda: open_context(fewer)))
    return fewer


def _link(link: Path, target: Path) -> None:
    if target.exists() and not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target.resolve(), target_is_directory=True)
