"""fit-weights: the weights of an ensemble's models, fitted on training images that no model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.command import next_command
from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.ensemble_weights import FOLDS, Fitted, Similarities
from landmarks.ops.ensemble_weights import fit_weights as fit
from landmarks.ops.vectors import l2_normalise
from landmarks.progress import say
from landmarks.search.origins import Origins
from landmarks.store.artefact import fingerprint_of_file
from landmarks.store.descriptors import read_descriptors
from landmarks.store.tables import positions, read_train
from landmarks.training.held_out import HeldOut, hold_out
from landmarks.training.images import TrainingImages, images_of
from landmarks.training.trained_on import known_before, manifest_of_training, settings_of_training


def fit_weights(config: Config) -> Fitted:
    """Print each model's mAP@100 on the held-out training images, and the weights to type; queries and index are not looked at.

    The held-out images (train.validation_images) of all models are searched in train's others by the descriptors that `extract` made.
    Those that a training knew whose weights a model started from (train.start_from) are left out. Raises UserError for fewer than two
    models, and where a model was trained on all images, or on some of those that are held out by the settings of today: these it knows,
    whatever it is worth.
    """
    names = list(config.models)
    if len(names) < 2:
        raise UserError("weights are fitted for an ensemble", where="models", next="a configuration with two models or more")
    path = config.tables_folder / config.dataset.train_table
    table = read_train(path)
    images = images_of(table, table, 0, path)
    held = {name: _held_out(config, name, images, path) for name in names}
    queries = next(iter(held.values())).queries
    for other in held.values():
        queries = np.intersect1d(queries, other.queries)
    gallery = next(iter(held.values())).gallery
    origins = Origins(config, config.tables_folder, config.dataset.train_table)
    origins.inputs("train")  # what is out of date is refused
    described = [read_descriptors(origins.described(name, "train")) for name in names]
    places = [positions(images.ids, part.ids) for part in described]
    there = np.all([found >= 0 for found in places], axis=0)  # extract may have skipped images
    queries, gallery = queries[there[queries]], gallery[there[gallery]]

    def vectors(rows: np.ndarray) -> list[np.ndarray]:
        return [l2_normalise(part.matrix[found[rows]]) for part, found in zip(described, places, strict=True)]

    itself = np.where(np.isin(queries, gallery), np.searchsorted(gallery, queries), -1)
    similarities = Similarities(vectors(queries), vectors(gallery), images.labels[queries], images.labels[gallery], itself)
    if len(similarities) < 2 * FOLDS:
        raise UserError(
            f"{len(similarities)} images that no model was trained on are too few to fit weights on",
            where="train.validation_images",
            next="train.validation_images=500 and the same train.seed for all models, and the trainings that they start from, in a run "
            "folder of its own",
        )
    fitted = fit(similarities, config.train.seed)
    say(f"fit-weights: {len(similarities)} held-out images in {len(gallery)} of train; mAP@100 in percent")
    for name, alone in zip(names, fitted.alone, strict=True):
        say(f"  {name:24s} {100 * alone:6.2f}")
    say(f"  {'equal weights':24s} {100 * fitted.equal:6.2f}")
    low, high = (100 * end for end in fitted.gain)
    change = 100 * (fitted.held_out - fitted.equal)
    say(f"  {'fitted, on other images':24s} {100 * fitted.held_out:6.2f}, {change:+.2f} ({low:+.2f} to {high:+.2f})")
    if low <= 0:
        say("fit-weights: equal weights: none are surely better")
    say("  " + " ".join(f"models.{name}.weight={weight:.2g}" for name, weight in zip(names, fitted.weights, strict=True)))
    return fitted


def _held_out(config: Config, name: str, images: TrainingImages, table: Path) -> HeldOut:
    """What the model was not trained on. Raises UserError where its settings hold out nothing, or it was trained on other images.

    images  of the file `table`
    """
    settings, folder = config.train_of(name), config.run.folder / "models" / name
    next = f"train.validation_images=500, in a run folder of its own; then {next_command('train')}"
    if not settings.validation_images:
        raise UserError("no training images are held out", where="train.validation_images", next=next)
    by_landmark = settings.validation == "landmarks"
    held = hold_out(images.labels, settings.validation_images, settings.validation_gallery, landmarks=by_landmark, seed=settings.seed)
    manifest = manifest_of_training(folder, config.models[name].checkpoint)
    if not manifest.get("classes"):  # it was not trained: it knows no image
        return held
    if manifest.get("images") != len(held.training):
        what = f"'{name}' was trained on {manifest.get('images')} images, not without those held out"
        raise UserError(what, where=f"models.{name}", next=next)
    if fingerprint_of_file(table) not in manifest["inputs"].values():
        raise UserError(f"'{name}' was trained on another table", where=table, next=f"dataset.train_table=FILE, that table; or {next}")
    other = {key: value for key, value in settings_of_training(manifest).items() if value != getattr(settings, key)}
    if other:
        words = ", ".join(f"train.{key}={value} (now {getattr(settings, key)})" for key, value in other.items())
        typed = " ".join(f"models.{name}.recipe.{key}={value}" for key, value in other.items())
        raise UserError(f"'{name}' was trained with {words}: other images were held out", where=f"models.{name}", next=typed)
    known = np.isin(images.ids[held.queries], known_before(name, manifest, settings.start_from, table.parent))
    if known.any():
        what = f"{known.sum()} of {len(known)} held-out images were trained on before '{name}' started from their weights"
        say(f"fit-weights: {what} (train.start_from): they are left out")
    return held._replace(queries=held.queries[~known])
