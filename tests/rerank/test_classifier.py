import numpy as np
import pytest

from landmarks.models.descriptor_head import apply_head, create_head
from landmarks.ranking import Space
from landmarks.rerank import classifier as module
from landmarks.rerank.classifier import space_with_classifier
from landmarks.rerank.context import Context
from landmarks.rerank.steps.classify import Classify

SETTINGS = Classify(hidden=6, dimensions=3, kept=2, label_dimensions=4, epochs=7, mixup=0.3)
WEIGHTS = (0.8, 1.7)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def context():
    """Vectors of 2 dimensions made from descriptors of 5; four landmarks."""
    rng, counts = np.random.default_rng(0), {"test": 2, "index": 5, "train": 8}
    vectors = {split: unit(rng.standard_normal((count, 2))) for split, count in counts.items()}
    descriptors = {split: unit(rng.standard_normal((count, 5))) for split, count in counts.items()}
    return Context(Space.from_splits(vectors), np.arange(8) % 4 + 90, descriptors.__getitem__)


@pytest.fixture
def training(monkeypatch):
    """What the head is trained on; it keeps its starting weights."""
    calls = []

    def train_head(head, descriptors, labels, **settings):
        calls.append((descriptors, labels, settings))
        head.eval()

    monkeypatch.setattr(module, "train_head", train_head)
    return calls


@pytest.mark.parametrize("rows", [2, 65536])
def test_the_weighted_inner_products_of_projection_and_probabilities_add_to_the_similarity(context, training, monkeypatch, rows):
    monkeypatch.setattr(module, "BLOCK", rows)
    made = space_with_classifier(context.base, context, SETTINGS, WEIGHTS)
    head = create_head(5, 6, 3, 4, SETTINGS.margin, SETTINGS.scale, "cpu").eval()
    parts = {}
    for split in ("test", "index", "train"):
        projection, labels, probabilities = apply_head(head, context.descriptors(split), SETTINGS.kept)
        roots = np.zeros((len(labels), 4))
        np.put_along_axis(roots, labels, np.sqrt(probabilities), axis=1)
        parts[split] = context.base.vectors(split), projection, roots
        assert made.vectors(split).shape == (len(labels), 2 + 3 + 4) and made.vectors(split).dtype == np.float16
    similarity, projected, agreement = (query @ image.T for query, image in zip(parts["test"], parts["index"], strict=True))
    lengths = [np.sqrt(1 + WEIGHTS[0] + WEIGHTS[1] * (parts[split][2] ** 2).sum(axis=1)) for split in ("test", "index")]
    expected = (similarity + WEIGHTS[0] * projected + WEIGHTS[1] * agreement) / np.outer(*lengths)
    np.testing.assert_allclose(made.test.astype(float) @ made.index.T, expected, atol=2e-3)


def test_the_head_learns_from_train_before_whitening(context, training):
    space_with_classifier(context.base, context, SETTINGS, WEIGHTS)
    ((descriptors, labels, settings),) = training
    assert descriptors is context.descriptors("train") and labels is context.labels
    assert settings == {"epochs": 7, "mixup": 0.3}
