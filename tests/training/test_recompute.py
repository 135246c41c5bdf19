import pytest
import torch

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.training.learner import create_learner
from landmarks.training.recompute import statistics_kept

IMAGES = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
COUNT = "num_batches_tracked"


def step(backbone, recomputed, **branch):
    """The learner after a forward and a backward pass, without and with gradient checkpointing."""
    model = ModelSettings(backbone=backbone, pretrained=False, dimensions=8, **branch)
    learner = create_learner("a", model, TrainSettings(gradient_checkpointing=recomputed, drop_path_rate=0.2), classes=4).train()
    torch.manual_seed(1)
    loss = learner(IMAGES, torch.arange(4))["loss"]
    with statistics_kept(learner):
        loss.backward()
    return learner


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext"])
def test_gradients_and_statistics_are_those_without_checkpointing(backbone):
    plain, recomputed = step(backbone, False), step(backbone, True)
    for (name, one), two in zip(plain.named_parameters(), recomputed.parameters()):
        assert torch.equal(one.grad, two.grad), name
    for name, buffer in plain.named_buffers():
        assert name.endswith(COUNT) or torch.equal(buffer, dict(recomputed.named_buffers())[name]), name


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet"])
@pytest.mark.parametrize("branch", [{"local": {}}, {"dolg": {"channels": 8}}], ids=["local", "dolg"])
def test_a_map_from_the_middle_is_there_too(backbone, branch):
    """timm then calls the blocks of a layer one by one, and not the layer that the map is taken from."""
    plain, recomputed = step(backbone, False, **branch), step(backbone, True, **branch)
    for (name, one), two in zip(plain.named_parameters(), recomputed.parameters()):
        assert torch.equal(one.grad, two.grad), name


def test_activations_are_computed_again_and_would_count_twice():
    """Else the test above would show nothing."""
    counts = [dict(step("test_efficientnet", recomputed).named_buffers()) for recomputed in (False, True)]
    name = next(name for name in counts[0] if "blocks" in name and name.endswith(COUNT))
    assert [int(count[name]) for count in counts] == [1, 2]


def test_momentum_comes_back():
    norm = torch.nn.BatchNorm1d(2, momentum=0.25)
    with statistics_kept(norm):
        norm(torch.randn(4, 2))
    assert norm.momentum == 0.25 and not norm.running_mean.any()


def test_an_architecture_without_it_is_refused():
    model = ModelSettings(backbone="dla34", pretrained=False, dimensions=8)
    with pytest.raises(UserError, match="(?s)no gradient checkpointing.*train.gradient_checkpointing=false"):
        create_learner("a", model, TrainSettings(gradient_checkpointing=True), classes=4)
