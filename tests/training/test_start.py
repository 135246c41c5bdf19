import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.models.checkpoint import save_model
from landmarks.training.kept_classifier import CLASSIFIER, save_classifier
from landmarks.training.learner import create_learner
from landmarks.training.start import start_from

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)
DELG = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=8, local={"dimensions": 8, "attention_channels": 12})


def make(ids, name="a", model=MODEL, **settings):
    return create_learner(name, model, TrainSettings(**settings), classes=len(ids))


def finished(folder, ids, model=MODEL, **settings):
    """The folder of a trained model that kept its classifier, and its learner."""
    learner = make(ids, "other", model, **settings)
    save_model(folder, learner.model, model)
    save_classifier(folder, learner, np.array(ids))
    return learner


@pytest.mark.parametrize("centres", [1, 3])
@pytest.mark.parametrize("model", [MODEL, DELG], ids=["global", "delg"])
def test_weights_and_the_classes_of_the_same_landmarks_are_taken(tmp_path, model, centres):
    other = finished(tmp_path, [5, 7, 9], model, centres=centres, learn_scale=True, scale=12.0)
    ids = np.array([2, 9, 5, 30])
    learner, untouched = (make(ids, model=model, centres=centres, learn_scale=True) for _ in range(2))
    message = start_from(learner, tmp_path, ids)
    assert message.endswith("; the classes of 2 of 4 landmarks")
    for (name, one), two in zip(learner.model.state_dict().items(), other.model.state_dict().values()):
        assert torch.equal(one, two), name
    assert learner.classifier.scale == 12
    for part in ("classifier", *(["attention_classifier"] if model is DELG else [])):
        mine, theirs, before = (getattr(one, part).weight.view(n, -1) for one, n in ((learner, 4), (other, 3), (untouched, 4)))
        assert torch.equal(mine[1], theirs[2]) and torch.equal(mine[2], theirs[0])
        assert torch.equal(mine[[0, 3]], before[[0, 3]])


def test_another_head_and_other_centres_start_anew(tmp_path):
    finished(tmp_path, [1, 2])
    wide = make([1, 2], model=MODEL.model_copy(update={"dimensions": 16}))
    before = wide.model.head[0].weight.clone()
    message = start_from(wide, tmp_path, np.array([1, 2]))
    assert "head.0.weight, head.0.bias, head.1.weight and others from the start" in message and "all classes from the start" in message
    assert torch.equal(wide.model.head[0].weight, before)
    assert "all classes from the start" in start_from(make([1, 2], centres=2), tmp_path, np.array([1, 2]))


def test_a_model_without_its_classifier_says_how_to_keep_it(tmp_path):
    finished(tmp_path, [1, 2])
    (tmp_path / CLASSIFIER).unlink()
    assert "all classes from the start (train.keep_classifier=true keeps them)" in start_from(make([1, 2]), tmp_path, np.array([1, 2]))


def test_a_file_of_timms_names_gives_the_backbone(tmp_path):
    network = make([1], "other").model.backbone.network
    save_file(network.state_dict() | {"classifier.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    learner = make([1, 2])
    start_from(learner, tmp_path / "w.safetensors", np.array([1, 2]))
    for (name, one), two in zip(learner.model.backbone.network.state_dict().items(), network.state_dict().values()):
        assert torch.equal(one, two), name


def test_what_does_not_fit_is_refused(tmp_path):
    finished(tmp_path, [1, 2])
    with pytest.raises(UserError, match=r"(?s)\d+ tensors of the backbone do not fit; \S+ is .*models.NAME.backbone"):
        start_from(make([1, 2], model=MODEL.model_copy(update={"backbone": "test_resnet"})), tmp_path, np.array([1, 2]))
    with pytest.raises(UserError, match="missing file"):
        start_from(make([1, 2]), tmp_path / "nothing", np.array([1, 2]))
    for file, message in (("model.safetensors", "nothing is unpickled"), (CLASSIFIER, "not a classifier")):
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(b"\x80\x04 pickled")
        with pytest.raises(UserError, match=message):
            start_from(make([1, 2]), tmp_path, np.array([1, 2]))
        (tmp_path / file).write_bytes(whole)
