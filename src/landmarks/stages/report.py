"""report: the scores as a table and a chart, and what the queries found before and after the chain, on one page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from landmarks.config import Config, chain_names
from landmarks.data.images import read_image, resize
from landmarks.errors import UserError
from landmarks.gallery.chart import bar_chart
from landmarks.gallery.choice import choose_any, choose_queries
from landmarks.gallery.page import Example, Shown, page, table
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.store.artefact import Artefact, fingerprint_of_file
from landmarks.store.files import write_text, written_whole
from landmarks.store.images import image_path
from landmarks.store.rankings import read_chain_manifests, read_ranking
from landmarks.store.solution import find_solution, read_solution
from landmarks.store.tables import Tables, positions, read_csv_header, read_tables

TOP = 10  # images shown of each ranking
QUERIES = 5  # queries shown in each section
SIDE = 224  # pixels of a thumbnail's longest side: twice what is shown, for dense screens
QUERY_COLUMNS = ["id", "usage", "group", "relevant"]


def report(config: Config) -> Path:
    """Make <run.folder>/report/index.html from ablation.csv, per_query.csv and the first and last ranking; returns its path.

    A dataset without pictures gets the table and the chart; one without a solution, the pictures without verdicts.
    Raises UserError where a ranking or the scores of this very chain are missing.
    """
    folder, names = config.run.folder, chain_names(config.rerank)
    shown = list(dict.fromkeys((names[0], names[-1])))
    solution_path = find_solution(config.tables_folder, config.dataset.solution)
    scores = {} if solution_path is None else {name: fingerprint_of_file(folder / name) for name in ("ablation.csv", "per_query.csv")}
    manifests = read_chain_manifests(config, config.rerank)
    inputs = scores | {name: manifests[name]["fingerprint"] for name in shown}
    artefact = Artefact(folder / "report", "report", {"chains": names, "top": TOP, "queries": QUERIES, "side": SIDE}, inputs)
    index_page = artefact.folder / "index.html"
    if artefact.is_complete():
        say(f"report: up to date ({index_page})")
        return index_page

    tables = read_tables(config.tables_folder, config.dataset.train_table)
    rankings = {name: read_ranking(folder / "rankings" / name) for name in shown}
    if solution_path is None:
        blocks, truth = [], {}
        ids = rankings[shown[0]].query_ids
        chosen = {"Queries": [(id, "not scored: the dataset has no solution file") for id in ids[choose_any(ids, QUERIES)]]}
    else:
        scored = _read_scores(folder / "per_query.csv", names)
        blocks = _score_blocks(pd.read_csv(folder / "ablation.csv"), scored, names)
        truth = _truth(solution_path, tables)
        chosen = _choose(scored, shown)

    artefact.begin()
    pictures = _Thumbnails(tables.folder, artefact.folder)
    wanted = [(section, id, about) for section, queries in chosen.items() for id, about in queries]
    examples: dict[str, list[Example]] = {section: [] for section in chosen}
    # Without a query's picture there is nothing to compare by eye.
    if any(image_path(tables.folder, "test", id).is_file() for _, id, _ in wanted):
        for section, id, about in progress(wanted, "report", "query"):
            examples[section].append(_example(id, about, rankings, truth.get(id), pictures))
    write_text(index_page, page(f"Landmark retrieval: {folder.resolve().name}", blocks, examples))
    artefact.finish(queries=sum(map(len, examples.values())), thumbnails=pictures.made)
    say(f"report: {index_page}")
    return index_page


def _read_scores(path: Path, names: list[str]) -> pd.DataFrame:
    missing = [name for name in (*QUERY_COLUMNS, *names) if name not in read_csv_header(path)]
    if missing:
        raise UserError(
            f"no column {', '.join(missing)}: scored with another chain",
            where=path,
            next="./run.sh evaluate, with the same configuration",
        )
    return pd.read_csv(path, dtype={"id": str, "usage": str, "group": str}, keep_default_na=False, na_values={n: [""] for n in names})


def _score_blocks(ablation: pd.DataFrame, scored: pd.DataFrame, names: list[str]) -> list[str]:
    private, public = ([None if pd.isna(value) else float(value) for value in ablation[column]] for column in ("map_private", "map_public"))
    changes = [
        "",
        *("" if None in (before, after) else f"{after - before:+.2f}" for before, after in zip(private, private[1:], strict=False)),
    ]
    rows = [
        [chain, _two(one), change, _two(other), f"{seconds:.2f}"]
        for chain, one, change, other, seconds in zip(ablation["chain"], private, changes, public, ablation["seconds"], strict=True)
    ]
    blocks = [
        table("mAP@100, percent", ["chain", "private", "change", "public", "seconds"], rows),
        bar_chart(list(ablation["chain"]), {"private": private, "public": public}),
    ]
    groups = scored.astype(dict.fromkeys(names, float)).groupby("group")[names].mean()
    if len(groups) > 1:
        sizes = scored["group"].value_counts()
        blocks.append(
            table(
                "By group",
                ["group", "queries", *names],
                [[group, str(sizes[group]), *map(_two, row)] for group, row in zip(groups.index, groups.to_numpy(), strict=True)],
            )
        )
    return blocks


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _truth(path: Path, tables: Tables) -> dict[str, set[str]]:
    truth = read_solution(path, tables.test_ids, tables.index_ids).truth
    return {
        id: set(tables.index_ids[truth.numbers[start:end]])
        for id, start, end in zip(truth.ids, truth.starts, truth.starts[1:], strict=False)
    }


def _choose(scored: pd.DataFrame, shown: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Section -> (query id, the line about it)."""
    before, after = scored[shown[0]].to_numpy(float), scored[shown[-1]].to_numpy(float)
    sections = choose_queries(scored["id"].to_numpy(object), before, after, QUERIES)

    def about(n: int) -> str:
        row = scored.iloc[n]
        score = f"AP {after[n]:.1f}" if len(shown) == 1 else f"AP {before[n]:.1f} → {after[n]:.1f}"
        return f"{score} · {row['relevant']} true images · {row['group']} · {row['usage']}"

    return {section: [(scored["id"].iloc[n], about(n)) for n in rows] for section, rows in sections.items()}


