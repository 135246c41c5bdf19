import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from landmarks.models.cosine_classifier import create_classifier
from landmarks.training.classifier_memory import classifier_memory


def highest(loss, classes, centres, dimensions, part, optimizer):
    """The most bytes that PyTorch had allocated at one time during two steps."""
    descriptors, labels = torch.randn(part, dimensions, requires_grad=True), torch.randint(0, classes, (part,))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        classifier = create_classifier(loss, dimensions, classes, 0.3, 30.0, centres=centres)
        kind = {"sgd": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9), "adamw": torch.optim.AdamW}[optimizer]
        steps = kind(classifier.parameters())
        for _ in range(2):
            F.cross_entropy(classifier(descriptors, labels)[0], labels).backward()
            steps.step()
            steps.zero_grad()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    return np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]).max()


@pytest.mark.parametrize(
    "case",
    [
        ("arcface", 1000, 1, 256, 32, "sgd"),
        ("arcface", 1000, 3, 256, 32, "adamw"),
        ("cosface", 1000, 1, 16, 256, "sgd"),
        ("softmax", 1000, 3, 16, 256, "adamw"),
    ],
)
def test_it_is_what_is_allocated(case):
    memory = classifier_memory(*case[1:])
    assert sum(memory) == pytest.approx(highest(*case), rel=0.1)
    assert memory.weights == 4 * case[1] * case[2] * case[3] and memory.average == 0
    assert sum(classifier_memory(*case[1:], averaged=True)) == sum(memory) + memory.weights
