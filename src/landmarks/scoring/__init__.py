"""Scoring: what any protocol does with rankings (protocol.py), their numbers (evaluation.py), and how they are recorded."""
