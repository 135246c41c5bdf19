"""plot-training: the journals of a run's models as curves on one page."""

from __future__ import annotations

from html import escape
from pathlib import Path

from landmarks.command import next_command
from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.gallery.line_chart import line_chart
from landmarks.gallery.page import STYLE
from landmarks.progress import say
from landmarks.store.files import write_text
from landmarks.training.journal import JOURNAL, read_lines
from landmarks.training.validation import AT

_PANELS = {
    "loss": "loss",
    "accuracy": "accuracy on the batches",
    "validation_map": f"mAP@{AT} of the held-out images",
    "learning_rate": "learning rate",
    "images_per_second": "images per second",
    "gradient_norm": "gradient norm",
}


def plot_training(config: Config) -> Path:
    """Write training.html in the run folder, with a line for each model, also of trainings that are not finished; returns its path.

    Raises UserError where no model has a journal.
    """
    folder = config.run.folder
    journals = {name: read_lines(folder / "models" / name) for name in config.models}
    journals = {name: lines for name, lines in journals.items() if lines}
    if not journals:
        raise UserError(f"no model has a journal ({JOURNAL})", where=folder / "models", next=next_command("train"))
    charts = []
    for key, title in _PANELS.items():
        series: dict[str, tuple[list[float], list[float]]] = {}
        for name, lines in journals.items():
            points = [(line["epoch"], line[key]) for line in lines if key in line and "epoch" in line]
            if points:
                series[name] = [epoch for epoch, _ in points], [value for _, value in points]
        if series:
            charts.append(f"<p>{line_chart(title, series, across='epoch')}</p>")
    path = folder / "training.html"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(folder.name)}: training</title><style>{STYLE}</style>'
    write_text(path, f"{head}<h1>{escape(folder.name)}: training</h1>{''.join(charts)}</html>\n")
    say(f"curves of {', '.join(journals)}: {path}")
    return path
