"""overlap: photos that are in the training set and in an evaluation set, and what the labels of their landmarks are worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Config, DatasetSettings, OverlapSettings, WhitenSettings
from landmarks.extraction.run import extract_features
from landmarks.progress import say
from landmarks.rerank.chain import make_chain, open_context
from landmarks.rerank.resolve import with_chosen_steps
from landmarks.rerank.train_subset import rerank_with_train_subset
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.scoring.evaluation import enter
from landmarks.scoring.protocol import protocol_named
from landmarks.search.descriptor_source import DescriptorSource
from landmarks.search.spaces import search, search_on_gpu
from landmarks.store.artefact import MANIFEST, Artefact, fingerprint_of_file
from landmarks.store.csv_files import read_csv, write_csv
from landmarks.store.descriptors import Descriptors
from landmarks.store.files import write_json
from landmarks.store.local_features import LocalStore, local_folder, local_model
from landmarks.store.manifest import read_manifest_file
from landmarks.store.tables import Tables, TrainTable, positions, read_ids, read_tables, read_train, write_clean_train
from landmarks.training.trained_on import START


def overlap(config: Config) -> Path:
    """Make overlap/pairs.csv (split,id,train_id,landmark_id,cosine,inliers), summary.json and, where the landmarks are known,
    train_without_overlap.csv (landmark_id,images); returns the folder.

    Two photos are near-duplicates where the cosine of their descriptors, before whitening, reaches overlap.similarity and, with
    overlap.verify, their inliers overlap.min_inliers. A landmark overlaps where one of its training images does.
    With overlap.score the chain is also run without the labels of those landmarks (in overlap/without/, scores.json); steps in place of
    auto are those chosen with all labels.
    Raises UserError where descriptors are missing.
    """
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    evaluated, trained = DescriptorSource(_over(config, config.dataset), tables), _training_space(config, tables)
    table = _train_table(config.overlap, tables, described=bool(config.models))
    settings = config.overlap.model_dump(mode="json", exclude={"score", "train", "train_table"})
    settings |= {"verification": config.verification.recipe()} if config.overlap.verify else {}
    inputs = evaluated.inputs(*config.overlap.splits) | {f"training set {name}": made for name, made in trained.inputs("train").items()}
    inputs |= {"labels": fingerprint_of_file(table)} if table else {}
    artefact = Artefact(config.run.folder / "overlap", "overlap", settings, inputs)
    landmarks = read_train(table) if table else None
    if artefact.is_complete():
        say("overlap: up to date")
    else:
        artefact.begin()
        train = trained.unwhitened("train")
        parts = {split: evaluated.unwhitened(split) for split in config.overlap.splits}
        found = [_near_duplicates(config, split, part, train) for split, part in parts.items()]
        pairs = _with_landmarks(pd.concat(found, ignore_index=True), landmarks)
        summary = _summary(config.overlap, pairs, {split: len(part.ids) for split, part in parts.items()}, landmarks)
        write_csv(artefact.folder / "pairs.csv", pairs)
        write_json(artefact.folder / "summary.json", summary)
        if landmarks is not None:
            write_clean_train(artefact.folder / "train_without_overlap.csv", _without(landmarks, pairs))
        artefact.finish(pairs=len(pairs))
        say(f"overlap: {summary['words']}; {artefact.folder / 'pairs.csv'}")
        _say_what_was_not_compared(config)
    if config.overlap.score and config.overlap.train is None and landmarks is not None:
        _score(config, artefact.folder, landmarks)
    return artefact.folder


def _training_space(config: Config, tables: Tables) -> DescriptorSource:
    """The training set's descriptors, this run's or another's: a model's lie in the run folder, arrays beside their table."""
    elsewhere = config.overlap.train
    if elsewhere is None:
        return DescriptorSource(_over(config, config.dataset), tables)
    first = next(iter(config.models), None)
    ids = read_ids(elsewhere / "descriptors" / first / "train" / "ids.csv") if first else read_train(elsewhere / "train.csv").ids
    nothing = np.empty(0, object)
    table = TrainTable(ids, np.zeros(len(ids), np.int64))
    there = _over(config.at(elsewhere), DatasetSettings(folder=elsewhere))
    return DescriptorSource(there, Tables(elsewhere, "train.csv", table, nothing, nothing))


def _say_what_was_not_compared(config: Config) -> None:
    """The trainings that the models started from saw photos too, and an evaluation photo among them is worth as little."""
    for name in config.models:
        manifest = read_manifest_file((config.overlap.train or config.run.folder) / "models" / name / MANIFEST, complete=True)
        if manifest is not None and START in manifest["inputs"]:
            where = manifest.get(START, "other weights")
            say(f"overlap: '{name}' started from {where}; the photos of that training were not compared: overlap.train=ITS_RUN does")


def _over(config: Config, dataset: DatasetSettings) -> Config:
    """The same settings over another dataset; descriptors as they are, without distractors."""
    dataset = dataset.model_copy(update={"distractors": None})
    return config.model_copy(update={"dataset": dataset, "whiten": WhitenSettings()})


def _train_table(settings: OverlapSettings, tables: Tables, described: bool) -> Path | None:
    """The table of the training images' landmarks; None = not known."""
    if settings.train_table is not None:
        return settings.train_table
    if settings.train is None:
        return tables.path("train")
    return None if described else settings.train / "train.csv"


