"""Stages shared by three processes, one of which is killed: the others end, and the next start makes the bytes of a process alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import landmarks
from landmarks.cli import main
from landmarks.config import load_config
from landmarks.stages.extract import extract

SCRIPT = """
import os, signal, sys
from landmarks.cli import main
from landmarks.extraction.outputs import DescriptorOutput
from landmarks.rerank import pair_verifier, verified_pairs
from landmarks.stages import clean, search

clean.BLOCK, search.QUERIES_TOGETHER = 3, 2
verified_pairs.VERIFIED_TOGETHER, verified_pairs.KEPT_TOGETHER = 2, 64
def fatal(known, number):
    calls = []
    def called(*arguments, **others):
        calls.append(None)
        if os.environ["RANK"] == os.environ.get("KILLED") and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return known(*arguments, **others)
    return called
pair_verifier.verify_pairs = fatal(pair_verifier.verify_pairs, 3)
DescriptorOutput.write = fatal(DescriptorOutput.write, 2)
for stage in os.environ["STAGES"].split():
    code = main([stage, *sys.argv[1:]])
    if code:
        sys.exit(code)
"""


def photo(scene, number):
    coarse = np.random.default_rng(scene).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((192, 192), Image.Resampling.BICUBIC)
    return picture.crop((16 * number, 16 * number, 16 * number + 96, 16 * number + 96))


@pytest.fixture
def dataset(delg_run):
    """Settings of 16 training photos of four labels, 6 index photos and 5 queries, and an untrained model in tmp_path/run."""
    photos = {"train": {f"t{scene}{number}": photo(scene, number) for scene in range(4) for number in range(4)}}
    photos |= {"index": {f"i{scene}": photo(scene, 1) for scene in range(6)}, "test": {f"q{scene}": photo(scene, 0) for scene in range(5)}}
    return [*delg_run(photos, {id: int(id[1]) for id in photos["train"]}), "rerank=verify", "search.neighbours=4"]


@pytest.fixture
def run_with(dataset, tmp_path):
    """run_with(name, part, ...): a run folder with these parts of tmp_path/run; returns the arguments of a stage in it."""
    (tmp_path / "empty.yaml").write_text("{}\n")

    def give(name, *parts):
        folder = tmp_path / name
        folder.mkdir()
        for part in parts:
            (folder / part).symlink_to(tmp_path / "run" / part)
        return ["--config", str(tmp_path / "empty.yaml"), *dataset, f"run.folder={folder}"]

    return give


def launched(tmp_path, words, killed="", stages="search clean extract-local", processes=3):
    (tmp_path / "script.py").write_text(SCRIPT)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    line += [str(tmp_path / "script.py"), *words]
    environment = os.environ | {"PYTHONPATH": str(Path(landmarks.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    environment |= {"KILLED": killed, "STAGES": stages}
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)


def made(folder):
    """What was made, by name; pairs as one sorted list, since a second start makes other blocks of what is missing."""
    files = {"clean/train_clean.csv", "clean/per_label.csv", "rankings/knn/indices.npy", "rankings/knn/scores.npy"}
    found = {name: (folder / name).read_bytes() for name in files}
    for splits in ("train-train", "test-index"):
        (table,) = (folder / "pairs/tiny").glob(f"{splits}-*")
        found[splits] = sorted(record.tobytes() for path in table.glob("[0-9]*.npy") for record in np.load(path))
    return found


@pytest.mark.slow
def test_three_processes_one_killed_make_what_one_makes(dataset, run_with, tmp_path):
    extract(load_config(None, dataset))
    alone = run_with("alone", "models", "descriptors")
    for stage in ("search", "clean", "extract-local", "rerank"):
        assert main([stage, *alone]) == 0
    shared = run_with("shared", "models", "descriptors")
    first = launched(tmp_path, shared, killed="1")
    assert first.returncode != 0 and "exitcode  : -9" in first.stderr, "the launcher ends the others"
    assert not (tmp_path / "shared/clean/manifest.json").exists()
    (table,) = (tmp_path / "shared/pairs/tiny").glob("train-train-*")
    kept = {path: path.read_bytes() for path in table.glob("[0-9]*.npy")}
    assert kept, "what was finished stays"
    second = launched(tmp_path, shared)
    assert second.returncode == 0, second.stderr
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert made(tmp_path / "shared") == made(tmp_path / "alone")
    assert len(list((tmp_path / "shared/same_label").glob("[0-9]*.npy"))) == 6 and not (tmp_path / "shared/rankings/knn/parts").exists()
    assert not list((tmp_path / "shared").rglob(".lock")) and not list((tmp_path / "shared").rglob(".*.part"))


@pytest.mark.slow
def test_three_processes_keep_the_pairs_in_the_files_of_one(dataset, run_with, tmp_path):
    extract(load_config(None, dataset))
    files = {}
    for processes, last in ((1, "rerank"), (3, "extract-local")):  # one process verifies where it re-ranks, several before
        words = run_with(f"by {processes}", "models", "descriptors")
        done = launched(tmp_path, words, stages=f"search clean extract-local {last}", processes=processes)
        assert done.returncode == 0, done.stderr
        pairs = tmp_path / f"by {processes}/pairs/tiny"
        files[processes] = {str(path.relative_to(pairs)): path.read_bytes() for path in pairs.glob("*/*[0-9s].[nc]*")}
    assert files[3] == files[1] and len(files[1]) == 26


def described(folder):
    """The descriptors and their ids, of all splits."""
    paths = [*(folder / "descriptors").glob("tiny/*/[0-9]*"), *(folder / "descriptors").glob("tiny/*/ids.csv")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_three_processes_one_killed_describe_what_one_describes(run_with, tmp_path):
    """Shards of three photos: six of train, two of each other split. The killed one has written one of its own."""
    alone, shared, undisturbed = ([*run_with(name, "models"), "extract.shard_images=3"] for name in ("alone", "shared", "undisturbed"))
    assert main(["extract", *alone]) == 0
    expected = described(tmp_path / "alone")
    assert sum(name.endswith(".npy") for name in expected) == 10 and sum(name.endswith("ids.csv") for name in expected) == 3
    assert launched(tmp_path, undisturbed, stages="extract").returncode == 0
    assert described(tmp_path / "undisturbed") == expected

    first = launched(tmp_path, shared, killed="1", stages="extract")
    assert first.returncode != 0 and "exitcode  : -9" in first.stderr, "the launcher ends the others"
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "shared").glob("descriptors/tiny/*/[0-9]*.npy")}
    assert 0 < len(kept) < 10 and not (tmp_path / "shared/descriptors/tiny/train/manifest.json").exists()
    second = launched(tmp_path, shared, stages="extract")
    assert second.returncode == 0, second.stderr
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items()), "what was finished is not made again"
    assert described(tmp_path / "shared") == expected
    assert not list((tmp_path / "shared").rglob(".lock")) and not list((tmp_path / "shared").rglob(".*.part"))
