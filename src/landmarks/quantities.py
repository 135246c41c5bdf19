"""Formats quantities for messages."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_seconds(seconds: float) -> str:
    """A duration in the largest unit of which it holds two: "41 s", "12 min", "5.2 h"."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 119.5 * 60 else f"{seconds / 3600:.1f} h"


def format_bytes(count: float) -> str:
    """A number of bytes to three digits in the largest unit of which it holds one: "41 kB", "3.2 MB", "617 GB"; kB are 1000 B."""
    power = next((power for power in range(len(_UNITS)) if abs(count) < 999.5 * 1000**power), len(_UNITS) - 1)
    value = count / 1000**power
    return f"{value:.0f} {_UNITS[power]}" if power == 0 or abs(value) >= 99.95 else f"{value:.3g} {_UNITS[power]}"
