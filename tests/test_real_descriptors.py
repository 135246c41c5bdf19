"""Published-by-an-independent-implementation scores on 33,924 real descriptors, where they lie beside the project."""

import os
from pathlib import Path

import pandas as pd
import pytest

from landmarks.cli import main

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("LANDMARKS_REAL_DESCRIPTORS", ROOT.parent / "shared" / "descriptors"))

pytestmark = pytest.mark.skipif(not (FOLDER / "train.npy").is_file(), reason=f"no descriptors in {FOLDER}")


@pytest.mark.parametrize(
    ("dimensions", "expected", "tolerance"),
    [
        (0, {"knn": (16.08, 16.50), "sort": (19.60, 19.75), "sort+insert": (33.66, 33.79)}, 0.05),
        (256, {"knn": (22.63, 22.47), "sort": (26.92, 26.77), "sort+insert": (38.76, 39.11)}, 0.1),
    ],
)
def test_scores_equal_those_of_an_independent_implementation(tmp_path, dimensions, expected, tolerance):
    assert (
        main(
            [
                "run",
                "--config",
                str(ROOT / "configs" / "descriptors.yaml"),
                f"dataset.folder={FOLDER}",
                f"run.folder={tmp_path}",
                f"whiten.dimensions={dimensions}",
            ]
        )
        == 0
    )
    for row in pd.read_csv(tmp_path / "ablation.csv").itertuples():
        assert (row.map_private, row.map_public) == pytest.approx(expected[row.chain], abs=tolerance), row.chain
