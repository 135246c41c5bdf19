"""report: the scores as a table and a chart, and what the queries found before and after the chain, on one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Chain, Config, chain_names, step_name
from landmarks.errors import UserError
from landmarks.gallery.chart import bar_chart
from landmarks.gallery.choice import choose_any, choose_queries
from landmarks.gallery.page import Example, Shown, page, table
from landmarks.gallery.thumbnails import SIDE, Thumbnails
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.reading import require_regular
from landmarks.scoring.judge import Judge
from landmarks.scoring.protocol import protocol_named
from landmarks.search.rankings import read_chain_manifests, read_ranking
from landmarks.store.artefact import Artefact, fingerprint_of_file
from landmarks.store.csv_files import read_csv_header
from landmarks.store.files import write_text
from landmarks.store.json_files import read_object
from landmarks.store.tables import positions
from landmarks.summary import SECONDS

TOP = 10  # images shown of each ranking
QUERIES = 5  # queries shown in each section
QUERY_COLUMNS = ["id", "relevant"]
SHOWN_OF_SEVERAL = 1  # where a chain is run for each difficulty: Medium, which comparisons are of
KINDS = ["group", "usage"]  # of queries, where the dataset has them
LAYOUT = 2  # of the page: raised when it changes, so that reports are made again
HEADINGS = {"Worst": "Worst of those that lost", "Lowest": "Lowest of those that did not lose"}  # of sections, where the name is too short


def report(config: Config) -> Path:
    """Make <run.folder>/report/index.html from ablation.csv, per_query.csv and the first and last ranking; returns its path.

    A dataset without pictures gets the table and the chart; one without a ground truth, the pictures without verdicts.
    Raises UserError where a ranking or the scores of this very chain are missing.
    """
    folder, names = config.run.folder, chain_names(config.rerank)
    protocol = protocol_named(config.protocol)
    chains = protocol.chains(config.rerank)
    chain = chains[0] if len(chains) == 1 else chains[SHOWN_OF_SEVERAL]
    manifests = read_chain_manifests(config, chain)
    judge = protocol.judge(config) if protocol.judges_lists else None
    made = list(manifests)
    shown = {names[0]: made[0], names[-1]: made[-1]}
    truth = {} if judge is None else judge.truth()
    if judge is not None:
        _refuse_other_scores(config, names, protocol.chains, judge.choices, truth)
    scores = {} if judge is None else {name: fingerprint_of_file(folder / name) for name in ("ablation.csv", "per_query.csv")}
    inputs = scores | truth | {name: manifests[place]["fingerprint"] for name, place in shown.items()}
    settings = {"chains": names, "top": TOP, "queries": QUERIES, "side": SIDE, "layout": LAYOUT}
    artefact = Artefact(folder / "report", "report", settings, inputs)
    index_page = artefact.folder / "index.html"
    if artefact.is_complete():
        say(f"report: up to date ({index_page})")
        return index_page

    steps = _last_search(chain)
    rankings = {place: read_ranking(folder / "rankings" / place) for place in {*shown.values(), made[steps]}}
    lists = {"knn": (rankings[made[0]], rankings[made[0]])}
    if chain:
        lists[_above(config.rerank, chain)] = (rankings[made[-1]], rankings[made[steps]])
    if judge is None:
        blocks, ids = [], rankings[made[0]].query_ids
        chosen = {"Queries": [(id, "not scored: the dataset has no ground truth for it") for id in ids[choose_any(ids, QUERIES)]]}
    else:
        scored = _read_scores(folder / "per_query.csv", names, judge)
        labels = dict(zip(names, ["knn", *(f"+ {step_name(step)}" for step in config.rerank)], strict=True))
        ablation = folder / "ablation.csv"
        require_regular(ablation)
        blocks = _score_blocks(pd.read_csv(ablation), scored, labels, judge)
        chosen = _choose(scored, list(shown), judge)

    artefact.begin()
    pictures = Thumbnails(config.tables_folder, artefact.folder, config.dataset)
    wanted = [(section, id, about) for section, queries in chosen.items() for id, about in queries]
    examples: dict[str, list[Example]] = {section: [] for section in chosen}
    # Without a query's picture there is nothing to compare by eye.
    if any(pictures.exists("test", id) for _, id, _ in wanted):
        for section, id, about in progress(wanted, "report", "query"):
            examples[section].append(_example(id, about, lists, judge, pictures))
    write_text(index_page, page(f"Landmark retrieval: {folder.resolve().name}", blocks, examples))
    artefact.finish(queries=sum(map(len, examples.values())), thumbnails=pictures.made)
    say(f"report: {index_page}")
    return index_page


def _last_search(chain: Chain) -> int:
    """How many of the chain's steps there are up to the last that searches; 0: its lists were searched first of all."""
    return max((number for number, step in enumerate(chain, start=1) if step.searches), default=0)


def _above(chain: Chain, run: Chain) -> str:
    """What is written above a list: the chain, and whose similarities its numbers are, where a later step ordered by something else.

    run  the chain as it was run
    """
    steps = _last_search(run)
    searched = " + ".join(map(step_name, run[:steps])) or "knn"
    return " + ".join(map(step_name, chain)) + ("" if steps == len(run) else f" (numbers: similarities of {searched})")


