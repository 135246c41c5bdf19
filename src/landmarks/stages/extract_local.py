"""extract-local: local features of the queries and of the images in their lists that are to be verified."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from landmarks.config import Config, first_verifying, learning_from_inliers, verified_images, verifies
from landmarks.device import choose_device
from landmarks.extraction.run import extract_features
from landmarks.processes import all_processes
from landmarks.rerank.chain import await_chain, make_chain, open_context
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.scoring.protocol import protocol_named
from landmarks.search.rankings import read_ranking
from landmarks.store.local_features import local_model
from landmarks.store.tables import read_ids


def extract_local(config: Config) -> list[Path]:
    """Make local features of the queries and of the first images of the lists that are to be verified; returns the folders.

    Those are the lists before the chain's first step that verifies; rankings that are missing for them are made here. Where a step
    behind it learns from inliers, its training images are described too. What exists, from `extract` or an earlier search, is not
    made again. Several processes also verify those images, each its part of the pairs, which re-ranking then looks up.
    Raises UserError as `run_extraction` and `local_model` do.
    """
    model = local_model(config.models, config.verification.model)
    context = cache(lambda: open_context(config))
    processes = all_processes(choose_device(config.run.device)[0])
    wanted: dict[str, np.ndarray] = {}
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for chain in protocol_named(config.protocol).chains(config.rerank):
        before = chain[: first_verifying(chain)] if verifies(chain) else ()
        made = make_chain(config, before, context) if processes.first else await_chain(config, before)
        ranking = read_ranking(made)
        neighbours = ranking.indices.shape[1]
        first = ranking.indices[:, : verified_images(chain) or neighbours]
        rows, places = np.nonzero(first >= 0)
        pairs += [(rows, first[rows, places])] if verifies(chain) else []
        found = np.unique(first)
        index_ids = ranking.index_ids[found[found >= 0]]
        wanted = {"test": ranking.query_ids, "index": np.union1d(wanted["index"], index_ids) if wanted else index_ids}
        for place in learning_from_inliers(chain):
            rows = chain[place].training_rows(context(), chain[:place], neighbours)
            train_ids = read_ids(config.run.folder / "space" / "train" / "ids.csv")[rows]
            wanted["train"] = np.union1d(wanted["train"], train_ids) if "train" in wanted else train_ids
    folders = extract_features(config, "extract-local", model, wanted)
    if processes.count > 1:  # alone, re-ranking verifies them itself
        verified = VerifiedPairs(
            config.run, config.verification, model, ("test", "index"), ranking.query_ids, ranking.index_ids, processes=processes
        )
        for queries, images in pairs:
            verified.counts(queries, images)
    return folders