def _near_duplicates(config: Config, split: str, evaluated: Descriptors, train: Descriptors) -> pd.DataFrame:
    """split, id, train_id, cosine, inliers of every pair, in the order of the split and most alike first."""
    use_gpu = search_on_gpu(config.run.device)[0]
    queries, trained = np.asarray(evaluated.matrix), np.asarray(train.matrix)
    near, cosines = search(queries, trained, config.overlap.neighbours, f"search {split} in train", use_gpu)
    images, places = np.nonzero(cosines >= config.overlap.similarity)
    rows = near[images, places]
    columns = {"split": split, "id": evaluated.ids[images], "train_id": train.ids[rows], "cosine": cosines[images, places].round(4)}
    if not config.overlap.verify:
        return pd.DataFrame(columns | {"inliers": ""})
    inliers = _inliers(config, split, evaluated.ids, train.ids, images, rows)
    return pd.DataFrame(columns | {"inliers": inliers})[inliers >= config.overlap.min_inliers]


def _inliers(config: Config, split: str, ids: np.ndarray, train_ids: np.ndarray, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(p,) of the pairs of `ids[images]` and `train_ids[rows]`; -1 where another run's training image has no local features."""
    model, elsewhere = local_model(config.models, config.verification.model), config.overlap.train
    wanted = {split: ids[np.unique(images)]} | ({} if elsewhere else {"train": train_ids[np.unique(rows)]})
    extract_features(config, "overlap", model, wanted)
    there = np.ones(len(images), bool)
    if elsewhere is not None:
        there = LocalStore(local_folder(elsewhere, model, "train")).rows(train_ids[rows]) >= 0
        if not there.all():
            say(f"overlap: {(~there).sum()} {split} pairs cannot be confirmed, their training images have no local features in {elsewhere}")
    inliers = np.full(len(images), -1)
    if there.any():
        inliers[there] = (
            VerifiedPairs(config.run, config.verification, model, (split, "train"), ids, train_ids, elsewhere)
            .counts(images[there], rows[there])
            .inliers
        )
    return inliers


def _with_landmarks(pairs: pd.DataFrame, landmarks: TrainTable | None) -> pd.DataFrame:
    """With the landmark of each training image; empty where it is not known."""
    known: Any = ""
    if landmarks is not None:
        rows = positions(pairs["train_id"], landmarks.ids)
        known = [str(landmarks.landmark_ids[row]) if row >= 0 else "" for row in rows]
    return pairs.assign(landmark_id=known)[["split", "id", "train_id", "landmark_id", "cosine", "inliers"]]


def _without(landmarks: TrainTable, pairs: pd.DataFrame) -> TrainTable:
    """The training images of the landmarks that do not overlap."""
    kept = ~np.isin(landmarks.landmark_ids, landmarks.landmark_ids[np.isin(landmarks.ids.astype(str), pairs["train_id"].astype(str))])
    return TrainTable(landmarks.ids[kept], landmarks.landmark_ids[kept])


def _summary(settings: OverlapSettings, pairs: pd.DataFrame, images: dict[str, int], landmarks: TrainTable | None) -> dict[str, Any]:
    counts = {split: {"images": count, "in_train": pairs[pairs["split"] == split]["id"].nunique()} for split, count in images.items()}
    said = " and ".join(f"{part['in_train']} of {part['images']} {split} images" for split, part in counts.items())
    limit = f"cosine {settings.similarity:g}" + (f", {settings.min_inliers} inliers" if settings.verify else "")
    summary: dict[str, Any] = {"splits": counts, "training_images": pairs["train_id"].nunique()}
    if landmarks is not None:
        named = pairs.loc[pairs["landmark_id"] != "", "landmark_id"].nunique()
        summary |= {"landmarks": len(np.unique(landmarks.landmark_ids)), "landmarks_in_both": named}
    return summary | {"words": f"{said} are in the training set ({limit})"}


def _score(config: Config, folder: Path, landmarks: TrainTable) -> None:
    """Run the chain with and without the labels of the landmarks that overlap; print both scores and record them."""
    pairs = read_csv(folder / "pairs.csv", ["train_id"]).to_pandas()
    kept = _without(landmarks, pairs)
    all_of_them = len(np.unique(landmarks.landmark_ids))
    gone = all_of_them - len(np.unique(kept.landmark_ids))
    protocol = protocol_named(config.protocol)
    reasons = {
        "no landmark overlaps": gone == 0,
        "every landmark overlaps": len(kept.ids) == 0,
        "the chain asks for no labels": not config.rerank,
        "recognition cannot name a landmark that it has no label of": protocol.reads_train,
        f"{next_command('search')} comes first": not (config.run.folder / "rankings" / "knn" / MANIFEST).is_file(),
    }
    for reason, holds in reasons.items():
        if holds:
            say(f"overlap: no score without the labels: {reason}")
            return
    config = with_chosen_steps(config, makes=True)  # only here: to find shared photos takes descriptors alone
    make_chain(config, config.rerank, lambda: open_context(config))
    fewer = rerank_with_train_subset(config, kept.ids, folder / "without")
    before, after = protocol.score(config), protocol.score(fewer)
    if before is None or after is None:
        return
    words = f"{gone} of {all_of_them} landmarks taken from the labels, the models and their whitening as they were"
    evaluations = [replace(evaluation, choices=evaluation.choices | {"overlap": words}) for evaluation in after.evaluations[1:]]
    scores = {one.chain: {"all": one.numbers, "without": other.numbers} for one, other in zip(before.evaluations, after.evaluations)}
    write_json(folder / "scores.json", {"unit": "percent", "without": words, "chains": scores})
    enter(config.ledger, evaluations)
    say(f"overlap: {words}:")
    for chain, numbers in scores.items():
        changed = {name: (value, numbers["without"][name]) for name, value in numbers["all"].items() if value != numbers["without"][name]}
        say(f"  {chain}: {', '.join(f'{name} {old:.2f} -> {new:.2f}' for name, (old, new) in changed.items()) or 'no change'}")
