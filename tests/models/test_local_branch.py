import torch
import torch.nn.functional as F

from landmarks.config import LocalSettings
from landmarks.models.local_branch import LocalBranch, LocalMaps, attend

SETTINGS = LocalSettings(dimensions=8, attention_channels=12)


def test_shapes_and_ranges():
    maps = LocalBranch(6, SETTINGS).eval()(torch.rand(2, 6, 5, 4))
    assert maps.codes.shape == (2, 8, 5, 4) and maps.reconstruction.shape == (2, 6, 5, 4) and maps.attention.shape == (2, 1, 5, 4)
    assert (maps.reconstruction >= 0).all() and (maps.attention > 0).all()


def test_the_attention_reads_the_reconstruction_and_nothing_else():
    torch.manual_seed(0)
    branch, map = LocalBranch(6, SETTINGS).eval(), torch.rand(1, 6, 5, 5)
    maps = branch(map)
    assert torch.equal(maps.codes, F.conv2d(map, branch.encoder.weight, branch.encoder.bias))  # no activation
    expected = F.softplus(branch.attention(F.relu(branch.decoder(maps.codes))))
    assert torch.equal(maps.attention, expected)


def test_pooling_by_attention_by_hand():
    reconstruction = torch.tensor([[[[3.0, 0.0]], [[4.0, 2.0]]]])  # positions (3, 4) and (0, 2): directions (.6, .8) and (0, 1)
    maps = LocalMaps(torch.zeros(0), reconstruction, torch.tensor([[[[10.0, 1.0]]]]))
    torch.testing.assert_close(attend(maps), torch.tensor([[3.0, 4.5]]))  # (6, 8) and (0, 1), halved


def test_the_threshold_follows_the_median_during_training_only():
    torch.manual_seed(0)
    branch, maps = LocalBranch(6, SETTINGS), torch.rand(5, 4, 6, 7, 7)
    expected = None
    for map in maps:
        median = branch.train()(map).attention.median().detach()
        expected = median if expected is None else 0.9 * expected + 0.1 * median
        torch.testing.assert_close(branch.threshold, expected)
        branch.eval()(map)
        torch.testing.assert_close(branch.threshold, expected)


def test_everything_is_float32_inside_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        maps = LocalBranch(6, SETTINGS).train()(torch.rand(2, 6, 5, 4))
    assert maps.attention.dtype == torch.float32 and maps.codes.dtype == torch.float32
