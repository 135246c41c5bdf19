"""Chains compared: which, against which, and what comes of it."""
