"""A fictional town whose landmarks can be photographed from everywhere: the built-in sample dataset, rendered from a seed."""

from .plan import Shot, plan_world
from .render import render_shot

__all__ = ["Shot", "plan_world", "render_shot"]
