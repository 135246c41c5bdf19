"""The re-ranking steps: one file each, named as a chain names it, with one subclass of landmarks.config.Step in it.

What is heavy to import (ops, models) is imported in `apply`: a configuration that names a step loads its settings only.
"""
