"""The steps that stand for `auto` in a run's chain: chosen once, before anything is re-ranked, and kept in <run>/choice."""

from __future__ import annotations

import time

from landmarks.command import next_command
from landmarks.config import Chain, Config, step_name
from landmarks.config.load import read_chain
from landmarks.config.read_yaml import read_yaml
from landmarks.errors import UserError
from landmarks.machine import is_first_process
from landmarks.progress import say
from landmarks.rerank.chain import open_context
from landmarks.rerank.choice import choose
from landmarks.rerank.choice_recognition import choose_for_recognition
from landmarks.rerank.cost import measured
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.verdict import as_table, as_yaml, chosen, report
from landmarks.search.rankings import choice_artefact
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text
from landmarks.store.tables import require_tables_folder

_POLL_SECONDS = 0.2
_CHAIN, _TABLE = "chain.yaml", "choice.csv"


def with_chosen_steps(config: Config, *, makes: bool) -> Config:
    """The configuration with the chosen steps in place of `auto`; as it is where its chain has no such step.

    makes  choose where it has not been done for this search; the other processes of a stage wait for the first
    Raises UserError without a dataset or a search, and where nothing was chosen and nothing may be made.
    """
    auto = next((step for step in config.rerank if isinstance(step, Auto)), None)
    if auto is None:
        return config
    require_tables_folder(config.tables_folder)
    place = config.rerank.index(auto)
    before, after = config.rerank[:place], config.rerank[place + 1 :]
    artefact = choice_artefact(config, config.rerank[: place + 1])
    if not artefact.is_complete():
        if not makes:
            what = "the steps in place of auto have not been chosen for this search"
            raise UserError(what, where=artefact.folder, next=next_command("rerank"))
        if is_first_process():
            _choose(config, before, auto, artefact)
    while not artefact.is_complete():
        time.sleep(_POLL_SECONDS)
    steps = read_chain(read_yaml(artefact.folder / _CHAIN)["rerank"])
    return config.model_copy(update={"rerank": (*before, *steps, *after)})


def _choose(config: Config, before: Chain, auto: Auto, artefact: Artefact) -> None:
    artefact.begin()
    context = open_context(config).after(before)
    with measured() as cost:
        if config.protocol == "recognition":
            verdicts = choose_for_recognition(context, auto.draw, config.search.neighbours, config.recognize)
        else:
            verdicts = choose(context, auto.draw, config.search.neighbours, config.protocol)
    report(verdicts, "GAP" if config.protocol == "recognition" else "mAP")
    chain = chosen(verdicts)
    write_csv(artefact.folder / _TABLE, as_table(verdicts))
    write_text(artefact.folder / _CHAIN, as_yaml(chain))
    artefact.finish(step_seconds=round(cost.seconds, 4), steps=len(chain))
    say(f"auto: {', '.join(map(step_name, chain)) or 'no step'}; chosen in {cost.seconds:.1f} s, {artefact.folder / _CHAIN}")
