import pytest
import torch

from landmarks.config import ModelSettings, TrainSettings
from landmarks.training.learner import create_learner
from landmarks.training.optimizer import create_optimizer, load_state_tensors, set_learning_rate, state_tensors
from landmarks.training.resume import read_resume, write_resume

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)


def make(**settings):
    settings = TrainSettings(head_learning_rate_factor=10.0, weight_decay=0.5, **settings)
    learner = create_learner("a", MODEL, settings, classes=4).to(memory_format=torch.channels_last)
    return learner, create_optimizer(learner, settings)


def step(learner, optimizer):
    learner.train()
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    learner(images, torch.arange(4))["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()


def test_every_parameter_is_in_the_group_of_its_kind():
    learner, optimizer = make()
    set_learning_rate(optimizer, 0.25)
    found = {id(parameter): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for parameter in group["params"]}
    expected = {
        "model.backbone.network.conv_stem.weight": (0.25, 0.5),
        "model.backbone.network.bn1.weight": (0.25, 0.0),
        "model.pooling.power": (2.5, 0.0),
        "model.head.0.weight": (2.5, 0.5),
        "model.head.0.bias": (2.5, 0.0),
        "model.head.1.weight": (2.5, 0.0),
        "classifier.weight": (2.5, 0.5),
    }
    parameters = dict(learner.named_parameters())
    assert {name: found[id(parameters[name])] for name in expected} == expected
    assert len(found) == len(parameters)


@pytest.mark.parametrize("optimizer_name", ["sgd", "adamw"])
def test_the_next_step_after_a_checkpoint_is_the_same(optimizer_name, tmp_path):
    learner, optimizer = make(optimizer=optimizer_name)
    step(learner, optimizer)
    write_resume(tmp_path, 1, learner, optimizer)
    other, other_optimizer = make(optimizer=optimizer_name, seed=9)
    assert read_resume(tmp_path, other, other_optimizer) == 1
    step(learner, optimizer)
    step(other, other_optimizer)
    for (name, one), two in zip(learner.state_dict().items(), other.state_dict().values()):
        assert torch.equal(one, two), name


def test_state_tensors_are_named_after_their_parameters():
    learner, optimizer = make()
    assert state_tensors(optimizer, learner) == {}
    step(learner, optimizer)
    tensors = state_tensors(optimizer, learner)
    assert tensors["optimizer/momentum_buffer/classifier.weight"].shape == (4, 8)
    load_state_tensors(optimizer, learner, {"classifier.weight": torch.zeros(4, 8)})  # not the optimizer's: ignored
    assert tensors["optimizer/momentum_buffer/classifier.weight"].any()


def rates(backbone, **settings):
    """Parameter name -> (rate, weight decay) at a scheduled rate of 1."""
    settings = TrainSettings(weight_decay=0.5, head_learning_rate_factor=3.0, **settings)
    model = ModelSettings(backbone=backbone, pretrained=False, dimensions=8)
    learner = create_learner("a", model, settings, classes=4)
    optimizer = create_optimizer(learner, settings)
    set_learning_rate(optimizer, 1.0)
    found = {id(parameter): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for parameter in group["params"]}
    return {name: found[id(parameter)] for name, parameter in learner.named_parameters()}


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext", "test_resnet"])
def test_layer_decay_gives_the_rates_of_timms_own(backbone):
    import timm
    from timm.optim import param_groups_layer_decay

    ours = rates(backbone, layer_decay=0.5)
    network = timm.create_model(backbone)  # with its classifier, which is the layer above the last of the backbone
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    theirs = {
        names[id(parameter)]: group["lr_scale"]
        for group in param_groups_layer_decay(network, layer_decay=0.5)
        for parameter in group["params"]
    }
    seen = {name.removeprefix("model.backbone.network."): rate for name, (rate, _) in ours.items() if ".network." in name}
    assert seen == pytest.approx({name: theirs[name] for name in seen}) and len(set(seen.values())) > 3
    assert ours["classifier.weight"] == ours["model.head.0.weight"] == (3.0, 0.5)


def test_layers_follow_the_order_of_the_parts_where_timm_names_none(monkeypatch):
    import timm.models.resnet

    monkeypatch.delattr(timm.models.resnet.ResNet, "group_matcher")
    ours = rates("test_resnet", layer_decay=0.5)
    found = [
        ours[f"model.backbone.network.{part}"][0] for part in ("layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer4.0.conv1.weight")
    ]
    assert found[1] == 2 * found[0] and found[2] == 4 * found[1]
