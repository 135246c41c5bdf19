"""MSLS in sequences: the numbers of sequences that the authors' code (mapillary_sls) makes of the same tables."""

import json

import numpy as np
import pytest

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.protocols.places import PlaceRecognition
from landmarks.store.tables import read_ids

FRAMES = 30  # in two drives, of each city; the subtask `all` has every fifth of the queries and all of the database


@pytest.fixture
def folder(tmp_path):
    for city in ("cph", "sf"):
        for part in ("query", "database"):
            place = tmp_path / "msls" / "train_val" / city / part
            place.mkdir(parents=True)
            drives = [(n, *divmod(n, FRAMES // 2)) for n in range(FRAMES)]
            tables = {
                "postprocessed": [",key,easting,northing"] + [f"{n},k{n},{1000 * drive + 10 * at},0" for n, drive, at in drives],
                "raw": [",key,ca,pano"] + [f"{n},k{n},0,False" for n in range(FRAMES)],
                "seq_info": [",key,sequence_key,frame_number"] + [f"{n},k{n},d{drive},{at}" for n, drive, at in drives],
                "subtask_index": [",all,s2w"] + [f"{n},{part == 'database' or n % 5 == 2},True" for n in range(FRAMES)],
            }
            for name, lines in tables.items():
                (place / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "msls"


def run(folder, out, stages, *overrides):
    (out.parent / "empty.yaml").write_text("{}\n")
    settings = [f"dataset.folder={folder}", f"run.folder={out}", "dataset.source=msls", "run.device=cpu", *overrides]
    for stage in stages:
        code = main([stage, "--config", str(out.parent / "empty.yaml"), *settings])
        if code:
            return code
    return 0


def describe(folder, out):
    """Descriptors of one's own, in the order of the tables."""
    for split in ("index", "test"):
        ids = read_ids(out / "dataset" / f"{split}.csv")
        np.save(folder / f"{split}.npy", np.random.default_rng(0).standard_normal((len(ids), 8)).astype(np.float32))


@pytest.mark.parametrize(
    ("query", "index", "entries"), [(1, 1, 60), (3, 1, 60), (5, 1, 60), (1, 3, 52), (1, 5, 44), (3, 3, 52), (5, 5, 44)]
)
def test_as_many_sequences_as_the_authors_make(folder, tmp_path, query, index, entries):
    out, frames = tmp_path / "out", (f"places.query_frames={query}", f"places.index_frames={index}")
    assert run(folder, out, ["prepare"], *frames) == 0
    describe(folder, out)
    assert run(folder, out, ["search", "evaluate"], *frames) == 0
    results = json.loads((out / "metrics.json").read_text())
    assert results["queries"] == {"scored": 12, "without a positive": 0}
    config = load_config(None, [f"dataset.folder={folder}", f"run.folder={out}", "dataset.source=msls", *frames])
    truth = PlaceRecognition().judge(config)._truth
    assert truth.queries.shape == (12, query) and truth.entries.shape == (entries, index)
    # Pictures outside the subtask are there as frames of sequences, and only those that are needed.
    assert len(read_ids(out / "dataset" / "test.csv")) == 12 * query


@pytest.mark.parametrize(
    "other", ["places.query_frames=5", "places.query_frames=1", "places.index_frames=3", "places.subtask=s2w", "places.cities=[sf]"]
)
def test_tables_that_were_prepared_for_something_else_are_not_evaluated(folder, tmp_path, capsys, other):
    out = tmp_path / "out"
    assert run(folder, out, ["prepare"], "places.query_frames=3") == 0
    describe(folder, out)
    assert run(folder, out, ["search", "evaluate"], "places.query_frames=3") == 0
    assert run(folder, out, ["evaluate"], "places.query_frames=3", other) == 2
    assert f"the tables were prepared for {other.partition('=')[0]}=" in capsys.readouterr().err


def test_a_table_of_one_s_own_says_which_frames_count(folder, tmp_path, capsys):
    own = tmp_path / "own"
    own.mkdir()
    lines = [f"i{n},{10 * n},0,s,{n},{n % 2 == 1}" for n in range(9)]
    (own / "index.csv").write_text("\n".join(["id,easting,northing,sequence,frame,centre", *lines]) + "\n")
    (own / "test.csv").write_text("id,easting,northing,sequence,frame\n" + "".join(f"q{n},{10 * n},0,s,{n}\n" for n in range(9)))
    (own / "train.csv").write_text("id,landmark_id\n")
    settings = [f"dataset.folder={own}", "evaluate.protocol=places"]
    pictures = PlaceRecognition().judge(load_config(None, settings))._truth
    assert pictures.entries.ravel().tolist() == [1, 3, 5, 7] and len(pictures.queries) == 9
    triples = PlaceRecognition().judge(load_config(None, [*settings, "places.index_frames=3"]))._truth
    assert triples.entries.tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8]]
    (own / "index.csv").write_text((own / "index.csv").read_text().replace("True", "yes", 1))
    with pytest.raises(Exception, match="centre 'yes' is neither true nor false"):
        PlaceRecognition().judge(load_config(None, settings))
