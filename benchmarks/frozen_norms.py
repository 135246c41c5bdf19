"""BatchNorm with the statistics of ImageNet against statistics of few images at a time, on real photos and under two recipes.

    python benchmarks/frozen_norms.py PHOTOS OUT           every cell on three splits; again: finished cells are only read
    python benchmarks/frozen_norms.py PHOTOS OUT --read    the table of what is finished

Splits, sizes, cells and intervals are those of recipes.py: EfficientNet-lite0, crops of 96 pixels, descriptors at 144 pixels. A batch
has 32 images in every cell; what changes is in how many parts it is computed (train.accumulate), and so from how many images each
statistic comes: 4, 8, 16 or 32. With frozen statistics the parts change nothing but rounding. "slow" is the recipe of
configs/photos.yaml (AdamW 3e-5, head x 30, 4 epochs), "fast" one under which the backbone moves (3e-4, head x 10, 6 epochs), "long" the
same for 20 epochs, "same side" the fast one with crops of the size of descriptors.
Columns: mAP@100 with learned statistics, and the change that freezing them makes, paired over the queries of all splits, with its 95 %
interval.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import recipes
from recipes import GROUPS, SPLITS, cell_folder, is_finished

from landmarks.metrics.bootstrap import mean_interval

_FAST = {"train.learning_rate": 3e-4, "train.head_learning_rate_factor": 10}
SPEEDS: dict[str, dict[str, object]] = {
    "slow": {},
    "fast": _FAST | {"train.epochs": 6},
    "long": _FAST | {"train.epochs": 20},
    "same side": _FAST | {"train.epochs": 6, "train.image_size": 144},
}
IMAGES = {"slow": (4, 8, 16, 32), "fast": (4, 8, 16, 32), "long": (8,), "same side": (8, 32)}


def cells_of(speed: str) -> dict[str, dict[str, object]]:
    """Name of a recipe -> its settings."""
    learned = {f"{speed} {images}": {"train.freeze_batchnorm": "false", "train.accumulate": 32 // images} for images in IMAGES[speed]}
    return {name: SPEEDS[speed] | more for name, more in ({f"{speed} frozen": {}} | learned).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder a landmark")
    parser.add_argument("out", type=Path, help="where the runs are made")
    parser.add_argument("--read", action="store_true", help="only read what is finished")
    options = parser.parse_args()
    cells = {speed: cells_of(speed) for speed in SPEEDS}
    if not options.read:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        for of in cells.values():
            recipes.RECIPES |= of
            for name in of:
                for split in SPLITS:
                    recipes.make_cell(name, split, options.photos, options.out)
    print("| recipe | images a statistic | splits | seen, learned | frozen | unseen, learned | frozen |\n|---|---:|---:|---:|---|---:|---|")
    for speed in SPEEDS:
        for images in IMAGES[speed]:
            print(row(options.out, speed, images))


def row(out: Path, speed: str, images: int) -> str:
    both = {name: {split: cell_folder(out, split, f"{speed} {name}") for split in SPLITS} for name in (str(images), "frozen")}
    splits = [split for split in SPLITS if all(is_finished(of[split]) for of in both.values())]
    said = [speed, str(images), str(len(splits))]
    if splits:
        learned, frozen = (pd.concat([pd.read_csv(of[split] / "cell.csv") for split in splits]) for of in both.values())
        if not (learned["id"].to_numpy() == frozen["id"].to_numpy()).all():
            raise SystemExit(f"{speed} {images} was scored on other queries than {speed} frozen")
        for group in GROUPS.values():
            mine = (learned["group"] == group).to_numpy()
            change = np.asarray(frozen["knn"] - learned["knn"])[mine]
            low, high = mean_interval(change[:, None])[:, 0]
            said += [f"{learned['knn'][mine].mean():.2f}", f"{change.mean():+.2f} [{low:+.2f}, {high:+.2f}]"]
    return f"| {' | '.join(said)} |"


if __name__ == "__main__":
    main()
