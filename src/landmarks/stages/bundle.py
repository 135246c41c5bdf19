"""bundle: all that a notebook without network needs, in one folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

import landmarks
from landmarks.config import Chain, Config, learning_from_inliers
from landmarks.errors import UserError
from landmarks.notebook.wheels import fetch_wheels
from landmarks.progress import progress, say
from landmarks.quantities import format_bytes
from landmarks.search.origins import require_current_features, require_model_of_table
from landmarks.store.artefact import Artefact, fingerprint_of_file, read_manifest
from landmarks.store.disk import require_space
from landmarks.store.files import PART, copy_file, write_json, write_text
from landmarks.store.lock import LOCK

CONTENTS = "bundle.json"  # by which the notebook finds the folder
NOTEBOOK = "notebook.ipynb"


def bundle(config: Config) -> Path:
    """Make <run.folder>/bundle: code, weights, train's table and descriptors, wheels, configuration, notebook.ipynb.

    Raises UserError where a model is not trained, or train is not described and the chain (or whitening) learns from it; and
    where either is of another train table than the one in use.
    """
    if not config.models:
        raise UserError(
            "the configuration names no model: a notebook has photos to describe", where="models", next="--config FILE with models"
        )
    learning = learning_from_inliers(config.rerank)
    if learning:
        name = config.rerank[learning[0]].step
        raise UserError(
            f"the step {name} learns from inliers of training photos, which a notebook does not have",
            where="rerank",
            next=f"put verify behind {name}, or leave one of them out",
        )
    folder, code = config.run.folder / "bundle", Path(landmarks.__file__).parent
    notebook = code / "notebook" / NOTEBOOK
    table = config.tables_folder / config.dataset.train_table
    parts = {f"models/{name}": config.run.folder / "models" / name for name in config.models}
    if config.rerank or config.whiten.dimensions:
        parts |= {f"descriptors/{name}/train": config.run.folder / "descriptors" / name / "train" for name in config.models}
    for name in config.models:
        require_model_of_table(config.run.folder / "models" / name, config.tables_folder, config.dataset.train_table)
        if f"descriptors/{name}/train" in parts:
            require_current_features(parts[f"descriptors/{name}/train"], "extract", table)
    inputs = {name: read_manifest(path)["fingerprint"] for name, path in parts.items()} | {"table": fingerprint_of_file(table)}
    inputs |= {"notebook": fingerprint_of_file(notebook)}
    inputs |= {f"code/{path.relative_to(code)}": fingerprint_of_file(path) for path in sorted(code.rglob("*.py"))}
    steps = _code_of_steps(config.rerank)
    of_steps = sorted(path for root in steps for path in (root.rglob("*.py") if root.is_dir() else [root]))
    inputs |= {f"step/{path.name}": fingerprint_of_file(path) for path in of_steps}
    artefact = Artefact(folder, "bundle", _settings(config), inputs)
    if artefact.is_complete():
        say(f"bundle: up to date: {folder}")
        return folder
    artefact.begin()
    needed = sum(path.stat().st_size for part in parts.values() for path in part.rglob("*") if path.is_file()) + table.stat().st_size
    require_space(folder, "the bundle's weights and descriptors", needed, "run.folder on a larger disk")
    shutil.copytree(
        code, folder / "code" / "landmarks", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True, copy_function=copy_file
    )
    for path in steps:
        if path.is_dir():
            shutil.copytree(
                path, folder / "code" / path.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True, copy_function=copy_file
            )
        else:
            copy_file(path, folder / "code" / path.name)
    (folder / "dataset").mkdir(exist_ok=True)
    copy_file(table, folder / "dataset" / "train.csv")
    unfinished = shutil.ignore_patterns(LOCK, f".*{PART}")
    for name, path in progress(parts.items(), "bundle", "part"):
        shutil.copytree(path, folder / name, ignore=unfinished, dirs_exist_ok=True, copy_function=copy_file)
    wheels = fetch_wheels(folder / "wheels", config.bundle)
    write_text(folder / "config.yaml", yaml.safe_dump(_settings(config), sort_keys=False))
    copy_file(notebook, folder / NOTEBOOK)
    write_json(folder / CONTENTS, {"models": list(config.models), "wheels": wheels, "version": landmarks.__version__})
    artefact.finish(wheels=wheels)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    say(f"bundle: {folder}, {format_bytes(size)}")
    say("next: upload it as a dataset (kaggle.com/datasets, New Dataset), and its notebook.ipynb as a notebook of the competition")
    return folder


def _code_of_steps(chain: Chain) -> list[Path]:
    """The files, or packages' folders, of the chain's steps from outside the package."""
    roots = set()
    for step in chain:
        if step.is_from_outside:
            top = sys.modules[type(step).__module__.partition(".")[0]]
            paths = getattr(top, "__path__", None)  # of a package
            roots.add(Path(paths[0]) if paths else Path(str(top.__file__)))
    return sorted(roots)


def _settings(config: Config) -> dict:
    """The configuration as the notebook takes it: its own folders, nothing downloaded, nothing trained, damaged photos left out."""
    settings = config.model_dump(mode="json", exclude={"download", "sample", "photos", "evaluate", "ablate", "clean", "run", "train"})
    settings["dataset"] = {"source": "folder", "train_table": "train.csv", "max_pixels": config.dataset.max_pixels}
    settings["extract"]["on_error"] = "skip"
    for model in settings["models"].values():
        del model["recipe"]  # how it was trained, in terms of settings that are not here
    return settings
