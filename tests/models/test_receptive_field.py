import pytest
import timm
import torch
from torch import nn

from landmarks.errors import UserError
from landmarks.models.backbone import create_backbone
from landmarks.models.field import ReceptiveField
from landmarks.models.receptive_field import receptive_fields
from landmarks.models.shallow_map import ShallowMap


def reach(network, width=64):
    """Twin: of each column of the map, the first and last column of the image that reaches it, by sending NaN through."""
    network = network.double().eval()
    seen = {}
    with torch.inference_mode():
        for column in range(width):
            image = torch.zeros(1, 3, 16, width, dtype=torch.float64)
            image[..., column] = torch.nan
            for position in network(image).isnan().any(dim=(0, 1, 2)).nonzero().flatten().tolist():
                first, _ = seen.get(position, (column, column))
                seen[position] = (first, column)
    return seen


class Joined(nn.Module):
    """Two ways of different reach that are added, as in a residual block."""

    def __init__(self):
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, 1, 2, dilation=2))
        self.short = nn.Conv2d(3, 4, 1, 2)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())

    def forward(self, image):
        joined = self.long(image) + self.short(image)
        return joined * self.gate(joined).nan_to_num()


class Split(nn.Module):
    """Half of the channels go through a convolution, as in Res2Net."""

    def __init__(self):
        super().__init__()
        self.stem, self.window = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(2, 2, 5, 1, 2)

    def forward(self, image):
        first, second = self.stem(image).chunk(2, dim=1)
        return torch.cat([first, self.window(second)], dim=1)


class Radix(nn.Module):
    """Two groups of channels, weighted by what is in the whole image and added, as in ResNeSt."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 8, 7, 2, 3), nn.Conv2d(4, 8, 1)

    def forward(self, image):
        groups = self.conv(image)
        groups = groups.reshape(len(image), 2, 4, *groups.shape[2:])
        weights = self.gate(groups.sum(dim=1).mean((2, 3), keepdim=True)).reshape(len(image), 2, 4, 1, 1).softmax(dim=1)
        return (groups * weights.nan_to_num(1.0)).sum(dim=1)


class Last(nn.Module):
    """Channels last, and a window of its own reached by slices."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(12, 4), nn.LayerNorm(4)
        self.conv = nn.Conv2d(4, 4, 3, 1, 1)

    def forward(self, image):
        quarters = [image[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
        map = torch.cat(quarters, dim=1).permute(0, 2, 3, 1)
        return self.conv(self.norm(self.linear(map)).permute(0, 3, 1, 2))


class Tokens(nn.Module):
    """Positions in one dimension and back; with attention, which the sum leads around."""

    def __init__(self, attends):
        super().__init__()
        self.attends = attends
        self.conv, self.linear, self.last = nn.Conv2d(3, 4, 5, 2, 2), nn.Linear(4, 4), nn.Conv2d(4, 4, 3, 2, 1)

    def forward(self, image):
        map = self.conv(image)
        tokens = self.linear(map.flatten(2).transpose(1, 2))
        if self.attends:
            tokens = tokens + (tokens @ tokens.transpose(1, 2)).softmax(dim=-1) @ tokens
        return self.last(tokens.transpose(1, 2).reshape(map.shape))


NETWORKS = {
    "split": Split(),
    "radix": Radix(),
    "last": Last(),
    "tokens": Tokens(attends=False),
    "chain": nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 5, 1, 2)),
    "average": nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3, 2)),
    "joined": Joined(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_what_nan_reaches(name):
    network = NETWORKS[name]
    field = receptive_fields(network.float(), network, 16, 64)[1]
    seen = reach(network)
    starts = {position: field.stride * position - field.padding for position in seen}
    inside = {position: start for position, start in starts.items() if start >= 0 and start + field.size <= 64}
    assert len(inside) > 5
    for position, start in inside.items():
        assert seen[position] == (start, start + field.size - 1)


@pytest.mark.parametrize("width", [64, 61, 50])
def test_same_padding_falls_as_the_size_of_the_image_says(width):
    """TensorFlow pads more on the right, by an amount that depends on the size."""
    network = create_backbone("tf_efficientnet_lite0", pretrained=False).network
    network = nn.Sequential(network.conv_stem, network.bn1, network.blocks[:2])  # to stride 4: small enough for the twin
    field = receptive_fields(network, network, 16, width)[1]
    seen = reach(network, width)
    for position, (first, last) in seen.items():
        start = field.stride * position - field.padding
        assert (first, last) == (max(0, start), min(width - 1, start + field.size - 1))


def stride_in_front(network):
    """A ResNet as first published: the stride of a block in its first convolution, not in its 3x3 one as timm has it."""
    for module in network.modules():
        if isinstance(module, timm.models.resnet.Bottleneck) and module.conv2.stride == (2, 2):
            module.conv1.stride, module.conv2.stride = (2, 2), (1, 1)


@pytest.mark.parametrize("size", [(256, 320), (500, 333)])
def test_conv4_of_resnet50_as_published(size):
    backbone = create_backbone("resnet50", pretrained=False)
    assert ShallowMap(backbone).fields(*size) == (ReceptiveField(267, 16, 133),) * 2
    stride_in_front(backbone.network)
    assert ShallowMap(backbone).fields(*size) == (ReceptiveField(291, 16, 145),) * 2


def test_the_centre_by_hand():
    torch.testing.assert_close(ReceptiveField(291, 16, 145).centre(torch.tensor([0.0, 1.0, 2.5])), torch.tensor([0.0, 16.0, 40.0]))
    # Two windows of 3 with stride 2 and one pixel of padding at the far end only: 1 to the right, and again 2.
    field = ReceptiveField(1, 1, 0).through(3, 2, 0, 1).through(3, 2, 0, 1)
    assert field == ReceptiveField(7, 4, 0) and field.centre(torch.tensor(1)) == 7


def test_what_cannot_be_followed_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2))
    with pytest.raises(ValueError, match="upsample_nearest2d"):
        receptive_fields(network, network, 16, 16)


