"""Whether space/ and rankings/knn are of the tables, descriptors and settings in use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from landmarks.command import next_command
from landmarks.config import Config, ModelSettings, WhitenSettings
from landmarks.errors import UserError
from landmarks.search.origins import Origins, digest
from landmarks.store.artefact import MANIFEST, Artefact, read_manifest
from landmarks.store.tables import read_ids, read_train

_WITHOUT = " without "  # in the fingerprint of descriptors (search/origins.py): behind it the skipped ids
_RANKED = {"test": "query_ids.csv", "index": "index_ids.csv"}  # in rankings/knn


def space_settings(models: Mapping[str, ModelSettings], whiten: WhitenSettings) -> dict[str, Any]:
    """The settings that shape the vectors, for fingerprints."""
    whitening: dict[str, Any] = {"dimensions": whiten.dimensions}
    if whiten.dimensions and whiten.learned_on != "train":
        whitening["learned_on"] = whiten.learned_on
    if whiten.dimensions and whiten.power != 1:
        whitening["power"] = whiten.power
    return {"weights": {name: model.weight for name, model in models.items()}, "whiten": whitening}


def knn_settings(config: Config) -> dict[str, Any]:
    """The settings that shape the first ranking, for its fingerprint."""
    approximate = {} if config.search.index == "exact" else {"index": config.search.index}  # earlier recipes name none
    return space_settings(config.models, config.whiten) | {"neighbours": config.search.neighbours} | approximate


def space_artefact(config: Config, origins: Origins, split: str) -> Artefact:
    """<run>/space/<split> as it is made from what lies there now. Raises UserError as `Origins.inputs` does."""
    settings = space_settings(config.models, config.whiten)
    return Artefact(config.run.folder / "space" / split, "search", settings, origins.inputs(split))


def knn_artefact(config: Config, made: Mapping[str, str]) -> Artefact:
    """<run>/rankings/knn. made: the fingerprints of space/test and space/index."""
    inputs = {split: made[split] for split in ("test", "index")}
    return Artefact(config.run.folder / "rankings" / "knn", "search", knn_settings(config), inputs)


def require_current_search(config: Config, *, train: bool, vectors: bool = True) -> None:
    """Raise UserError where the search is missing, or is of other tables, descriptors or settings than those in use.

    train    whether the vectors of train are used as well
    vectors  whether they are read; else only those that are there are compared

    Descriptors, and vectors that are not read, may have been deleted after the search: then its ids are compared with the tables.
    """
    folder, splits = config.run.folder, ("test", "index", "train") if train else ("test", "index")
    ranking = read_manifest(folder / "rankings" / "knn")
    origins, made = Origins(config, config.tables_folder, config.dataset.train_table), {}
    for split in splits:
        place = folder / "space" / split
        if vectors or (place / MANIFEST).is_file():
            made[split] = _require_current_vectors(config, origins, split, place)
        elif split in _RANKED and not _has_ids_of_table(config, split, folder / "rankings" / "knn" / _RANKED[split]):
            _refuse_table(config, split, folder / "rankings" / "knn")
    if ranking["settings"] != knn_settings(config):
        raise UserError("this ranking was made with other settings", where=folder / "rankings" / "knn", next=next_command("search"))
    if changed_inputs(ranking, made):
        what = "this ranking was made from other vectors than space/ holds"
        raise UserError(what, where=folder / "rankings" / "knn", next=next_command("search"))


def changed_inputs(manifest: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """The names of those inputs in a manifest that have another fingerprint now."""
    return [name for name, made in manifest.get("inputs", {}).items() if now.get(name, made) != made]


def skipped_images(config: Config, split: str) -> set[str]:
    """The ids of the split's images without vector, since a model could not describe them."""
    place = config.run.folder / "space" / split
    if (place / MANIFEST).is_file():
        made = [made for name, made in read_manifest(place)["inputs"].items() if name.endswith(f"/{split}")]
        return {id for fingerprint in made for id in fingerprint.partition(_WITHOUT)[2].split()}
    described = [config.run.folder / "descriptors" / model / split for model in config.models]
    return {id for one in described if (one / MANIFEST).is_file() for id in read_manifest(one).get("skipped", ())}


def _require_current_vectors(config: Config, origins: Origins, split: str, place: Path) -> str:
    """The fingerprint of space/<split>."""
    manifest = read_manifest(place)
    if manifest["stage"] == "search":  # `overlap` takes a part of train for the time being
        if manifest["settings"] != space_settings(config.models, config.whiten):
            raise UserError("these vectors were made with other settings", where=place, next=next_command("search"))
        if origins.are_there(split):
            current = space_artefact(config, origins, split).is_complete()
        elif (table := _table(config, split)).name in manifest["inputs"]:
            current = manifest["inputs"][table.name] == digest(table)
        else:
            current = _has_ids_of_table(config, split, place / "ids.csv")
        if not current:
            _refuse_table(config, split, place)
    return manifest["fingerprint"]


def _refuse_table(config: Config, split: str, place: Path) -> NoReturn:
    what = "this ranking was" if place.name == "knn" else "these vectors were"
    raise UserError(
        f"{what} made from other descriptors, or from another {_table(config, split).name}, than those in use",
        where=place,
        next=next_command("search"),
    )


def _table(config: Config, split: str) -> Path:
    return config.tables_folder / (config.dataset.train_table if split == "train" else f"{split}.csv")


def _has_ids_of_table(config: Config, split: str, listed: Path) -> bool:
    """Whether the file `listed` has the ids of the split's table, those of skipped images and of distractors aside.

    Where one of the two files is missing, whoever reads it says so.
    """
    if not (_table(config, split).is_file() and listed.is_file()):
        return True
    ids = read_train(_table(config, split)).ids if split == "train" else read_ids(_table(config, split))
    wanted, found = set(ids) - skipped_images(config, split), set(read_ids(listed))
    return wanted <= found if split == "index" and config.dataset.distractors is not None else wanted == found
