"""What the vectors that are searched are made from: tables, descriptors and models, each compared with what lies there now."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from landmarks.command import configured_by, next_command
from landmarks.config import Config
from landmarks.config.read_yaml import RUN_FILE
from landmarks.config.run_file import stored_dataset
from landmarks.errors import UserError
from landmarks.search.distractors import Distractors
from landmarks.store.artefact import MANIFEST, fingerprint_of_file, read_manifest
from landmarks.store.skipped_rows import is_same_but_for_skipped
from landmarks.store.tables import read_train


class Origins:
    """The descriptors and tables behind space/<split>.

    folder       of the tables
    train_table  the name of train's
    """

    def __init__(self, config: Config, folder: Path, train_table: str):
        self._run_folder, self._whiten, self._models = config.run.folder, config.whiten, tuple(config.models)
        self._folder, self._train_table = folder, train_table
        # The tables of a benchmark are made in the run folder; the user's arrays lie in the benchmark's own folder.
        made = config.dataset.kind.is_benchmark and folder == config.tables_folder
        self.arrays = config.dataset.folder if made else folder
        others = config.dataset.distractors
        self.distractors = None if others is None else Distractors(others, {name: model.weight for name, model in config.models.items()})

    def inputs(self, *splits: str) -> dict[str, str]:
        """The fingerprints of what the vectors of `splits` are made from, with what whitening is learned on.

        Raises UserError for descriptors that are missing, that are of another table than the one in use, or by another model than
        the one that lies in the run folder.
        """
        elsewhere = {f"whitening {path.parent.name}": _fingerprint_elsewhere(path, "train") for path in self._whitening_elsewhere}
        if self.distractors is not None and "index" in splits:
            for folder in self.distractors.described:
                _fingerprint_elsewhere(folder, "index")
            elsewhere |= self.distractors.fingerprints
        if not self._models:
            return {path.name: digest(path) for path in self._files(splits)} | elsewhere
        own = {f"{model}/{split}": self._fingerprint(model, split) for model in self._models for split in self._wanted(splits)}
        return own | elsewhere

    def are_there(self, *splits: str) -> bool:
        """Whether all of it is still there: the vectors can be searched and ranked without it."""
        files, folders = [], list(self._whitening_elsewhere)
        if self.distractors is not None and "index" in splits:
            folders += self.distractors.described
            files += [] if self.distractors.described else [self.distractors.folder]
        if self._models:
            folders += [self.described(model, split) for model in self._models for split in self._wanted(splits)]
        else:
            files += self._files(splits)
        files += [path if path.suffix == ".npy" else path / MANIFEST for path in folders]
        return all(path.exists() for path in files)

    def described(self, model: str, split: str) -> Path:
        """The folder of a model's descriptors of a split."""
        return self._run_folder / "descriptors" / model / split

    @property
    def other_train(self) -> list[Path]:
        """The train descriptors of the run that whitening is learned on: one folder per model, or one array."""
        run = Path(self._whiten.learned_on).expanduser()
        return [run / "descriptors" / model / "train" for model in self._models] or [run / "train.npy"]

    @property
    def _whitening_elsewhere(self) -> list[Path]:
        return self.other_train if self._whiten.dimensions and self._whiten.learned_on not in ("train", "index") else []

    def _wanted(self, splits: tuple[str, ...]) -> list[str]:
        learned_on = self._whiten.learned_on if self._whiten.dimensions else None
        return list(dict.fromkeys((*splits, learned_on) if learned_on in ("train", "index") else splits))

    def _fingerprint(self, model: str, split: str) -> str:
        folder, table = self.described(model, split), self._table(split)
        # Of another run's descriptors (`overlap.train`) that run says where its tables are.
        return _fingerprint(folder, table) if table.is_file() else _fingerprint_elsewhere(folder, split)

    def _table(self, split: str) -> Path:
        return self._folder / (self._train_table if split == "train" else f"{split}.csv")

    def _files(self, splits: tuple[str, ...]) -> list[Path]:
        wanted = self._wanted(splits)
        # A benchmark has no training images, and no array for them.
        with_array = [split for split in wanted if split != "train" or not _is_empty(self._table("train"), digest(self._table("train")))]
        return [self._table(split) for split in wanted] + [self.arrays / f"{split}.npy" for split in with_array]


def require_current_features(folder: Path, stage: str, table: Path | None = None) -> dict[str, Any]:
    """The manifest of <run>/descriptors/<model>/<split> or <run>/local/<model>/<split>, which `stage` makes.

    table  the split's table in use; None where images are looked up by id

    Raises UserError where it is missing, is of another table, or by another model than that of the same run folder.
    """
    manifest = read_manifest(folder)
    made_from, model = manifest.get("inputs", {}), folder.parents[2] / "models" / folder.parent.name
    again = next_command(stage, "run.overwrite=true") + "  (or run.folder=ANOTHER to keep both)"
    if table is not None and table.is_file() and made_from.get("table", digest(table)) != digest(table):
        raise UserError(f"these descriptors are of another {table.name} than {table}", where=folder, next=again)
    if (model / MANIFEST).is_file():
        made_by = read_manifest(model)["fingerprint"]
        if made_from.get("model", made_by) != made_by:
            raise UserError(f"these features were made by another model than {model}, which was trained again", where=folder, next=again)
    return manifest


def require_model_of_table(folder: Path, tables_folder: Path, train_table: str) -> dict[str, Any]:
    """The manifest of <run>/models/<name>. Raises UserError where it is missing, or was trained on another content of the train table."""
    manifest, table = read_manifest(folder), tables_folder / train_table
    trained_on = manifest.get("inputs", {}).get(train_table)
    changed = trained_on is not None and table.is_file() and trained_on != digest(table)
    if changed and not is_same_but_for_skipped(table, manifest):
        raise UserError(
            f"this model was trained on another {table.name} than {table}",
            where=folder,
            next=next_command("train", "run.overwrite=true") + "  (or run.folder=ANOTHER to keep both)",
        )
    return manifest


def digest(path: Path) -> str:
    """As store.artefact.fingerprint_of_file; a file that has not changed since is read once by a process."""
    try:
        found = path.stat()
    except OSError:
        return fingerprint_of_file(path)  # which says what is missing
    return _digest(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, inode: int, size: int, modified: int) -> str:
    return fingerprint_of_file(path)


@lru_cache(maxsize=64)
def _is_empty(table: Path, content: str) -> bool:
    return len(read_train(table).ids) == 0


def _fingerprint(path: Path, table: Path | None) -> str:
    """Of an array, or of the descriptors of a model: another one for each set of skipped images."""
    if path.suffix == ".npy":
        return digest(path)
    manifest = require_current_features(path, "extract", table)
    skipped = sorted(manifest.get("skipped", ()))
    return manifest["fingerprint"] + (f" without {' '.join(skipped)}" if skipped else "")


def _fingerprint_elsewhere(path: Path, split: str) -> str:
    """As `_fingerprint`, of another run, whose own configuration says which table is in use there."""
    if path.suffix == ".npy":
        return digest(path)
    run = path.parents[2]
    with configured_by([str(run)]):
        return _fingerprint(path, _table_of_run(run, split))


def _table_of_run(run: Path, split: str) -> Path | None:
    """The split's table of a run by the configuration that it keeps; None where it keeps none."""
    if not (run / RUN_FILE).is_file():
        return None
    dataset = stored_dataset(run / RUN_FILE)
    folder = run / "dataset" if dataset.kind.has_tables_in_run else dataset.folder
    return folder / (dataset.train_table if split == "train" else f"{split}.csv")
