"""What a protocol is: how a chain is run and scored for one kind of dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from landmarks.config import Chain, Config
from landmarks.config.names import class_in
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.scoring.evaluation import Scores
from landmarks.scoring.judge import Judge
from landmarks.scoring.prefixes import score_prefixes
from landmarks.summary import print_protocol


class Protocol:
    """A protocol is one file, protocols/<name>.py, with one subclass of this; the configuration calls it by the file's name.

    stages          what `run` does once the chain is there
    reads_train     whether queries are compared with training images, even where the chain does not
    judges_lists    whether what its judge looks at are the lists of index images; else `score` is its own, and no report shows verdicts
    results_folder  below the run folder, for metrics.json and its tables
    solution        the file that a dataset may lack, and the setting that names another
    """

    stages: ClassVar[tuple[str, ...]] = ("submit", "evaluate", "report")
    reads_train: ClassVar[bool] = False
    judges_lists: ClassVar[bool] = True
    results_folder: ClassVar[str] = ""
    solution: ClassVar[tuple[str, str]] = ("retrieval_solution*.csv", "dataset.solution")

    def judge(self, config: Config) -> Judge | None:
        """The dataset's ground truth; None where it has none."""
        raise NotImplementedError(f"{type(self).__name__}.judge")

    def score(self, config: Config) -> Scores | None:
        """Every prefix of the run's chain; None where there is no ground truth. Raises UserError for a ranking that is missing."""
        judge = self.judge(config)
        if judge is None:
            say(f"evaluate: no {self.solution[0]} in {config.tables_folder}, so there is nothing to score against")
            return None
        return score_prefixes(config, judge, self.chains)

    def chains(self, chain: Chain) -> tuple[Chain, ...]:
        """The chains that `chain` is run as: itself, unless the protocol needs several."""
        return (chain,)

    def junk(self, tables_folder: Path, query_ids: np.ndarray, index_ids: np.ndarray) -> Callable[[str], list[np.ndarray]] | None:
        """Difficulty -> for each query the index rows that the protocol leaves out; None where it leaves out none."""
        return None

    def score_file(self, config: Config, path: Path) -> None:
        """Validate a submission file and print its score. Raises UserError where the protocol has no such files."""
        raise UserError(
            f"a submission is scored by the protocol retrieval or recognition, not {config.protocol}",
            where="evaluate.submission",
            next="leave evaluate.submission out, or evaluate.protocol=retrieval",
        )

    def show(self, results: dict[str, Any]) -> None:
        """Print the content of metrics.json as a table."""
        print_protocol(results)


def protocol_named(name: str) -> Protocol:
    """The protocol of a name that the configuration has checked."""
    return class_in(f"landmarks.protocols.{name}", Protocol)()
