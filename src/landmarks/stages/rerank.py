"""rerank: the chain of steps, every prefix of it kept as a ranking of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from landmarks.config import Config
from landmarks.progress import say
from landmarks.rerank.chain import chain_artefacts, make_chain, open_context, require_disk


def rerank(config: Config) -> Path:
    """Make rankings/<prefix> for every prefix of the chain from rankings/knn; returns the last."""
    if not config.rerank:
        say("rerank: the chain is empty, knn is the result")
    elif all(artefact.is_complete() for artefact in chain_artefacts(config, config.rerank)):
        say("rerank: up to date")
    else:
        require_disk(config, [config.rerank])
    return make_chain(config, config.rerank, cache(lambda: open_context(config)))
