"""sample: render the built-in dataset in GLDv2 layout, with solution files."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import pandas as pd
from PIL import Image

from landmarks.config import Config
from landmarks.datasets.images import image_path
from landmarks.datasets.recognition import write_recognition_solution
from landmarks.lifeline import cancelled_on_error, interrupts_held, start_pool_process
from landmarks.machine import cores
from landmarks.progress import progress, say
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.dataset_folder import refuse_replacing
from landmarks.store.files import write_jpeg
from landmarks.store.tables import SPLITS
from sample_world.plan import Shot, plan_world
from sample_world.render import render_shot

QUALITY = 90


def sample(config: Config) -> Path:
    """Render config.sample into config.dataset.folder, which is returned; photos of an interrupted run are kept.

    Raises UserError where another world is there (run.overwrite=false).
    """
    folder = config.dataset.folder
    artefact = Artefact(folder, "sample", config.sample.model_dump() | {"world": 1, "tables": 2}, {})
    if artefact.is_complete():
        say("sample: up to date")
        return folder
    if not config.run.overwrite:  # runs in any folder may have been made from it
        refuse_replacing(artefact, "dataset.folder=ANOTHER")
    artefact.begin()
    shots = plan_world(config.sample.landmarks, config.sample.seed)
    missing = [shot for shot in shots if not image_path(folder, shot.split, shot.id).exists()]
    missing.sort(key=lambda shot: (shot.landmark is None, shot.landmark or 0))  # a worker builds a landmark once for its photos
    # spawn: a fork of a process that has threads (those of FAISS or torch, say) can hang
    workers = ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn"), initializer=_start_worker)
    with cancelled_on_error(workers) as pool:
        job = partial(_render, folder=folder, longest_side=config.sample.longest_side)
        with interrupts_held():
            rendered = pool.map(job, missing, chunksize=32)
        list(progress(rendered, "render photos", "photo", total=len(shots), done=len(shots) - len(missing)))
    _write_tables(folder, shots)
    os.sync()  # once for all photos
    artefact.finish(without=SPLITS, editable=True, photos=len(shots), landmarks=config.sample.landmarks)
    return folder


def _start_worker() -> None:
    start_pool_process()
    cv2.setNumThreads(1)


def _render(shot: Shot, folder: Path, longest_side: int) -> None:
    write_jpeg(image_path(folder, shot.split, shot.id), Image.fromarray(render_shot(shot, longest_side)), QUALITY, durable=False)


def _write_tables(folder: Path, shots: list[Shot]) -> None:
    shots = sorted(shots, key=lambda shot: shot.id)
    train, index, test = ([shot for shot in shots if shot.split == split] for split in ("train", "index", "test"))
    write_csv(folder / "train.csv", pd.DataFrame({"id": [shot.id for shot in train], "landmark_id": [shot.landmark for shot in train]}))
    write_csv(folder / "index.csv", pd.DataFrame({"id": [shot.id for shot in index]}))
    write_csv(folder / "test.csv", pd.DataFrame({"id": [shot.id for shot in test]}))
    images: dict[int | None, list[str]] = {}
    for shot in index:
        images.setdefault(shot.landmark, []).append(shot.id)
    truth = ["None" if shot.usage == "Ignored" else " ".join(images[shot.landmark]) for shot in test]
    write_csv(
        folder / "retrieval_solution.csv",
        pd.DataFrame({"id": [shot.id for shot in test], "images": truth, "Usage": [shot.usage for shot in test]}),
    )
    _write_recognition_solution(folder / "recognition_solution.csv", test, {shot.landmark for shot in train if shot.landmark is not None})
    scored = [shot for shot in test if shot.usage != "Ignored"]
    write_csv(folder / "query_groups.csv", pd.DataFrame({"id": [shot.id for shot in scored], "group": [shot.group for shot in scored]}))


def _write_recognition_solution(path: Path, test: list[Shot], trained: set[int]) -> None:
    """Queries without a landmark of the training set show none; those that retrieval ignores are scored, every third as Public."""
    usages = {shot.id: shot.usage or "Ignored" for shot in test}
    unscored = [id for id, usage in usages.items() if usage == "Ignored"]
    usages |= {id: "Private" if number % 3 else "Public" for number, id in enumerate(unscored)}
    shown = [str(shot.landmark) if shot.landmark in trained else "" for shot in test]
    write_recognition_solution(path, list(usages), shown, list(usages.values()))
