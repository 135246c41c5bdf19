import pytest
import torch

from landmarks.models.multi_scale import describe, shrink
from landmarks.ops.sides import Sides


def mean_colour(images):
    """A model with 3 dimensions and rows of any length."""
    return images.float().mean(dim=(2, 3)) + torch.tensor([float(images.shape[3]), 0, 0])


def test_each_scale_counts_the_same():
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    images[:, 1] = 64
    # At scale 1: (64, 64, 0), at 1/2: (32, 64, 0). Of length 1 each: (1, 1)/sqrt(2) and (1, 2)/sqrt(5).
    expected = torch.tensor([[2**-0.5 + 5**-0.5, 2**-0.5 + 2 * 5**-0.5, 0]])
    torch.testing.assert_close(describe(mean_colour, images, (1.0, 2.0)), expected / expected.norm())
    torch.testing.assert_close(describe(mean_colour, images, (0.7,)), torch.tensor([[2**-0.5, 2**-0.5, 0]]))


def test_descriptors_have_length_one_and_the_order_of_scales_does_not_matter():
    images = torch.randint(0, 256, (5, 3, 96, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    result = describe(mean_colour, images, (0.5, 0.75, 1.0))
    torch.testing.assert_close(result.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(describe(mean_colour, images, (1.0, 0.5, 0.75)), result)


@pytest.mark.parametrize("factor, size", [(1.0, (96, 64)), (0.75, (72, 48)), (0.7071, (68, 45)), (0.001, (1, 1))])
def test_shrinking(factor, size):
    images = torch.full((2, 3, 96, 64), 77, dtype=torch.uint8)
    small = shrink(images, factor)
    assert small.shape == (2, 3, *size) and small.dtype == torch.uint8 and (small == 77).all()


def test_shrinking_does_not_alias():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 200
    inner = shrink(stripes, 0.25)[..., 1:-1].float()
    assert (inner - 100).abs().max() <= 2  # without antialiasing all would be 0 or 200


def test_shrinking_keeps_channels_last():
    images = torch.zeros(2, 64, 64, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    assert shrink(images, 0.5).is_contiguous(memory_format=torch.channels_last)


def test_every_size_is_one_that_the_model_takes():
    sizes = []

    def model(images):
        sizes.append(tuple(images.shape[2:]))
        return mean_colour(images)

    describe(model, torch.zeros(1, 3, 100, 67, dtype=torch.uint8), (0.5, 1.0), Sides(14, 42))
    assert sizes == [(56, 42), (98, 70)]
