"""recognize: the training images that a query is most like -> its landmark, and a submission of the recognition challenge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import Config
from landmarks.datasets.recognition import Predictions, read_predictions, write_predictions
from landmarks.errors import UserError
from landmarks.extraction.jobs import local_recipe
from landmarks.extraction.run import extract_features
from landmarks.ops.non_landmark import mean_similarity
from landmarks.ops.recognition import demote_frequent, recognition_votes
from landmarks.ops.voting import Votes, label_votes
from landmarks.progress import say
from landmarks.protocols.recognition import Recognition, recognition_inputs, recognition_settings
from landmarks.ranking import Space
from landmarks.rerank.chain import open_context, space_after
from landmarks.rerank.context import Context
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.scoring.record import record
from landmarks.search.current import require_current_search
from landmarks.search.rankings import read_chain_manifests
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.local_features import local_model
from landmarks.store.tables import read_ids, read_tables


def recognize(config: Config) -> Path:
    """Make recognition/submission.csv (id,landmarks), read back and validated; returns its path.

    With a solution its scores lie beside it, as `evaluate` writes them under evaluate.protocol=recognition.
    The nearest training images are those in the vectors that the chain ends with. With recognize.verify local features of the
    queries and of those images are extracted where they are not there, and the pairs verified and kept.
    Raises UserError where the chain has not been run.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    settings, inputs = _recipe(config)
    artefact = Artefact(config.run.folder / "recognition", "recognize", settings, inputs)
    path = artefact.folder / "submission.csv"
    if artefact.is_complete():
        say("recognize: up to date")
    else:
        artefact.begin()
        predictions = _predict(config)
        write_predictions(path, predictions.for_ids(tables.test_ids))
        artefact.finish(queries=len(tables.test_ids), predictions=int((predictions.confidences > -np.inf).sum()))
    predictions = read_predictions(path, tables.test_ids)
    say(f"recognize: {path} is valid: {len(tables.test_ids)} queries, {np.isfinite(predictions.confidences).sum()} predictions")
    record(config, "recognition", Recognition().score(config))
    return path


def _recipe(config: Config) -> tuple[dict[str, Any], dict[str, str]]:
    ranking = list(read_chain_manifests(config, config.rerank).values())[-1]["fingerprint"]
    require_current_search(config, train=True)  # by an empty chain, too
    settings, inputs = recognition_settings(config.recognize), recognition_inputs(config, ranking)
    if config.recognize.verify:
        model = local_model(config.models, config.verification.model)
        settings |= {"verification": config.verification.recipe(), "local": local_recipe(config.extract), "model": model}
        inputs["model"] = read_manifest(config.run.folder / "models" / model)["fingerprint"]
    return settings, inputs


def _predict(config: Config) -> Predictions:
    settings, folder = config.recognize, config.run.folder / "space"
    context, space = open_context(config), space_after(config, config.rerank)
    query_ids, train_ids = (read_ids(folder / split / "ids.csv") for split in ("test", "train"))
    voters, others = _voters(context, settings.non_landmark_ids)
    found, cosines = _nearest_voters(context, space, voters, settings.neighbours)
    labels = np.append(context.labels, -1)[found]
    if settings.verify:
        votes = recognition_votes(labels, _inliers(config, query_ids, train_ids, found), cosines, settings.cosine_weight)
    else:
        votes = label_votes(labels, cosines)
    if len(others):
        _, similarities = context.search_vectors(
            space.test, space.train[others], settings.non_landmark_neighbours, "search test in non-landmarks"
        )
        votes = Votes(votes.labels, votes.scores - np.float32(settings.non_landmark_weight) * mean_similarity(similarities))
    confidences = demote_frequent(votes, settings.frequent) if settings.frequent else votes.scores
    known = votes.labels >= 0
    landmark_ids = np.append(np.unique(context.landmark_ids), 0)[votes.labels]
    return Predictions(query_ids, landmark_ids, np.where(known, confidences, -np.inf).astype(np.float32))


def _voters(context: Context, non_landmark_ids: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train that show a landmark, and rows that show none."""
    absent = sorted(set(non_landmark_ids) - set(context.landmark_ids.tolist()))
    if absent:
        raise UserError(
            f"train has no image of the landmark {absent[0]}",
            where="recognize.non_landmark_ids",
            next="give ids that the train table holds",
        )
    shows_none = np.isin(context.landmark_ids, non_landmark_ids)
    return np.flatnonzero(~shows_none), np.flatnonzero(shows_none)


def _nearest_voters(context: Context, space: Space, voters: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train (n_query, neighbours), -1 = none, and cosines float32, -inf = none."""
    if len(voters) == len(space.train):
        return context.nearest(space, "test", "train", neighbours)
    found, cosines = context.search_vectors(space.test, space.train[voters], neighbours, "search test in train")
    return np.append(voters, -1)[found], cosines


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
