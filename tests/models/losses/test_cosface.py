import torch

from landmarks.models.losses.cosface import CosFace


def test_the_margin_is_taken_from_the_cosine():
    margins = torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    moved = CosFace(6, 5, 0.3, 30.0).with_margin(torch.tensor([[0.5], [-0.5]]), margins)
    torch.testing.assert_close(moved, torch.tensor([[0.4], [-0.8]]))
