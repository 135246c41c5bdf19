"""ablate: which steps and settings help, by how much and at what cost, from the rankings that the search begins."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.ablation.comparisons import Comparison, comparisons
from landmarks.ablation.latex import comparisons_as_latex
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
from landmarks.command import next_command
from landmarks.config import AblateSettings, Chain, Config, chain_names
from landmarks.errors import UserError
from landmarks.gallery.ablation_chart import Change, change_chart
from landmarks.progress import progress, say
from landmarks.rerank.chain import make_chain, open_context, require_disk
from landmarks.scoring.judge import Judge, require_scored
from landmarks.scoring.protocol import Protocol, protocol_named
from landmarks.search.rankings import chain_artefacts, read_chain_manifests
from landmarks.store.artefact import MANIFEST
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text

SWEEP = "sweep"


def ablate(config: Config) -> Path:
    """Write ablation.csv, ablation.md, ablation.tex and ablation.svg, with a sweep also sweep.csv, to <run.folder>/ablate; returns it.

    Rankings that are not there are made, each prefix once for all chains that begin with it. Raises UserError without a
    ground truth, without a search, and for a sweep over a step that the chain has not.
    """
    protocol = protocol_named(config.protocol)
    judge = _judge(config, protocol)
    knn = config.run.folder / "rankings" / "knn"
    if not (knn / MANIFEST).is_file():
        raise UserError("ablations begin at the search, which has not been made", where=knn, next=next_command("search"))
    read_chain_manifests(config, ())
    require_scored(judge, config.tables_folder)
    rows = comparisons(config.rerank, config.ablate.leave_one_out, config.ablate.chains)
    swept = combinations(config.rerank, config.ablate, config.search.neighbours) if config.ablate.sweep else []
    choosing = None
    if swept:  # refused before anything is made, where one side has no query
        choosing = choosing_queries(judge.subjects(), judge.public(), config.ablate.choose_on, config.ablate.seed)
    chains = [run for chain in [*(row.chain for row in rows), *swept] for run in protocol.chains(chain)]
    _make(config, list(dict.fromkeys(chains)))

    scored = cache(lambda chain: score_chain(config, chain, judge, protocol.chains(chain)))
    frame = compare(rows, scored, judge, np.ones(len(judge.queries), bool), config.ablate)
    folder, headings = config.run.folder / "ablate", list(judge.headings.values())
    text, cells = _about(config.ablate, judge), comparison_cells(frame, judge.headings)
    say("\n" + text)
    markdown = [text + "\n", comparisons_as_markdown(cells, headings)]
    print_comparisons(cells, headings)
    if choosing is not None:
        combined, outcome, more = _sweep(config.ablate, config.rerank, judge, swept, scored, choosing)
        write_csv(folder / "sweep.csv", combined)
        markdown += more
        frame = pd.concat([frame, outcome], ignore_index=True)
    else:
        (folder / "sweep.csv").unlink(missing_ok=True)  # of an earlier run, it would pass for today's
    write_csv(folder / "ablation.csv", frame)
    write_text(folder / "ablation.md", "\n".join(markdown))
    write_text(folder / "ablation.tex", comparisons_as_latex(cells, headings, f"{judge.title} in percent"))
    write_text(folder / "ablation.svg", _chart(frame, judge))
    say(f"ablate: {folder / 'ablation.csv'}, .md, .tex and .svg")
    return folder


def _judge(config: Config, protocol: Protocol) -> Judge:
    judge = protocol.judge(config)
    if judge is None:
        file, key = protocol.solution
        raise UserError(
            f"no {file}: an ablation compares scores, and there is nothing to score against",
            where=config.tables_folder,
            next=f"add the solution to the dataset, or name it: {key}=FILE",
        )
    return judge


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
    settings: AblateSettings,
    chain: Chain,
    judge: Judge,
    chains: list[Chain],
    scored: Callable[[Chain], Scored],
    choosing: np.ndarray,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The table of all combinations, the best one's row among the comparisons, and the Markdown; prints them too."""
    headings = list(judge.headings.values())
    frame, best = compare_combinations(chains, swept_keys(settings), scored, judge, choosing)
    row = Comparison(SWEEP, f"best of {len(chains)}", best, chain, "all steps")
    outcome = compare([row], scored, judge, ~choosing, settings)
    where = "the Public ones" if settings.choose_on == "public" else f"those of half the landmarks, seed {settings.seed}"
    about = (
        f"Sweep: the best of {len(chains)} combinations, chosen on {choosing.sum()} queries ({where}) and compared with the chain "
        f"as it stands on the other {(~choosing).sum()}, whose score is shown for these two alone; {judge.compared}, in percent."
    )
    if len(chains) > SHOWN:
        about += f" The first {SHOWN}; all of them are in sweep.csv."
    header, rows = sweep_cells(frame)
    cells = comparison_cells(outcome, judge.headings)
    say("\n" + about)
    print_sweep(header, rows)
    print_comparisons(cells, headings)
    say("The best, to paste into a configuration:\n" + as_yaml(best))
    markdown = [about + "\n", as_markdown(header, rows), comparisons_as_markdown(cells, headings), f"```yaml\n{as_yaml(best)}\n```\n"]
    return frame, outcome, markdown


def _about(settings: AblateSettings, judge: Judge) -> str:
    counts = ", ".join(f"{number} {kind.lower()}" for kind, number in judge.counts.items())
    return (
        f"{judge.title} in percent (queries: {counts}). change: of {judge.compared}, with 95 % interval by the paired bootstrap over "
        f"queries ({settings.samples} draws, seed {settings.seed}). helped, hurt: queries whose score changed by more than {THRESHOLD:g}. "
        "seconds: of the step, without what was looked up already for an earlier chain; in all: with the search and every step before. "
        "MB: the highest memory of the process meanwhile."
    )


def _chart(frame: pd.DataFrame, judge: Judge) -> str:
    rows = frame[frame["change"].notna()]
    columns = (rows[name].tolist() for name in ("section", "row", "change", "change_low", "change_high"))
    changes = [Change(*values) for values in zip(*columns, strict=True)]
    return change_chart(f"Change of {judge.compared}, percentage points, with 95 % interval", changes)
