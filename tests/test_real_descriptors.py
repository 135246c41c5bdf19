"""Published-by-an-independent-implementation scores on 33,924 real descriptors, where they lie beside the project."""

import os
from pathlib import Path

import pandas as pd
import pytest

from landmarks.cli import main

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("LANDMARKS_REAL_DESCRIPTORS", ROOT.parent / "shared" / "descriptors"))

pytestmark = pytest.mark.skipif(not (FOLDER / "train.npy").is_file(), reason=f"no descriptors in {FOLDER}")


def scores(folder, *overrides):
    """chain -> (private, public) mAP@100 of configs/descriptors.yaml with these overrides."""
    config = ["--config", str(ROOT / "configs" / "descriptors.yaml"), f"dataset.folder={FOLDER}", f"run.folder={folder}"]
    assert main(["run", *config, *overrides]) == 0
    return {row.chain: (row.map_private, row.map_public) for row in pd.read_csv(folder / "ablation.csv").itertuples()}


@pytest.mark.parametrize(
    ("dimensions", "expected", "tolerance"),
    [
        (0, {"knn": (16.08, 16.50), "sort": (19.60, 19.75), "sort+insert": (33.66, 33.79)}, 0.05),
        (256, {"knn": (22.63, 22.47), "sort": (26.92, 26.77), "sort+insert": (38.76, 39.11)}, 0.1),
    ],
)
def test_scores_equal_those_of_an_independent_implementation(tmp_path, dimensions, expected, tolerance):
    found = scores(tmp_path, f"whiten.dimensions={dimensions}", "rerank=[{step: sort}, {step: insert}]")
    assert found.keys() == expected.keys()
    for chain, wanted in expected.items():
        assert found[chain] == pytest.approx(wanted, abs=tolerance), chain


@pytest.mark.slow
def test_the_steps_before_fuse_score_what_the_readme_says(tmp_path):
    steps = "add_labels,augment_database,expand_query,diffuse"
    *_, expanded, diffused = scores(tmp_path, f"rerank=discriminate,{steps}").values()
    assert expanded == pytest.approx((63.37, 65.40), abs=0.1)
    assert diffused == pytest.approx((63.66, 65.75), abs=0.1)


@pytest.mark.slow
def test_the_default_chain_scores_what_the_readme_says(tmp_path):
    *_, expanded, augmented, classes, diffused = scores(tmp_path).values()
    assert expanded == pytest.approx((61.87, 63.82), abs=0.1)
    assert augmented == pytest.approx((62.26, 64.22), abs=0.1)
    assert classes == pytest.approx((66.79, 69.71), abs=0.1)
    assert diffused == pytest.approx((67.39, 70.40), abs=0.1)
