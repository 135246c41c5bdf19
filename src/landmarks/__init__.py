"""Landmark retrieval: a photo comes in, the hundred photos of the same landmark come out, best first."""

__version__ = "0.1.0"
