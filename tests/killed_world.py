"""The tiny run that tests/kill_points.py kills: its stages and their commands, and what they leave, in a form that can be compared."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

SETTINGS = [
    "sample={landmarks: 8, longest_side: 64}",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16, local: {dimensions: 8}}}",
    "train={epochs: 2, image_size: 64, batch_size: 16, workers: 0, checkpoint_minutes: 0, log_steps: 1}",
    "extract={longest_side: 64, scales: [1.0], workers: 0, shard_images: 64, local: {scales: [1.0], max_features: 20}}",
    "rerank=[{step: sort}, {step: insert}, {step: verify}]",
    "clean.min_images=1",
    "run.device=cpu",
]
STAGES = ["sample", "import", "prepare", "train", "extract", "search", "extract-local", "rerank", "submit", "evaluate", "ablate"]
STAGES += ["recognize", "clean", "overlap", "report", "show-matches", "bundle", "adopt"]
VARYING = ("run.log", "metrics.jsonl", "index.html", "config.yaml", "printed.txt")  # times and seconds
COMPARED = (".npy", ".safetensors", ".jpg", ".csv")


def commands(stage: str, work: Path) -> list[str]:
    """What is typed for a stage: `import` and `prepare` make datasets of their own, all others work on the sample."""
    empty = work / "empty.yaml"
    empty.write_text("{}\n")
    words, sources = [], {"import": "photos", "prepare": "pictures"}
    if stage == "show-matches":
        words = [_first_id(work / "world" / name) for name in ("test.csv", "index.csv")]
    if stage == "adopt":
        words = [str(_adopted(work))]
    dataset, run = work / ("photos" if stage in sources else "world"), work / f"{sources.get(stage, 'out')}-run"
    folders = [f"dataset.source={sources.get(stage, 'sample')}", f"dataset.folder={dataset}", f"run.folder={run}"]
    return [stage, *words, "--config", str(empty), *SETTINGS, *folders]


def prepare_for(stage: str, work: Path) -> None:
    """What a user does before these stages: photos in folders for `import`, a file of his own for `adopt`."""
    if stage == "import":
        with open(work / "world" / "train.csv") as file:
            for row in csv.DictReader(file):
                folder, id = work / "photos" / f"landmark {row['landmark_id']}", row["id"]
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(work / "world" / "train" / id[0] / id[1] / id[2] / f"{id}.jpg", folder)
    if stage == "adopt":
        path = next(_adopted(work).glob("[0-9]*.npy"))
        np.save(path, np.load(path)[:, ::-1])


def contents(work: Path) -> dict[str, str]:
    """What a run left: the digest of every file; of a manifest only what does not depend on the time."""
    found, pairs = {}, {}
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work).as_posix()
        if not path.is_file() or path.parent == work or path.name in VARYING:
            continue
        if "/pairs/" in name and path.suffix == ".npy":  # two processes divide what is left, in other blocks than the whole
            pairs.setdefault(name.rpartition("/")[0], []).extend(map(str, np.load(path).tolist()))
        elif path.name == "ablation.csv":
            table = pd.read_csv(path, dtype=str)
            found[name] = table[[column for column in table if not column.endswith(("seconds", "megabytes"))]].to_csv()
        elif "/report/" in name:  # it shows seconds
            found[name] = "there"
        elif path.name == "manifest.json":
            manifest = json.loads(path.read_text())
            kept = {key: manifest[key] for key in ("fingerprint", "stage", "settings", "inputs")}
            steady = {key: facts[2] for key, facts in manifest["files"].items() if not key.endswith((".html", "metrics.jsonl"))}
            found[name] = json.dumps(kept | {"files": {} if "/pairs/" in name else steady})
        elif path.name == "recipe.json" or path.suffix in COMPARED:
            found[name] = hashlib.blake2b(path.read_bytes()).hexdigest()
        else:
            found[name] = "there"
    return found | {folder: "".join(sorted(rows)) for folder, rows in pairs.items()}


def _adopted(work: Path) -> Path:
    return work / "out-run" / "descriptors" / "tiny" / "train"


def _first_id(table: Path) -> str:
    return table.read_text().splitlines()[1].split(",")[0]
