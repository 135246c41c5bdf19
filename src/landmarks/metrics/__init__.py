"""Measures of rankings, on arrays."""
