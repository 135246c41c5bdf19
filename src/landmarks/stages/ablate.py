"""ablate: which steps and settings help, by how much and at what cost, from the rankings that the search begins."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.ablation.comparisons import Comparison, comparisons
from landmarks.ablation.results import THRESHOLD, Scored, compare, compare_combinations, score_chain
from landmarks.ablation.sweep import as_yaml, choosing_queries, combinations, swept_keys
from landmarks.ablation.words import (
    SHOWN,
    as_markdown,
    comparison_cells,
    comparisons_as_markdown,
    print_comparisons,
    print_sweep,
    sweep_cells,
)
from landmarks.config import Chain, Config, chain_names
from landmarks.errors import UserError
from landmarks.gallery.ablation_chart import Change, change_chart
from landmarks.progress import progress, say
from landmarks.rerank.chain import chain_artefacts, make_chain, open_context, require_disk
from landmarks.store.artefact import MANIFEST
from landmarks.store.files import write_text
from landmarks.store.rankings import read_chain_manifests
from landmarks.store.solution import Solution, find_solution, read_solution
from landmarks.store.tables import Tables, read_tables, write_csv

SWEEP = "sweep"


def ablate(config: Config) -> Path:
    """Write ablation.csv, ablation.md and ablation.svg, with a sweep also sweep.csv, to <run.folder>/ablate; returns it.

    Rankings that are not there are made, each prefix once for all chains that begin with it. Raises UserError without a
    solution, without a search, and for a sweep over a step that the chain has not.
    """
    if config.protocol != "retrieval":
        raise UserError(
            f"ablations compare mAP@100, and this dataset is scored by the protocol {config.protocol}",
            where="evaluate.protocol",
            next="./run.sh evaluate, with the same settings: it scores the chain after every step",
        )
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    solution = _solution(config, tables)
    knn = config.run.folder / "rankings" / "knn"
    if not (knn / MANIFEST).is_file():
        raise UserError("ablations begin at the search, which has not been made", where=knn, next="./run.sh search, with the same settings")
    read_chain_manifests(config, ())
    rows = comparisons(config)
    swept = combinations(config) if config.ablate.sweep else []
    choosing = choosing_queries(solution, tables.index_ids, config.ablate.choose_on, config.ablate.seed) if swept else None
    _make(config, list(dict.fromkeys([*(row.chain for row in rows), *swept])))

    scored = cache(lambda chain: score_chain(config, chain, tables, solution))
    usages = solution.usages
    frame = compare(rows, scored, usages, np.ones(len(usages), bool), config.ablate)
    folder = config.run.folder / "ablate"
    text = _about(config, solution)
    say("\n" + text)
    markdown = [text + "\n", comparisons_as_markdown(comparison_cells(frame))]
    print_comparisons(comparison_cells(frame))
    if swept:
        combined, outcome, more = _sweep(config, swept, scored, usages, choosing)
        write_csv(folder / "sweep.csv", combined)
        markdown += more
        frame = pd.concat([frame, outcome], ignore_index=True)
    else:
        (folder / "sweep.csv").unlink(missing_ok=True)  # of an earlier run, it would pass for today's
    write_csv(folder / "ablation.csv", frame)
    write_text(folder / "ablation.md", "\n".join(markdown))
    write_text(folder / "ablation.svg", _chart(frame))
    say(f"ablate: {folder / 'ablation.csv'}, .md and .svg")
    return folder


def _solution(config: Config, tables: Tables) -> Solution:
    path = find_solution(tables.folder, config.dataset.solution)
    if path is None:
        raise UserError(
            "no retrieval_solution*.csv: an ablation compares scores, and there is nothing to score against",
            where=tables.folder,
            next="add the solution (id,images,Usage) to the dataset, or name it: dataset.solution=FILE",
        )
    solution = read_solution(path, tables.test_ids, tables.index_ids)
    if len(solution.query_ids) == 0:
        raise UserError("the solution has no scored query", where=path, next="check dataset.solution")
    return solution


def _make(config: Config, chains: list[Chain]) -> None:
    missing = [chain for chain in chains if not all(artefact.is_complete() for artefact in chain_artefacts(config, chain))]
    say(f"ablate: {len(chains) - len(missing)} of {len(chains)} chains are there" + (", none is to be made" if not missing else ""))
    require_disk(config, missing)
    context = cache(lambda: open_context(config))
    bar = progress(missing, "ablate", "chain")
    for chain in bar:
        bar.set_postfix_str(chain_names(chain)[-1])
        make_chain(config, chain, context)


def _sweep(
    config: Config, chains: list[Chain], scored: Callable[[Chain], Scored], usages: np.ndarray, choosing: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The table of all combinations, the best one's row among the comparisons, and the Markdown; prints them too."""
    settings = config.ablate
    frame, best = compare_combinations(chains, swept_keys(config), scored, choosing)
    row = Comparison(SWEEP, f"best of {len(chains)}", best, config.rerank, "all steps")
    outcome = compare([row], scored, usages, ~choosing, settings)
    where = "the Public ones" if settings.choose_on == "public" else f"those of half the landmarks, seed {settings.seed}"
    about = (
        f"Sweep: the best of {len(chains)} combinations, chosen on {choosing.sum()} queries ({where}) and compared with the chain "
        f"as it stands on the other {(~choosing).sum()}, whose score is told of these two alone; mAP@100 in percent."
    )
    if len(chains) > SHOWN:
        about += f" The first {SHOWN}; all of them are in sweep.csv."
    header, rows = sweep_cells(frame)
    cells = comparison_cells(outcome)
    say("\n" + about)
    print_sweep(header, rows)
    print_comparisons(cells)
    say("The best, to paste into a configuration:\n" + as_yaml(best))
    markdown = [about + "\n", as_markdown(header, rows), comparisons_as_markdown(cells), f"```yaml\n{as_yaml(best)}\n```\n"]
    return frame, outcome, markdown


def _about(config: Config, solution: Solution) -> str:
    settings, counts = config.ablate, [f"{(solution.usages == usage).sum()} {usage.lower()}" for usage in ("Private", "Public")]
    return (
        f"mAP@100 in percent, {' and '.join(counts)} queries. change: mean over private and public queries together, with 95 % interval "
        f"by the paired bootstrap over them ({settings.samples} draws, seed {settings.seed}). helped, hurt: queries whose AP changed by "
        f"more than {THRESHOLD:g}. seconds: of the step, without what was looked up already for an earlier chain; in all: with the search "
        "and every step before. MB: the highest memory of the process meanwhile."
    )


def _chart(frame: pd.DataFrame) -> str:
    rows = frame[frame["change"].notna()]
    changes = [Change(row.section, row.row, row.change, row.change_low, row.change_high) for row in rows.itertuples()]
    return change_chart("Change of mAP@100, percentage points, with 95 % interval", changes)
