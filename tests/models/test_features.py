import torch

from landmarks.models.features import Layout, find_layout
from landmarks.ops.sides import Size

A, B, ODD = Size(96, 160), Size(160, 128), Size(48, 80)


def test_maps_of_both_orders_are_found():
    assert find_layout({A: (1, 7, 6, 10), B: (1, 7, 10, 8)}) == Layout(2, 16)
    assert find_layout({A: (1, 3, 5, 5), B: (1, 5, 4, 5)}) == Layout(1, 32)


def test_tokens_are_told_from_what_precedes_them():
    assert find_layout({A: (1, 65, 8), B: (1, 85, 8), ODD: (1, 20, 8)}, True) == Layout(0, 16, 5, True)
    assert find_layout({A: (1, 60, 8), B: (1, 80, 8), ODD: (1, 15, 8)}, True) == Layout(0, 16, 0, False)


def test_one_vector_is_no_map():
    assert find_layout({A: (1, 8), B: (1, 8)}) is None
    assert find_layout({A: (1, 1, 8), B: (1, 1, 8)}) is None


def test_each_arrangement_of_one_map_gives_it():
    map = torch.rand(2, 5, 3, 4)
    size = Size(48, 64)
    tokens = torch.cat([torch.arange(20.0).reshape(2, 2, 5), map.flatten(2).transpose(1, 2)], dim=1)
    assert torch.equal(Layout(2, 16).features(map, size).map, map)
    assert torch.equal(Layout(1, 16).features(map.permute(0, 2, 3, 1), size).map, map)
    found = Layout(0, 16, 2, True).features(tokens, size)
    assert torch.equal(found.map, map) and torch.equal(found.class_token, tokens[:, 0])
