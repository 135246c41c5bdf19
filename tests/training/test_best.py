import torch
from torch import nn

from landmarks.training.best import BEST, BestWeights


def test_the_highest_score_is_kept_over_restarts(tmp_path):
    module = nn.Linear(2, 2)
    kept = {}
    for step, score, is_best in ((1, 0.5, True), (2, 0.4, False), (3, 0.75, True), (4, 0.75, False), (5, 0.1, False)):
        nn.init.normal_(module.weight)
        kept[step] = module.weight.detach().clone()
        best = BestWeights(tmp_path)  # as a training that was stopped in between
        assert best.offer(step, score, module) == is_best
    best = BestWeights(tmp_path)
    assert (best.step, best.score) == (3, 0.75)
    best.apply(module)
    assert torch.equal(module.weight, kept[3])


def test_a_repeated_step_leaves_the_same_weights(tmp_path):
    module = nn.Linear(2, 2)
    assert BestWeights(tmp_path).offer(3, 0.75, module)
    assert not BestWeights(tmp_path).offer(2, 0.5, module)
    assert not BestWeights(tmp_path).offer(3, 0.75, module)


def test_a_damaged_file_is_as_none(tmp_path):
    (tmp_path / BEST).write_bytes(b"half of it")
    best = BestWeights(tmp_path)
    assert best.step == 0 and best.offer(1, 0.0, nn.Linear(2, 2))
