"""Ordinary houses, around landmarks and in street photos. Traits -> (faces, skins)."""

from __future__ import annotations

from .facade import bare, facade, roof
from .sacred import Parts
from .solids import gable, loft, prism, rectangle
from .traits import Traits


def house(traits: Traits) -> Parts:
    """One house or block of flats, its front at y = -depth / 2."""
    width, depth, eaves = traits.number("house width", 8, 22), traits.number("house depth", 8, 14), traits.number("house eaves", 5, 19)
    skins = {
        "front": facade(traits, "front", width, eaves, entrance=True, arcade=traits.chance("shops", 0.4)),
        "side": facade(traits, "side", depth, eaves, blank=True),
        "roof": roof(traits),
        "stone": bare(traits, "stone", 6, 4),
    }
    outline = rectangle(width, depth)
    faces = prism(outline, 0, eaves, ("front", "side", "front", "side"), "stone")
    kind = traits.pick("house roof", ("gable", "gable", "hip", "flat"))
    if kind == "gable":
        faces += gable(outline, eaves, eaves + width * traits.number("house pitch", 0.25, 0.6), "roof", "stone")
    elif kind == "hip":
        faces += loft(outline, eaves, outline * 0.3, eaves + traits.number("hip", 2, 5), "roof")
    if traits.chance("chimney", 0.5):
        faces += prism(rectangle(1.0, 1.0, (width * 0.3, 0)), eaves, eaves + traits.number("chimney height", 2, 5), "stone", "stone")
    return faces, skins
