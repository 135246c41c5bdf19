"""What an ensemble of three small backbones is worth over its members: with equal and fitted weights, and whitened to one member's size.

    python benchmarks/recipes.py PHOTOS OUT --recipes untouched lite1 lite2     makes the members; base is lite0
    python benchmarks/ensemble.py OUT

mAP@100 in percent of nearest neighbours, over the queries of the splits that have all members, with the 95 % interval of a paired
bootstrap over these of the change to the best member. Weights are those of `landmarks fit-weights`: fitted, for each split, on the 100
training images that no member was trained on. Whitening is learned on train. Neither looks at queries or index. `imagenet` is lite0 as
ImageNet left it, the second model of configs/photos.yaml.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from recipes import GROUPS, SPLITS, cell_folder, is_finished

from landmarks.config import load_config
from landmarks.config.read_yaml import RUN_FILE
from landmarks.datasets.solution import find_solution, read_solution
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision
from landmarks.ops.ensemble_weights import Fitted, Similarities, fit_weights
from landmarks.ops.knn import exact_knn
from landmarks.ops.vectors import ensemble, l2_normalise, learn_whitening
from landmarks.store.csv_files import read_csv
from landmarks.store.descriptors import read_descriptors
from landmarks.store.tables import Tables, positions, read_tables
from landmarks.training.held_out import hold_out
from landmarks.training.images import images_of

MEMBERS = {"lite0": "base", "lite1": "lite1", "lite2": "lite2"}
IMAGENET = "untouched"
SIZE = 256  # dimensions of a member, to which the ensemble is whitened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="where recipes.py made its runs")
    out = parser.parse_args().out
    splits = [split for split in SPLITS if all(is_finished(cell_folder(out, split, recipe)) for recipe in (*MEMBERS.values(), IMAGENET))]
    every = pd.concat([score(out, split) for split in splits])
    best = max(MEMBERS, key=lambda name: every[name].mean())
    seen = {"all": np.ones(len(every), bool)} | {kind: (every["group"] == group).to_numpy() for kind, group in GROUPS.items()}
    print(f"{len(every)} queries; the best member is {best}\n\n| | all | change | seen | change | unseen | change |")
    print("|---|---:|---|---:|---|---:|---|")
    for name in every.columns.drop("group"):
        cells = [name]
        for mine in seen.values():
            change = (every[name] - every[best]).to_numpy()[mine]
            low, high = mean_interval(change[:, None])[:, 0]
            cells += [f"{every[name][mine].mean():.2f}", "" if name == best else f"{change.mean():+.2f} [{low:+.2f}, {high:+.2f}]"]
        print(f"| {' | '.join(cells)} |")


def score(out: Path, split: int) -> pd.DataFrame:
    """AP@100 of each query of a split in percent, a column a way to search."""
    folders = {name: cell_folder(out, split, recipe) for name, recipe in MEMBERS.items()}
    tables_folder = load_config(folders["lite0"] / RUN_FILE, []).tables_folder
    tables = read_tables(tables_folder, "train.csv")
    solution_path = find_solution(tables_folder, None)
    assert solution_path is not None
    solution = read_solution(solution_path, tables.test_ids, tables.index_ids)
    fitted = fit(folders, tables_folder)
    print(f"split {split}: on held-out images {', '.join(f'{name} {100 * one:.2f}' for name, one in zip(MEMBERS, fitted.alone))}; ", end="")
    change, (low, high) = 100 * (fitted.held_out - fitted.equal), fitted.gain
    print(f"equal weights {100 * fitted.equal:.2f}, fitted {change:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]: {fitted.weights.round(2)}")

    def vectors(folder: Path, which: str, ids: np.ndarray) -> np.ndarray:
        return np.asarray(read_descriptors(folder / "descriptors" / "model" / which).for_ids(ids).matrix)

    own = {name: [vectors(folder, *part) for part in parts_of(tables, solution.query_ids)] for name, folder in folders.items()}
    imagenet = [vectors(cell_folder(out, split, IMAGENET), *part) for part in parts_of(tables, solution.query_ids)]
    ways = dict(own) | {"lite0 and imagenet": joined_with([own["lite0"], imagenet], [1.0, 1.0])}
    ways["the three and imagenet"] = joined_with([*own.values(), imagenet], [1.0] * (1 + len(own)))
    for words, weights in {"equal weights": np.ones(len(MEMBERS)), "fitted weights": fitted.weights}.items():
        ways[words] = joined = joined_with([*own.values()], list(weights))
        for power in (0.0, 1.0):
            whiten = learn_whitening(joined[0], SIZE, power)
            ways[f"{words}, whiten.power={power:g}"] = [whiten(part) for part in joined]
    columns = {}
    for name, (_, index, test) in ways.items():
        found, _ = exact_knn(l2_normalise(test), l2_normalise(index), 100)
        columns[name] = 100 * average_precision(found, solution.truth.numbers, solution.truth.starts)
    groups = read_csv(tables_folder / "query_groups.csv", ["id", "group"]).to_pandas()
    return pd.DataFrame({"group": groups["group"].to_numpy()[positions(solution.query_ids, groups["id"].to_numpy(dtype=object))]} | columns)


def joined_with(models: list[list[np.ndarray]], weights: list[float]) -> list[np.ndarray]:
    """The ensemble's train, index and test."""
    return [ensemble([parts[place] for parts in models], weights) for place in range(3)]


def parts_of(tables: Tables, query_ids: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [("train", tables.ids("train")), ("index", tables.ids("index")), ("test", query_ids)]


def fit(folders: dict[str, Path], tables_folder: Path) -> Fitted:
    """As the stage fit-weights does it in one run folder."""
    settings = load_config(folders["lite0"] / RUN_FILE, []).train
    table = read_tables(tables_folder, "train.csv").train
    images = images_of(table, table, 0, tables_folder / "train.csv")
    held = hold_out(images.labels, settings.validation_images, settings.validation_gallery, landmarks=False, seed=settings.seed)
    matrices = [read_descriptors(folder / "descriptors" / "model" / "train").for_ids(images.ids).matrix for folder in folders.values()]
    queries, gallery = ([l2_normalise(matrix[rows]) for matrix in matrices] for rows in (held.queries, held.gallery))
    labels = images.labels
    nobody = np.full(len(held.queries), -1)
    return fit_weights(Similarities(queries, gallery, labels[held.queries], labels[held.gallery], nobody), settings.seed)


if __name__ == "__main__":
    main()
