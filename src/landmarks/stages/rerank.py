"""rerank: the chain of steps, every prefix of it kept as a ranking of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from landmarks.config import Config
from landmarks.progress import say
from landmarks.rerank.chain import make_chain, open_context, require_disk
from landmarks.scoring.protocol import protocol_named
from landmarks.search.rankings import chain_artefacts


def rerank(config: Config) -> Path:
    """Make rankings/<prefix> for every prefix of the chain from rankings/knn; returns the last.

    On Revisited Oxford and Paris a chain that verifies is run for each difficulty, without that one's junk.
    """
    chains = protocol_named(config.protocol).chains(config.rerank)
    if not config.rerank:
        say("rerank: the chain is empty, knn is the result")
    elif all(artefact.is_complete() for chain in chains for artefact in chain_artefacts(config, chain)):
        say("rerank: up to date")
    else:
        require_disk(config, chains)
    context = cache(lambda: open_context(config))
    return [make_chain(config, chain, context) for chain in chains][-1]
