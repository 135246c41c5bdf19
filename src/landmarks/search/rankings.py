"""Rankings on disk: four arrays in a folder and, of a step that searched again, its space."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Chain, Config, chain_names, matched_splits, verifies
from landmarks.datasets.revisited import TRUTH
from landmarks.errors import UserError, shown
from landmarks.ranking import Ranking, Space
from landmarks.search.current import changed_inputs, knn_settings, require_current_search, skipped_images
from landmarks.search.origins import digest, require_current_features
from landmarks.search.spaces import write_space
from landmarks.store.artefact import MANIFEST, Artefact, maker, read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array
from landmarks.store.local_features import local_folder, local_model
from landmarks.store.tables import positions, read_ids

SPACE = "space"


def write_ranking(folder: Path, ranking: Ranking, before: Space | None = None) -> None:
    """Write query_ids.csv, index_ids.csv, indices.npy and scores.npy (n_query, k) int32 and float32; its space where that is new.

    before  the space of the step before, as of `write_space`
    """
    write_csv(folder / "query_ids.csv", pd.DataFrame({"id": ranking.query_ids}))
    write_csv(folder / "index_ids.csv", pd.DataFrame({"id": ranking.index_ids}))
    write_array(folder / "indices.npy", ranking.indices)
    write_array(folder / "scores.npy", ranking.scores)
    if ranking.space is not None and ranking.space.folder is None:
        write_space(folder / SPACE, ranking.space, before)


def read_ranking(folder: Path) -> Ranking:
    """The ranking without its space."""
    query_ids, index_ids = (read_ids(folder / f"{name}_ids.csv") for name in ("query", "index"))
    indices, scores = (np.ascontiguousarray(read_array(folder / f"{name}.npy")) for name in ("indices", "scores"))
    try:
        return Ranking(query_ids, index_ids, indices, scores)
    except ValueError as error:  # of Ranking's own checks
        again = f"delete {folder}, then {next_command(maker(folder))}"
        raise UserError(f"not a ranking: {shown(error)}", where=folder, next=again) from None


def ranking_settings(config: Config, chain: Chain) -> dict[str, Any]:
    """The settings that shape the ranking after `chain`, as in its manifest; () = the search itself."""
    if not chain:
        return knn_settings(config)
    settings: dict[str, Any] = {"chain": [step.recipe() for step in chain]}
    if verifies(chain):
        settings["verification"] = config.verification.recipe()
    return settings


def chain_artefacts(config: Config, chain: Chain) -> list[Artefact]:
    """The rankings of every prefix of `chain`, shortest first, without the search itself.

    Raises UserError where the search or local features are missing, or are not of the tables and models in use.
    """
    if not chain:
        return []
    require_current_search(config, train=True)
    rankings = config.run.folder / "rankings"
    inputs = _inputs(config, chain, read_manifest(rankings / "knn"))
    artefacts = []
    for steps, name in enumerate(chain_names(chain)[1:], start=1):
        later = _read_by(chain) - _read_by(chain[:steps])
        made_from = {name: made for name, made in inputs.items() if name not in later}
        artefacts.append(Artefact(rankings / name, "rerank", ranking_settings(config, chain[:steps]), made_from))
    return artefacts


def choice_artefact(config: Config, chain: Chain) -> Artefact:
    """<run>/choice, or <run>/recognition_choice: the steps chosen in place of the last step of `chain`.

    Raises UserError without a current search.
    """
    require_current_search(config, train=True)
    inputs = _inputs(config, (), read_manifest(config.run.folder / "rankings" / "knn"))
    settings = ranking_settings(config, chain) | {"local features": any(model.local for model in config.models.values())}
    if config.protocol == "places":
        settings |= {"protocol": config.protocol}
    if config.protocol != "recognition":
        return Artefact(config.run.folder / "choice", "rerank", settings, inputs)
    votes = config.recognize.model_dump(
        mode="json", include={"neighbours", "non_landmark_ids", "non_landmark_neighbours", "non_landmark_weight"}
    )
    return Artefact(config.run.folder / "recognition_choice", "rerank", settings | {"recognize": votes}, inputs)


def read_chain_manifests(config: Config, chain: Chain) -> dict[str, dict[str, Any]]:
    """The manifest of every prefix of `chain`, by its name.

    Raises UserError where a ranking is missing, or was made with other settings, or from other tables, vectors or local features
    than those in use. Local features that were deleted since are not asked for.
    """
    folder = config.run.folder / "rankings"
    require_current_search(config, train=bool(chain), vectors=False)
    manifests = {}
    for steps, name in enumerate(chain_names(chain)):
        manifests[name] = manifest = read_manifest(folder / name)
        if steps == 0:  # of the search
            continue
        if manifest["settings"] != ranking_settings(config, chain[:steps]):
            raise UserError("this ranking was made with other settings", where=folder / name, next=next_command("rerank"))
        changed = changed_inputs(manifest, _inputs(config, chain[:steps], manifests["knn"], deleted=True))
        if changed:
            words = {"knn": "another search", "train": "other vectors of train", "labels": f"another {config.dataset.train_table}"}
            words["junk"] = "another ground truth"
            what = f"this ranking was made from {words.get(changed[0], f'other {changed[0]}')} than what lies there now"
            raise UserError(what, where=folder / name, next=next_command("rerank"))
    return manifests


def _read_by(chain: Chain) -> set[str]:
    """The names of those inputs that not every chain has."""
    return {f"{split} features" for split in matched_splits(chain)} | {"junk" for step in chain if step.reads_junk}


def _inputs(config: Config, chain: Chain, knn: dict[str, Any], *, deleted: bool = False) -> dict[str, str]:
    """The fingerprints of what the ranking after `chain` is made from. deleted: leave out what is not there any more."""
    train = config.run.folder / "space" / "train"
    table, inputs = config.tables_folder / config.dataset.train_table, {"knn": knn["fingerprint"]}
    if not deleted or table.is_file():
        inputs["labels"] = digest(table)
    if not deleted or (train / MANIFEST).is_file():
        inputs["train"] = read_manifest(train)["fingerprint"]
    truth = config.tables_folder / TRUTH
    if "junk" in _read_by(chain) and truth.is_file():
        inputs["junk"] = digest(truth)
    for split in matched_splits(chain):
        folder = local_folder(config.run.folder, local_model(config.models, config.verification.model), split)
        if not deleted or (folder / MANIFEST).is_file():
            inputs[f"{split} features"] = require_current_features(folder, "extract-local")["fingerprint"]
    return inputs


def read_chain_ranking(config: Config, chain: Chain) -> Ranking:
    """The ranking after `chain`. Raises UserError as `read_chain_manifests` and `require_queries` do."""
    read_chain_manifests(config, chain)
    folder = config.run.folder / "rankings" / chain_names(chain)[-1]
    ranking = read_ranking(folder)
    require_queries(config, ranking, folder)
    return ranking


def require_queries(config: Config, ranking: Ranking, folder: Path) -> None:
    """Raise UserError unless the ranking in `folder` has a row for each query of test.csv, those that could not be described aside."""
    test_ids = read_ids(config.tables_folder / "test.csv")
    absent = test_ids[positions(test_ids, ranking.query_ids) < 0]
    if len(absent):
        skipped = skipped_images(config, "test")
        absent = np.array([id for id in absent if id not in skipped], dtype=object)
    strangers = ranking.query_ids[positions(ranking.query_ids, test_ids) < 0]
    if len(absent) or len(strangers):
        what = f"no row for the query '{absent[0]}'" if len(absent) else f"'{strangers[0]}' is not in test.csv"
        raise UserError(
            f"this ranking is not of the queries of test.csv: {what} ({len(absent) + len(strangers)} such queries)",
            where=folder,
            next=next_command("search"),
        )


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
