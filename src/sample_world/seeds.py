"""Random generators named by words: the same words give the same numbers in any process, in any order."""

from __future__ import annotations

import hashlib

import numpy as np


def digest_number(*words: object) -> int:
    """A 128-bit integer digest of the words (joined by "/"). Python's hash() differs between processes, so it is not used."""
    text = "/".join(str(word) for word in words)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def generator(*words: object) -> np.random.Generator:
    """A numpy Generator seeded by the words alone."""
    return np.random.Generator(np.random.PCG64(digest_number(*words)))
