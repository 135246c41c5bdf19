"""Everything that a GPU has to prove, in one call of at most ten minutes: that it computes what a CPU does, and how fast.

    python benchmarks/gpu.py --out gpu_report                   on the first GPU
    PYTHONPATH=src python benchmarks/gpu.py --out gpu_report    the same where the package is not installed
    python benchmarks/gpu.py --out gpu_report --cpu             at toy size, to see that the script works

It takes torch, timm, accelerate, numba, SciPy, pandas, pyarrow, OpenCV, Pillow, and small wheels: pydantic, simplejpeg, safetensors,
PyYAML, tqdm. FAISS, LightGBM, albumentations and kaggle may be missing: what needs them (FAISS as a peer) is skipped and said.
Writes report.csv, a line a number, and report.md. Weights and pictures are random: speeds do not depend on them.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gpu_checks
import gpu_memory
import gpu_speeds
import torch

from landmarks.cuda import driver_version, find_cards

SECONDS = 540  # after which no further part begins


@dataclass(frozen=True)
class Sizes:
    """Of the measurements: backbone -> (training side, part, extraction side, pictures a batch)."""

    models: dict[str, tuple[int, int, int, int]]
    index: int
    dimensions: int
    queries: int
    pairs: int
    features: int
    matmul: int


FULL = Sizes(
    {
        "resnet101": (512, 32, 1000, 24),  # configs/delg_resnet101.yaml, configs/gldv2.yaml
        "convnext_base": (448, 32, 800, 24),
        "vit_base_patch14_dinov2": (518, 32, 518, 32),
    },
    index=761_757,
    dimensions=512,
    queries=20_000,
    pairs=20_000,
    features=1000,
    matmul=8192,
)
TOY = Sizes({"test_resnet": (64, 4, 96, 4)}, index=2000, dimensions=32, queries=50, pairs=20, features=60, matmul=128)


@dataclass(frozen=True)
class Row:
    """A number of the report. limit: what it has to reach, or may be at most; empty: none."""

    part: str
    what: str
    value: float
    unit: str
    limit: str = ""
    holds: bool | None = None


def report(sizes: Sizes, device: torch.device, seconds: float) -> Iterator[Row]:
    """The rows of all parts, as they are measured; a part that fails is a row that says why, and the next one goes on."""
    began = time.monotonic()
    parts: list[tuple[str, Callable[[Sizes, torch.device], Iterator[tuple]]]] = [
        ("correct", gpu_checks.descriptors),
        ("correct", gpu_checks.local_features),
        ("correct", gpu_checks.extraction),
        ("correct", gpu_checks.neighbours),
        ("correct", gpu_checks.verification),
        ("correct", gpu_checks.training),
        ("correct", gpu_checks.resumed),
        ("memory", gpu_memory.out_of_memory),
        ("memory", gpu_memory.divided_batch),
        ("limit", gpu_speeds.matrix_product),
        ("search", gpu_speeds.search),
        ("verification", gpu_speeds.verification),
        ("training", gpu_speeds.training),
        ("extraction", gpu_speeds.extraction),
        ("decoding", gpu_speeds.decoding),
    ]
    for part, measure in parts:
        name = measure.__name__.replace("_", " ")
        if time.monotonic() - began > seconds:
            yield Row(part, f"{name}: no time was left", float("nan"), "")
            continue
        try:
            for row in measure(sizes, device):
                yield Row(part, *row)
        except Exception as error:  # the report is of what works and what does not
            yield Row(
                part, f"{name} failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", 0.0, "", "", False
            )
        if device.type == "cuda":
            torch.cuda.empty_cache()
    yield Row("all", "the report", time.monotonic() - began, "s", "<= 600", time.monotonic() - began <= 600)


def whole_run(rows: list[Row]) -> Iterator[Row]:
    """How long Google Landmarks v2 takes at these speeds: 5 epochs on 1.58 M images, 2.46 M described, 117,577 queries searched.

    Decoding goes on while the GPU trains: the longer of the two counts.
    """
    for row in rows:
        name, per_hour = row.what.removesuffix(": images/s"), 3600 * row.value
        if row.part == "training" and row.what.endswith("images/s") and row.value > 0:
            yield Row("GLDv2", f"{name}: training 5 epochs of 1,580,470 images", 5 * 1_580_470 / per_hour, "h")
        if row.part == "decoding" and row.what.startswith("by "):
            yield Row("GLDv2", f"decoding for 5 epochs {name}, while the GPU trains", 5 * 1_580_470 / per_hour, "h")
        if row.part == "extraction" and row.what.endswith("images/s") and row.value > 0:
            yield Row("GLDv2", f"{name}: describing 2,459,804 images", 2_459_804 / per_hour, "h")
        if (row.part, row.what) == ("search", "queries/s"):
            yield Row("GLDv2", "searching 117,577 queries", 117_577 / row.value, "s")
        if (row.part, row.what) == ("verification", "pairs/s"):
            yield Row("GLDv2", "verifying 100 images of 117,577 lists", 11_757_700 / per_hour, "h")


def write(rows: list[Row], folder: Path, title: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "report.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "what", "value", "unit", "limit", "holds"])
        writer.writerows([row.part, row.what, f"{row.value:.6g}", row.unit, row.limit, _word(row.holds)] for row in rows)
    lines = [f"# {title}", "", "| part | what | value | limit | holds |", "|---|---|---|---|---|"]
    lines += [f"| {row.part} | {row.what} | {row.value:.4g} {row.unit} | {row.limit} | {_word(row.holds)} |" for row in rows]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _word(holds: bool | None) -> str:
    return "" if holds is None else "yes" if holds else "NO"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu_report"), help="folder of report.csv and report.md")
    parser.add_argument("--cpu", action="store_true", help="at toy size, on the CPU")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which no further part begins")
    chosen = parser.parse_args(arguments)
    cards = find_cards()
    if not chosen.cpu and not cards.usable:
        print(cards.fault.what + "; " + cards.fault.next if cards.fault else "no GPU; --cpu tries the script at toy size")
        return 2
    device = torch.device("cpu") if chosen.cpu else torch.device("cuda", cards.usable[0])
    name = "CPU, toy size" if chosen.cpu else torch.cuda.get_device_name(device)
    title = f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, driver {driver_version()}"
    rows: list[Row] = []
    for row in report(TOY if chosen.cpu else FULL, device, chosen.seconds):
        rows.append(row)
        print(f"{row.part:14}{row.what:90}{row.value:12.4g} {row.unit:10}{row.limit:12}{_word(row.holds)}", flush=True)
        write(rows, chosen.out, title)  # what was measured is there, whatever comes
    rows += list(whole_run(rows))
    write(rows, chosen.out, title)
    print(chosen.out / "report.md")
    return 0 if all(row.holds is not False for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
