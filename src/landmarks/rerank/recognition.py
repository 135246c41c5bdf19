"""The landmark of each query, by the training images that it is most like in the vectors that a chain ends with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.command import next_command
from landmarks.config import Chain, Config, RecognizeSettings
from landmarks.datasets.recognition import Predictions, write_predictions
from landmarks.errors import UserError
from landmarks.extraction.jobs import local_recipe
from landmarks.extraction.run import extract_features
from landmarks.rerank.chain import open_context, space_after
from landmarks.rerank.landmark_votes import landmark_votes
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.search.current import require_current_search
from landmarks.search.origins import digest
from landmarks.search.rankings import read_chain_manifests
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.local_features import local_model
from landmarks.store.tables import read_ids

SUBMISSION = "submission.csv"


def recognition_settings(settings: RecognizeSettings) -> dict[str, Any]:
    """What shapes the predictions beside the ranking and the local features, as their manifest has it."""
    return {"recognize": settings.model_dump(mode="json", exclude={"solution"})}


def recognition_inputs(config: Config, chain: Chain) -> dict[str, str]:
    """What the predictions behind `chain` are made from, beside the model. Raises UserError where it was not run."""
    ranking = list(read_chain_manifests(config, chain).values())[-1]["fingerprint"]
    require_current_search(config, train=True)  # by an empty chain, too
    train = read_manifest(config.run.folder / "space" / "train")["fingerprint"]
    return {"ranking": ranking, "train": train, "labels": digest(config.tables_folder / config.dataset.train_table)}


def predictions_artefact(config: Config, chain: Chain, folder: Path, stage: str) -> Artefact:
    """The folder of the predictions behind `chain`, made by `stage`. Raises UserError where the chain has not been run."""
    settings, inputs = recognition_settings(config.recognize), recognition_inputs(config, chain)
    if config.recognize.verify:
        model = local_model(config.models, config.verification.model)
        settings |= {"verification": config.verification.recipe(), "local": local_recipe(config.extract), "model": model}
        inputs["model"] = read_manifest(config.run.folder / "models" / model)["fingerprint"]
    return Artefact(folder, stage, settings, inputs)


def read_recognition_manifest(config: Config) -> dict[str, Any]:
    """The manifest of <run>/recognition. Raises UserError where no predictions are, or those of other settings."""
    folder = config.run.folder / "recognition"
    made_from = recognition_inputs(config, config.rerank)
    manifest = read_manifest(folder)
    settings = {name: manifest["settings"].get(name) for name in recognition_settings(config.recognize)}
    same = {name: manifest["inputs"].get(name) for name in made_from} == made_from
    if settings != recognition_settings(config.recognize) or not same:
        what = "these predictions were made with other settings, or from other tables"
        raise UserError(what, where=folder, next=next_command("recognize"))
    return manifest


def make_predictions(config: Config, chain: Chain, artefact: Artefact, test_ids: np.ndarray) -> None:
    """Write its submission.csv (id,landmarks), a row for each of test_ids.

    The nearest training images are those in the vectors that the chain ends with. With recognize.verify local features of the
    queries and of those images are extracted where they are not there, and the pairs verified and kept.
    """
    artefact.begin()
    predictions = _predict(config, chain)
    write_predictions(artefact.folder / SUBMISSION, predictions.for_ids(test_ids))
    artefact.finish(queries=len(test_ids), predictions=int((predictions.confidences > -np.inf).sum()))


def _predict(config: Config, chain: Chain) -> Predictions:
    folder = config.run.folder / "space"
    query_ids, train_ids = (read_ids(folder / split / "ids.csv") for split in ("test", "train"))
    context, settings = open_context(config), config.recognize
    inliers = partial(_inliers, config, query_ids, train_ids) if settings.verify else None
    votes = landmark_votes(context, space_after(config, chain), settings, inliers)
    landmark_ids = np.append(np.unique(context.landmark_ids), 0)[votes.labels]
    return Predictions(query_ids, landmark_ids, np.where(votes.labels >= 0, votes.scores, -np.inf).astype(np.float32))


def _inliers(config: Config, query_ids: np.ndarray, train_ids: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(n_query, k) of each query with each training image found for it."""
    model = local_model(config.models, config.verification.model)
    queries, places = np.nonzero(found >= 0)
    images = found[queries, places]
    wanted = {"test": query_ids[np.unique(queries)], "train": train_ids[np.unique(images)]}
    extract_features(config, "recognize", model, wanted)
    inliers = np.zeros(found.shape, np.int64)
    pairs = VerifiedPairs(config.run, config.verification, model, ("test", "train"), query_ids, train_ids)
    inliers[queries, places] = pairs.counts(queries, images).inliers
    return inliers
