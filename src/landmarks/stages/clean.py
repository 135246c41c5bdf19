"""clean: train.csv -> train_clean.csv, the training images that other photos of their landmark confirm (Yokoo et al., CVPRW 2020)."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import CleanSettings, Config
from landmarks.device import choose_device
from landmarks.extraction.jobs import local_bytes_per_image, local_recipe
from landmarks.extraction.run import extract_features
from landmarks.gallery.chart import bar_chart
from landmarks.ops.cleaning import images_to_keep, same_label_neighbours
from landmarks.ops.knn import open_index
from landmarks.processes import Processes, all_processes
from landmarks.progress import progress, say
from landmarks.quantities import format_bytes
from landmarks.rerank.verified_pairs import VerifiedPairs
from landmarks.search.current import space_settings
from landmarks.search.descriptor_source import DescriptorSource
from landmarks.search.spaces import search_on_gpu
from landmarks.store.artefact import Artefact, fingerprint_of_file, read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array, write_text
from landmarks.store.local_features import local_model
from landmarks.store.tables import TrainTable, read_tables, require_positions, write_clean_train

GLDV2 = 4_132_914  # images of train.csv of Google Landmarks v2
BLOCK = 4096  # training images searched for together: an interrupted run loses at most one block
BINS = np.array([0, 1, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200])  # lower ends of the bars of the histogram


def clean(config: Config) -> Path:
    """Make clean/train_clean.csv (landmark_id,images), per_label.csv and inliers.svg in the run folder; returns the first.

    Needs `extract` of train. The nearest images of the same label are found by the global descriptors (same_label/), local
    features extracted where they are missing, the pairs verified and kept (pairs/): each of the three continues where it was
    interrupted. Raises UserError as these do, and where no model has a local branch.
    """
    model = local_model(config.models, config.verification.model)
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    source = DescriptorSource(config, tables)
    inputs = source.inputs("train") | {"labels": fingerprint_of_file(tables.path("train"))}
    settings = space_settings(config.models, config.whiten) | config.clean.model_dump(include={"neighbours", "pairs"})
    nearest = Artefact(config.run.folder / "same_label", "clean", settings, inputs)
    settings = {"clean": config.clean.model_dump(mode="json"), "verification": config.verification.recipe()}
    settings |= {"local": local_recipe(config.extract), "model": model}
    inputs = {"same_label": nearest.fingerprint, "model": read_manifest(config.run.folder / "models" / model)["fingerprint"]}
    artefact = Artefact(config.run.folder / "clean", "clean", settings, inputs)
    processes = all_processes(choose_device(config.run.device)[0])
    complete = artefact.is_complete()
    processes.meet()  # all have looked before one begins
    if complete:
        if processes.first:
            say("clean: up to date")
        return artefact.folder / "train_clean.csv"

    use_gpu = search_on_gpu(config.run.device)[0]
    ids, labels, pairs = _same_label_pairs(source, tables.train, nearest, config.clean, use_gpu, processes)
    with_pairs = ids[np.unique(pairs)]
    extract_features(config, "clean", model, {"train": with_pairs})
    verified = VerifiedPairs(config.run, config.verification, model, ("train", "train"), ids, ids, processes=processes)
    inliers, rate = _inliers(verified, labels, pairs)
    processes.first_alone(lambda: _finish(config, artefact, nearest, model, (ids, labels, pairs), inliers, rate))
    return artefact.folder / "train_clean.csv"


def _finish(
    config: Config,
    artefact: Artefact,
    nearest: Artefact,
    model: str,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
    inliers: np.ndarray,
    rate: float | None,
) -> None:
    """Write what stays, and say what it cost. found: as `_same_label_pairs` returns it; rate: verified pairs per second."""
    limits, (ids, labels, pairs) = config.clean, found
    kept = images_to_keep(labels, pairs, inliers, min_inliers=limits.min_inliers, min_pairs=limits.min_pairs, min_images=limits.min_images)

    artefact.begin()
    counts = _write_report(artefact.folder, ids, labels, kept, inliers)
    artefact.finish(without=(), editable=False, images=len(ids), pairs=len(pairs), **counts)
    say(f"clean: {counts['kept']} of {len(ids)} images and {counts['labels_kept']} of {counts['labels']} labels stay")
    say(f"to train on them: dataset.train_table={(artefact.folder / 'train_clean.csv').resolve()} and another run.folder")
    if rate is not None:
        pairs_per_image = _count_once(pairs, len(ids)) / max(1, len(ids)), config.clean.pairs
        comparison = read_manifest(nearest.folder).get("seconds_a_comparison")
        say(_cost(local_bytes_per_image(config.models[model], config.extract.local), pairs_per_image, comparison, rate))


def _same_label_pairs(
    source: DescriptorSource, train: TrainTable, artefact: Artefact, settings: CleanSettings, use_gpu: bool, processes: Processes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids (n,) of the described training images, their labels (n,), pairs (p, 2) int32 of an image and a neighbour of its label."""
    descriptors = source.vectors("train")
    ids, matrix = descriptors.ids, np.asarray(descriptors.matrix)
    labels = train.landmark_ids[require_positions(ids, train.ids, "the train table", next_command("extract"))]
    paths = [_block_path(artefact, number) for number in range(-(-len(ids) // BLOCK))]
    complete = artefact.is_complete()
    processes.meet()
    if not complete:
        processes.first_alone(artefact.begin)
        if not processes.first:
            artefact.share()
        own = list(processes.own(range(len(paths))))
        unmade = [number for number in own if not paths[number].exists()]
        began, images = time.perf_counter(), sum(len(ids[number * BLOCK :][:BLOCK]) for number in own)
        searched = sum(len(ids[number * BLOCK :][:BLOCK]) for number in unmade)
        search = open_index(matrix if unmade else matrix[:0], use_gpu=use_gpu)
        with progress(None, "nearest training images", "image", total=images, done=images - searched, hidden=not processes.first) as bar:
            for number in unmade:
                rows = np.arange(number * BLOCK, min((number + 1) * BLOCK, len(ids)))
                neighbours, _ = search(matrix[rows], settings.neighbours + 1)  # itself among them
                write_array(paths[number], same_label_neighbours(neighbours, rows, labels, settings.pairs).astype(np.int32))
                bar.update(len(rows))
        seconds = time.perf_counter() - began
        if processes.first:
            processes.wait_for(paths, "the blocks of the other processes")
            # Of one process; less than a second is mostly the time to start.
            artefact.finish(images=len(ids), seconds_a_comparison=seconds / (searched * len(ids)) if seconds > 1 else None)
        processes.meet()
    parts = [read_array(path) for path in paths]
    return ids, labels, np.concatenate([np.empty((0, 2), np.int32), *parts])


def _block_path(artefact: Artefact, number: int) -> Path:
    return artefact.folder / f"{number:05d}.npy"


def _inliers(verified: VerifiedPairs, labels: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Inliers (p,) of each pair, and the verified pairs per second (None: there are no pairs)."""
    # One verification serves both images. Label by label, so that features are read once for many pairs.
    order = np.argsort(labels[pairs[:, 0]], kind="stable")
    inliers = np.empty(len(pairs), np.int64)
    inliers[order] = verified.counts(pairs[order].min(axis=1), pairs[order].max(axis=1)).inliers
    return inliers, verified.pairs_per_second


def _count_once(pairs: np.ndarray, images: int) -> int:
    """The number of pairs where (a, b) and (b, a) count as one."""
    return len(np.unique(pairs.min(axis=1).astype(np.int64) * images + pairs.max(axis=1)))


def _write_report(folder: Path, ids: np.ndarray, labels: np.ndarray, kept: np.ndarray, inliers: np.ndarray) -> dict[str, int]:
    """Write the three files; returns counts for the manifest."""
    table = pd.DataFrame({"landmark_id": labels, "images": ids, "kept": kept})
    per_label = table.groupby("landmark_id")["kept"].agg(images="size", kept="sum").reset_index()
    per_label["dropped"] = per_label["images"] - per_label["kept"]
    write_csv(folder / "per_label.csv", per_label)
    # Counted by bin: a bar chart of a hundred million pairs is still 14 bars.
    shares = 100 * np.bincount(np.searchsorted(BINS, inliers, side="right") - 1, minlength=len(BINS)) / max(1, len(inliers))
    names = [str(low) if high == low + 1 else f"{low} - {high - 1}" for low, high in zip(BINS[:-1], BINS[1:])] + [f"{BINS[-1]} and more"]
    write_text(folder / "inliers.svg", bar_chart(names, {"% of pairs by their inliers": shares.tolist()}))
    write_clean_train(folder / "train_clean.csv", TrainTable(ids[kept], labels[kept]))
    return {"kept": int(kept.sum()), "labels": len(per_label), "labels_kept": int((per_label["kept"] > 0).sum())}


def _cost(bytes_per_image: int, pairs_per_image: tuple[float, float], comparison: float | None, rate: float) -> str:
    """The cost of the same on Google Landmarks v2, in words, at the rates measured here.

    pairs_per_image  as counted here, and at most
    comparison       seconds for the comparison of two descriptors, None = not measured
    rate             verified pairs per second
    """
    likely, most = (GLDV2 * pairs for pairs in pairs_per_image)
    search = "" if comparison is None else f"nearest images {GLDV2**2 * comparison / 3600:.1f} h; "
    return (
        f"at the {GLDV2:,} images of Google Landmarks v2, at these rates: {search}{likely / 1e6:.0f} M pairs (at most "
        f"{most / 1e6:.0f} M) at {rate:,.0f} a second {likely / rate / 3600:.1f} h (at most {most / rate / 3600:.1f} h); "
        f"local features up to {format_bytes(GLDV2 * bytes_per_image)}"
    )
