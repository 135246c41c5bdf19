"""Datasets as their authors distribute them: tables, ground truths, submissions and where the pictures are."""
