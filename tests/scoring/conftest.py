"""Rankings of a chain as far as an evaluation looks at them: manifests without arrays."""

import pytest

from landmarks.config import chain_names, load_config
from landmarks.search.rankings import ranking_settings
from landmarks.store.artefact import Artefact


@pytest.fixture
def ranked(tmp_path):
    """ranked(config, seconds, chain): finish the rankings of every prefix of the chain, which took these seconds each."""

    def finish(config, seconds, chain=None):
        chain = config.rerank if chain is None else chain
        knn = {}
        for steps, (name, took) in enumerate(zip(chain_names(chain), seconds, strict=True)):
            artefact = Artefact(config.run.folder / "rankings" / name, "rerank", ranking_settings(config, chain[:steps]), knn)
            artefact.begin()
            artefact.finish(step_seconds=took, peak_megabytes=1.0)
            knn = knn or {"knn": artefact.fingerprint}

    return finish


@pytest.fixture
def settings(tmp_path):
    """settings(*overrides): a configuration whose run folder is tmp_path/run."""
    return lambda *overrides: load_config(None, [f"run.folder={tmp_path / 'run'}", "dataset.folder=/data", *overrides])