def _refuse_other_scores(
    config: Config, names: list[str], run_as: Callable[[Chain], tuple[Chain, ...]], present: dict[str, str], truth: dict[str, str]
) -> None:
    """Raise UserError where metrics.json has scores of other rankings than those that lie there, or by another ground truth."""
    path = config.run.folder / "metrics.json"
    if not path.is_file():  # per_query.csv and ablation.csv are asked for by name
        return
    results = read_object(path, "the scores that `evaluate` writes", {"chains": dict}, next=next_command("evaluate"))
    before, choices = results.get("truth", truth), results.get("choices", {})  # earlier versions noted no ground truth
    for name, choice in present.items():
        if not isinstance(choices, dict) or choices.get(name, choice) != choice:
            raise UserError(f"these scores were made with another {name}", where=path, next=next_command("evaluate"))
    if before != truth:
        raise UserError("these scores are by another ground truth than the one that lies there", where=path, next=next_command("evaluate"))
    scored = results["chains"]
    for steps, name in enumerate(names):
        ranking = list(read_chain_manifests(config, run_as(config.rerank[:steps])[-1]).values())[-1]
        known = scored.get(name, {})
        if not isinstance(known, dict) or (name in scored and known.get("fingerprint") != ranking["fingerprint"]):
            raise UserError(f"these scores of {name} are of another ranking", where=path, next=next_command("evaluate"))


def _read_scores(path: Path, names: list[str], judge: Judge) -> pd.DataFrame:
    """per_query.csv, its column of what is compared called by the chain's name; queries without such a score are left out."""
    columns = {judge.decisive_column(name): name for name in names}
    missing = [name for name in (*QUERY_COLUMNS, *columns) if name not in read_csv_header(path)]
    if missing:
        raise UserError(
            f"no column {', '.join(missing)}: scored with another chain",
            where=path,
            next=next_command("evaluate"),
        )
    words = dict.fromkeys(["id", *KINDS], str)
    scored = pd.read_csv(path, dtype=words, keep_default_na=False, na_values={name: [""] for name in columns})
    for name in QUERY_COLUMNS:
        if len(scored) and scored[name].tolist() != judge.queries[name].tolist():
            raise UserError("these scores are of another ground truth or test.csv", where=path, next=next_command("evaluate"))
    scored = scored.rename(columns=columns)
    return scored[scored[names].notna().all(axis=1)].reset_index(drop=True)


def _score_blocks(ablation: pd.DataFrame, scored: pd.DataFrame, labels: dict[str, str], judge: Judge) -> list[str]:
    """labels: chain -> the step that it adds to the one before."""
    names, chains = list(labels), [labels.get(name, name) for name in ablation["chain"]]
    series = {
        heading: [None if pd.isna(value) else float(value) for value in ablation[measure]] for measure, heading in judge.headings.items()
    }
    first, *others = series
    changes = ["", *(_change(before, after) for before, after in zip(series[first], series[first][1:]))]
    columns = {"chain": chains, first: map(_two, series[first]), "change": changes}
    columns |= {heading: map(_two, series[heading]) for heading in others} | {SECONDS: map(_two, ablation["seconds"])}
    note = "Each row adds its step to the row above; the seconds are those of the search and all steps so far."
    blocks = [
        table(f"{judge.title}, percent", list(columns), list(zip(*columns.values(), strict=True)), note),
        bar_chart(chains, series),
    ]
    if "group" in scored and scored["group"].nunique() > 1:
        groups, sizes = scored.astype(dict.fromkeys(names, float)).groupby("group")[names].mean(), scored["group"].value_counts()
        blocks.append(
            table(
                "By group",
                ["group", "queries", *labels.values()],
                [[group, str(sizes[group]), *map(_two, row)] for group, row in zip(groups.index, groups.to_numpy(), strict=True)],
                "Each column adds its step to the column before.",
            )
        )
    return blocks


def _change(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{after - before:+.2f}"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _choose(scored: pd.DataFrame, shown: list[str], judge: Judge) -> dict[str, list[tuple[str, str]]]:
    """Section -> (query id, the line about it); scores are compared as they are shown."""
    before, after = (np.array([float(f"{score:.1f}") for score in scored[name]]) for name in (shown[0], shown[-1]))
    sections = choose_queries(scored["id"].to_numpy(object), before, after, QUERIES)

    def about(n: int) -> str:
        row = scored.iloc[n]
        score = f"{judge.short} {after[n]:.1f}" if len(shown) == 1 else f"{judge.short} {before[n]:.1f} → {after[n]:.1f}"
        relevant = f"{row['relevant']} true image{'' if row['relevant'] == 1 else 's'}"
        return " · ".join([score, relevant, *(row[kind] for kind in KINDS if kind in scored)])

    return {HEADINGS.get(section, section): [(scored["id"].iloc[n], about(n)) for n in rows] for section, rows in sections.items()}


def _example(id: str, about: str, lists: dict[str, tuple[Ranking, Ranking]], judge: Judge | None, pictures: Thumbnails) -> Example:
    """lists: what is written above it -> a ranking, and the last search on the way to it, whose scores are similarities."""
    verdict = _verdicts(id, judge)
    best = {}
    for name, (ranking, search) in lists.items():
        similarity, found = dict(_row(search, id)), [image for image, _ in _row(ranking, id)[:TOP]]
        best[name] = [Shown(image, verdict(image), similarity.get(image), pictures.file_name("index", image)) for image in found]
    return Example(id, about, pictures.file_name("test", id), best)


def _verdicts(query: str, judge: Judge | None) -> Callable[[str], str]:
    if judge is None:
        return lambda image: "ignored"
    true, ignored = judge.true_images(query), judge.ignored_images(query)
    return lambda image: "right" if image in true else "ignored" if image in ignored else "wrong"


def _row(ranking: Ranking, id: str) -> list[tuple[str, float]]:
    """The (index id, score) of a query, best first; empty where the ranking does not hold it."""
    row = positions([id], ranking.query_ids)[0]
    if row < 0:
        return []
    found = ranking.indices[row][ranking.indices[row] >= 0]
    return list(zip(ranking.index_ids[found], map(float, ranking.scores[row]), strict=False))