def _example(id: str, about: str, rankings: dict[str, Ranking], truth: set[str] | None, pictures: _Thumbnails) -> Example:
    similarity = dict(_row(next(iter(rankings.values())), id))  # later chains may score by place only
    best = {}
    for name, ranking in rankings.items():
        best[name] = [
            Shown(
                image,
                "ignored" if truth is None else "right" if image in truth else "wrong",
                similarity.get(image),
                pictures.of("index", image),
            )
            for image, _ in _row(ranking, id)[:TOP]
        ]
    return Example(id, about, pictures.of("test", id), best)


def _row(ranking: Ranking, id: str) -> list[tuple[str, float]]:
    """The (index id, score) of a query, best first; empty where the ranking does not hold it."""
    row = positions([id], ranking.query_ids)[0]
    if row < 0:
        return []
    found = ranking.indices[row][ranking.indices[row] >= 0]
    return list(zip(ranking.index_ids[found], map(float, ranking.scores[row]), strict=False))


class _Thumbnails:
    """Small copies of dataset pictures beside the page, numbered in the order they are asked for: an id may hold anything."""

    def __init__(self, dataset: Path, folder: Path):
        self._dataset, self._folder, self._names = dataset, folder, {}

    @property
    def made(self) -> int:
        return sum(name is not None for name in self._names.values())

    def of(self, split: str, id: str) -> str | None:
        """The file name of the thumbnail; None where the picture is missing or damaged."""
        if (split, id) not in self._names:
            name = f"{len(self._names):04d}.jpg"
            self._names[split, id] = name if self._make(image_path(self._dataset, split, id), self._folder / name) else None
        return self._names[split, id]

    def _make(self, source: Path, target: Path) -> bool:
        try:
            image = read_image(source, SIDE)
        except UserError:  # the page shows the id in the picture's place
            return False
        shrink = min(1.0, SIDE / max(image.shape[:2]))
        image = resize(image, *(max(1, round(side * shrink)) for side in image.shape[:2]))
        with written_whole(target) as aside:
            Image.fromarray(np.ascontiguousarray(image)).save(aside, "JPEG", quality=80)
        return True
