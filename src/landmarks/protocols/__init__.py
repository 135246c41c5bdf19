"""The protocols by which rankings are scored: one file each, named as a configuration names it, with one Protocol in it."""
