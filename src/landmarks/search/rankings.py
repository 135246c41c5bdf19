"""Rankings on disk: four arrays in a folder and, of a step that searched again, its space."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Chain, Config, chain_names, verifies
from landmarks.errors import UserError
from landmarks.ranking import Ranking
from landmarks.search.descriptor_source import space_settings
from landmarks.search.spaces import write_space
from landmarks.store.artefact import read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array
from landmarks.store.tables import positions, read_ids

SPACE = "space"


def write_ranking(folder: Path, ranking: Ranking) -> None:
    """Write query_ids.csv, index_ids.csv, indices.npy and scores.npy (n_query, k) int32 and float32; its space where that is new."""
    write_csv(folder / "query_ids.csv", pd.DataFrame({"id": ranking.query_ids}))
    write_csv(folder / "index_ids.csv", pd.DataFrame({"id": ranking.index_ids}))
    write_array(folder / "indices.npy", ranking.indices)
    write_array(folder / "scores.npy", ranking.scores)
    if ranking.space is not None and ranking.space.folder is None:
        write_space(folder / SPACE, ranking.space)


def read_ranking(folder: Path) -> Ranking:
    """The ranking without its space."""
    return Ranking(
        read_ids(folder / "query_ids.csv"),
        read_ids(folder / "index_ids.csv"),
        np.ascontiguousarray(read_array(folder / "indices.npy")),
        read_array(folder / "scores.npy"),
    )


def ranking_settings(config: Config, chain: Chain) -> dict[str, Any]:
    """The settings that shape the ranking after `chain`, as in its manifest; () = the search itself."""
    if not chain:
        return space_settings(config.models, config.whiten) | {"neighbours": config.search.neighbours}
    settings: dict[str, Any] = {"chain": [step.recipe() for step in chain]}
    if verifies(chain):
        settings["verification"] = config.verification.recipe()
    return settings


def read_chain_manifests(config: Config, chain: Chain) -> dict[str, dict[str, Any]]:
    """The manifest of every prefix of `chain`, by its name.

    Raises UserError where a ranking is missing, or was made with other settings than these.
    """
    folder, manifests = config.run.folder / "rankings", {}
    for steps, name in enumerate(chain_names(chain)):
        manifests[name] = manifest = read_manifest(folder / name)
        of_this_search = steps == 0 or manifest["inputs"]["knn"] == manifests["knn"]["fingerprint"]
        if manifest["settings"] != ranking_settings(config, chain[:steps]) or not of_this_search:
            raise UserError(
                "this ranking was made with other settings",
                where=folder / name,
                next=next_command("search" if steps == 0 else "rerank"),
            )
    return manifests


def read_chain_ranking(config: Config, chain: Chain) -> Ranking:
    """The ranking after `chain`. Raises UserError as `read_chain_manifests` does."""
    read_chain_manifests(config, chain)
    return read_ranking(config.run.folder / "rankings" / chain_names(chain)[-1])


def listed_numbers(ranking: Ranking, query_ids: np.ndarray, index_ids: np.ndarray, top: int | None = None) -> np.ndarray:
    """The lists of `query_ids` as numbers into `index_ids`: (len(query_ids), k, or `top` where given), -1 = none.

    A query that is not in the ranking has an empty list.
    """
    none = np.full((1, ranking.indices.shape[1]), -1, np.int32)  # row -1, for queries that are not in the ranking
    lists = np.concatenate([ranking.indices, none])[positions(query_ids, ranking.query_ids), :top]
    return np.append(positions(ranking.index_ids, index_ids), -1)[lists]


class Cost(NamedTuple):
    """Time and peak memory of the last step of a chain, and of the whole chain with the search; megabytes None of the search alone."""

    seconds: float
    peak_megabytes: float | None
    total_seconds: float
    highest_megabytes: float | None


def read_cost(config: Config, chains: tuple[Chain, ...]) -> Cost:
    """The highest of `chains`, those that one chain is run as. Raises UserError as `read_chain_manifests` does."""
    costs = [_cost(list(read_chain_manifests(config, chain).values())) for chain in chains]
    return Cost(
        max(cost.seconds for cost in costs),
        _highest(cost.peak_megabytes for cost in costs),
        max(cost.total_seconds for cost in costs),
        _highest(cost.highest_megabytes for cost in costs),
    )


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _cost(manifests: list[dict[str, Any]]) -> Cost:
    seconds = [manifest.get("step_seconds", manifest["seconds"]) for manifest in manifests]
    megabytes = [manifest["peak_megabytes"] for manifest in manifests if "peak_megabytes" in manifest]
    last = manifests[-1].get("peak_megabytes")
    return Cost(round(seconds[-1], 3), last, round(sum(seconds), 3), max(megabytes, default=None))