def test_positions_split_into_other_dimensions_are_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.PixelUnshuffle(2))
    with pytest.raises(ValueError, match="cannot be followed"):
        receptive_fields(network, network, 16, 16)


def test_attention_is_left_out_where_a_sum_leads_around_it():
    with_attention, without = Tokens(attends=True), Tokens(attends=False)
    assert receptive_fields(with_attention, with_attention, 16, 16) == receptive_fields(without, without, 16, 16)


@pytest.mark.parametrize("name", ["test_vit", "test_vit2", "test_vit_relpos", "vit_tiny_patch16_224"])
def test_a_transformers_features_lie_at_their_patches(name):
    backbone = create_backbone(name, pretrained=False)
    assert ShallowMap(backbone).fields(160, 96) == (ReceptiveField(16, 16, 0),) * 2
    torch.testing.assert_close(ReceptiveField(16, 16, 0).centre(torch.tensor([0.0, 1.0])), torch.tensor([7.5, 23.5]))


@pytest.mark.parametrize(
    "name, field",
    [
        ("resnest14d", ReceptiveField(71, 16, 35)),  # 7x7 stem of 3 convolutions, 3 blocks of stride 2, each symmetrical
        ("test_coatnet", None),
        ("test_maxvit", None),
        ("test_mambaout", None),
    ],
)
def test_fields_of_architectures(name, field):
    found = ShallowMap(create_backbone(name, pretrained=False)).fields(160, 96)[0]
    assert found.stride == 16 and found == (field or found)


def test_an_architecture_that_cannot_be_followed_is_named():
    with pytest.raises(UserError, match="no place in the picture"):
        ShallowMap(create_backbone("tresnet_m", pretrained=False))


def test_inside_inference_mode_and_autocast():
    network = NETWORKS["chain"].float()
    expected = receptive_fields(network, network, 32, 32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert receptive_fields(network, network, 32, 32) == expected
