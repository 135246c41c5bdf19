"""A run folder from Python."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import configured_by, next_command
from landmarks.config import Config, chain_names, load_config
from landmarks.config.read_yaml import RUN_FILE
from landmarks.data.extract_set import AnyImage, as_picture
from landmarks.errors import UserError
from landmarks.extraction.describe import describe_pictures
from landmarks.extraction.jobs import decoded_side
from landmarks.extraction.processor import choose_processor, open_model
from landmarks.ops.vectors import ensemble
from landmarks.ranking import Ranking
from landmarks.rerank.resolve import with_chosen_steps
from landmarks.search.current import require_current_search
from landmarks.search.descriptor_source import DescriptorSource
from landmarks.search.rankings import read_chain_ranking, read_ranking
from landmarks.search.spaces import read_base_split, search, search_on_gpu
from landmarks.store.json_files import read_object
from landmarks.store.tables import read_tables


def open_run(folder: Path | str, *, allow_code: bool = False) -> Run:
    """The run in a folder that the command line has made.

    allow_code  whether steps from outside the package that its configuration names are imported: that runs their code
    Raises UserError where no run is.
    """
    folder = Path(folder)
    if not (folder / RUN_FILE).is_file():
        raise UserError(
            f"no {RUN_FILE}: no run was made here, or by an earlier version", where=folder, next="a run folder, such as outputs/sample"
        )
    return Run(folder, load_config(folder / RUN_FILE, [f"run.folder={folder}"], allow_code=allow_code))


class Run:
    """A run folder: what it was made with, what came out, and the use of its models.

    folder  where it is
    config  its configuration
    """

    def __init__(self, folder: Path, config: Config):
        self.folder, self.config = folder, config

    def __repr__(self) -> str:
        models = ", ".join(f"{name} ({model.backbone})" for name, model in self.config.models.items()) or "none: descriptors as given"
        made = ", ".join(self.rankings) or "none"
        lines = [f"Run in {self.folder}", f"  dataset   {self.config.dataset.folder}", f"  models    {models}", f"  rankings  {made}"]
        return "\n".join(lines)

    @property
    def rankings(self) -> list[str]:
        """The names of the rankings that are there, shortest chain first."""
        found = [path.parent.name for path in (self.folder / "rankings").glob("*/manifest.json")]
        return sorted(found, key=lambda name: (name != "knn", name.count("+"), name))

    @property
    def scores(self) -> pd.DataFrame:
        """A row a chain, a column a number, as `evaluate` wrote them: percent. Raises UserError where nothing was evaluated."""
        path = self.folder / "metrics.json"
        if not path.is_file():
            with configured_by([str(self.folder)]):
                raise UserError("not evaluated yet", where=path, next=next_command("evaluate"))
        with configured_by([str(self.folder)]):
            again = next_command("evaluate")
        chains = read_object(path, "what `evaluate` writes", {"chains": dict}, next=again)["chains"]
        if not all(isinstance(row, dict) and "fingerprint" in row for row in chains.values()):
            raise UserError("not what `evaluate` writes: a chain without numbers", where=path, next=again)
        return pd.DataFrame.from_dict(chains, orient="index").drop(columns="fingerprint").rename_axis("chain")

    def ranking(self, name: str | None = None) -> Ranking:
        """A ranking by the name of its chain, such as "knn" or "sort+insert"; unset: that of the run's whole chain.

        Raises UserError, with those that are there, for one that is not; and for one of the run's chain that was made with other
        settings, or from other tables or descriptors than those in use.
        """
        config, fixed = self.config, list(takewhile(lambda step: not step.chooses, self.config.rerank))
        if name not in chain_names(tuple(fixed)):
            with configured_by([str(self.folder)]):
                config = with_chosen_steps(config, makes=False)
        name = chain_names(config.rerank)[-1] if name is None else name
        if name not in self.rankings:
            with configured_by([str(self.folder)]):
                there = f"there are {', '.join(self.rankings)}" if self.rankings else "there is none"
                raise UserError(f"no ranking '{name}': {there}", where=self.folder, next=next_command("rerank"))
        with configured_by([str(self.folder)]):
            for steps, prefix in enumerate(chain_names(config.rerank)):
                if name == prefix:
                    return read_chain_ranking(config, config.rerank[:steps])
        return read_ranking(self.folder / "rankings" / name)

    def describe(self, images: AnyImage | Iterable[AnyImage], *, whitened: bool = True) -> np.ndarray:
        """Descriptors of pictures by the run's models, ensembled: (n, d) float32, of length one.

        images    paths, PIL images, or arrays (height, width, 3): uint8, or floating point from 0 to 1; one or several
        whitened  as they are searched; False: as they were before whitening

        Raises UserError for a picture that cannot be read, and where the run has no models.
        """
        if not self.config.models:
            raise UserError("the run has no models: its descriptors were given", where=self.folder, next="a run of photos")
        several = [images] if isinstance(images, str | Path | np.ndarray) or not isinstance(images, Iterable) else list(images)
        settings = self.config.extract
        side, limit = decoded_side(settings, descriptors=True, local=False), self.config.dataset.max_pixels
        parts = []
        for model in self._models:
            pictures = [as_picture(image, side, limit, model.sides) for image in several]
            parts.append(describe_pictures(pictures, model, settings.scales, self._processor, settings.batch_size))
        kept = [part.astype(np.float16) for part in parts]  # as precise as extracted ones are
        matrix = ensemble(kept, [model.weight for model in self.config.models.values()])
        return np.asarray(self._source.as_searched(matrix)) if whitened else matrix

    def search(self, images: AnyImage | Iterable[AnyImage], neighbours: int = 10) -> Ranking:
        """The index images nearest to pictures, before any re-ranking; the queries are called "0", "1", ..."""
        with configured_by([str(self.folder)]):
            require_current_search(self.config, train=False)
        vectors, ids = read_base_split(self.folder / "space", "index")
        queries = self.describe(images)
        use_gpu = search_on_gpu(self.config.run.device)[0]
        indices, scores = search(queries, vectors, min(neighbours, len(vectors)), "search", use_gpu)
        return Ranking(np.arange(len(queries)).astype(str).astype(object), ids, indices, scores)

    @cached_property
    def _processor(self) -> Any:
        return choose_processor(self.config.run.device, self.config.extract.precision)

    @cached_property
    def _models(self) -> list[Any]:
        return [open_model(self.folder / "models" / name, self._processor, self.config.extract.gem_power) for name in self.config.models]

    @cached_property
    def _source(self) -> DescriptorSource:
        return DescriptorSource(self.config, read_tables(self.config.tables_folder, self.config.dataset.train_table))
