import torch

from landmarks.models.losses.softmax import Softmax


def test_there_is_no_margin():
    torch.manual_seed(0)
    classifier = Softmax(6, 5, 0.3, 30.0)
    logits, cosines = classifier(torch.randn(4, 6), torch.tensor([0, 1, 2, 3]))
    torch.testing.assert_close(logits, 30 * cosines, rtol=0, atol=0)
