import numpy as np
import pytest

from landmarks.models import descriptor_head
from landmarks.models.descriptor_head import apply_head, create_head
from landmarks.ops.class_probabilities import class_centres, class_probabilities
from landmarks.ops.discriminant import learn_discriminant
from landmarks.ops.kernel_classifier import learn_kernel_classifier
from landmarks.ranking import Space
from landmarks.rerank import classifier as module
from landmarks.rerank.classifier import closed_form_classifier, space_with_classifier, trained_head
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

    monkeypatch.setattr(descriptor_head, "train_head", train_head)
    return calls


@pytest.mark.parametrize("rows", [2, 65536])
def test_the_weighted_inner_products_of_projection_and_probabilities_add_to_the_similarity(context, training, monkeypatch, rows):
    monkeypatch.setattr(module, "CACHE_ROWS", rows)
    made = space_with_classifier(context.base, context, trained_head(context, SETTINGS), 4, WEIGHTS)
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
    trained_head(context, SETTINGS)
    ((descriptors, labels, settings),) = training
    assert descriptors is context.descriptors("train") and labels is context.labels
    assert settings == {"epochs": 7, "mixup": 0.3}


def test_in_closed_form_it_is_the_kernel_classifier_of_the_discriminant(context):
    output = closed_form_classifier(context, 2)(context.descriptors("index"))
    project = learn_discriminant(context.descriptors("train"), context.labels, 256)
    shares = learn_kernel_classifier(project(context.descriptors("train")), context.labels, 4).probabilities(output.projections)
    np.testing.assert_allclose(output.projections, project(context.descriptors("index")))
    np.testing.assert_array_equal(output.labels, np.argsort(-shares, axis=1)[:, :2])
    np.testing.assert_allclose(output.probabilities, -np.sort(-shares, axis=1)[:, :2])
    assert closed_form_classifier(context, 16)(context.descriptors("test")).labels.shape == (2, 4), "no more labels than there are"


def test_of_more_landmarks_their_centres_decide(context, monkeypatch):
    monkeypatch.setattr(module, "MOST_CLASSES", 3)
    output = closed_form_classifier(context, 2)(context.descriptors("index"))
    rows = learn_discriminant(context.descriptors("train"), context.labels, 256)(context.descriptors("train"))
    labels, shares = class_probabilities(output.projections, class_centres(rows, context.labels, 4), module.CENTRES_SCALE, 2)
    np.testing.assert_array_equal(output.labels, labels)
    np.testing.assert_array_equal(output.probabilities, shares)
