"""The tables and photos of a plan of nine shots, drawn in this process as grey pictures."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.stages import sample as module
from landmarks.stages.sample import sample
from sample_world.plan import Shot

#       id   split   landmark usage group
SHOTS = [
    ("h1", "index", 5, None, None),
    ("c1", "train", 5, None, None),
    ("b1", "test", 5, "Public", "exterior"),
    ("e1", "index", 6, None, None),
    ("a1", "index", 5, None, None),
    ("d1", "test", 6, "Private", "not in train"),
    ("f1", "index", None, None, None),
    *((f"g{n}", "test", None, "Ignored", "distractor") for n in range(4)),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*overrides) -> the photos that were rendered, in order."""
    rendered = []

    class InThisProcess:
        def __init__(self, *settings, **more):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def map(self, job, shots, chunksize):
            return map(job, shots)

    def render(shot, longest_side):
        rendered.append(shot.id)
        return np.full((longest_side // 2, longest_side, 3), 10 * shot.number, np.uint8)

    shots = [Shot(id, split, landmark, "exterior", usage, group, 0, n, -1) for n, (id, split, landmark, usage, group) in enumerate(SHOTS)]
    monkeypatch.setattr(module, "plan_world", lambda landmarks, seed: shots)
    monkeypatch.setattr(module, "ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr(module, "render_shot", render)

    def make(*overrides):
        rendered.clear()
        settings = ["dataset.source=sample", f"dataset.folder={tmp_path}", "sample.longest_side=64", *overrides]
        assert sample(load_config(None, settings)) == tmp_path
        return list(rendered)

    return make


def table(folder, name):
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def test_photos_are_rendered_landmark_by_landmark_and_those_without_one_last(run, tmp_path):
    order = [dict((id, landmark) for id, _, landmark, *_ in SHOTS)[id] for id in run()]
    assert order == [5] * 4 + [6] * 2 + [None] * 5
    with Image.open(image_path(tmp_path, "train", "c1")) as photo:
        assert photo.size == (64, 32) and photo.format == "JPEG" and abs(np.asarray(photo).astype(int) - 10).max() <= 2


def test_the_tables_follow_from_the_plan(run, tmp_path):
    run()
    assert table(tmp_path, "train.csv").to_dict("list") == {"id": ["c1"], "landmark_id": ["5"]}
    assert table(tmp_path, "index.csv")["id"].tolist() == ["a1", "e1", "f1", "h1"]
    assert table(tmp_path, "test.csv")["id"].tolist() == ["b1", "d1", "g0", "g1", "g2", "g3"]
    assert table(tmp_path, "query_groups.csv").to_dict("list") == {"id": ["b1", "d1"], "group": ["exterior", "not in train"]}
    solution = table(tmp_path, "retrieval_solution.csv").set_index("id")
    assert solution["images"].tolist() == ["a1 h1", "e1", "None", "None", "None", "None"]
    assert solution["Usage"].tolist() == ["Public", "Private"] + ["Ignored"] * 4


def test_recognition_knows_the_landmarks_of_train_and_scores_the_other_queries_as_showing_none(run, tmp_path):
    run()
    solution = table(tmp_path, "recognition_solution.csv").set_index("id")
    assert solution["landmarks"].tolist() == ["5", "", "", "", "", ""]
    assert solution["Usage"].tolist() == ["Public", "Private", "Public", "Private", "Private", "Public"]


def test_what_was_rendered_before_an_interruption_is_kept(run, tmp_path, capsys):
    run()
    (tmp_path / "manifest.json").unlink()
    for id, split in (("h1", "index"), ("g2", "test")):
        image_path(tmp_path, split, id).unlink()
    assert run() == ["h1", "g2"]
    assert json.loads((tmp_path / "manifest.json").read_text())["photos"] == 11
    capsys.readouterr()
    assert run() == [] and "sample: up to date" in capsys.readouterr().out
    with pytest.raises(UserError, match="seed 0 -> 1"):
        run("sample.seed=1")
    assert len(run("sample.seed=1", "run.overwrite=true")) == 11, "another world"
