"""Cosine-softmax losses one image and one class at a time, in float64 and by the angle itself, with their gradients worked by hand."""

import math

import numpy as np


def own_logit(loss, cosine, margin):
    """What the margin makes of the cosine to the own class, and its derivative."""
    if loss == "softmax":
        return cosine, 1.0
    if loss == "cosface":
        return cosine - margin, 1.0
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if angle > math.pi - margin:
        return cosine, 1.0
    slope = math.sin(angle + margin) / math.sin(angle) if math.sin(angle) else math.nan  # it is infinite
    return math.cos(angle + margin), slope


def head(loss, descriptors, weight, labels, margins, scale, centres=1, smoothing=0.0):
    """(logits, cosines, mean cross entropy, its gradient by the descriptors, by the weight, by the scale).

    weight (classes * centres, dimensions), the centres of a class one after the other; margins (classes,)
    """
    descriptors, weight = descriptors.astype(np.float64), weight.astype(np.float64)
    images, classes = len(descriptors), len(weight) // centres
    logits, cosines = np.empty((images, classes)), np.empty((images, classes))
    by_descriptors, by_weight = np.zeros_like(descriptors), np.zeros_like(weight)
    total, by_scale = 0.0, 0.0
    for i, x in enumerate(descriptors):
        length, nearest, slopes = math.sqrt(x @ x), [], []
        for c in range(classes):
            rows = range(c * centres, (c + 1) * centres)
            every = [float(x @ weight[row] / length / math.sqrt(weight[row] @ weight[row])) for row in rows]
            best = max(range(centres), key=lambda k: every[k])
            nearest.append(rows[best])
            cosines[i, c] = every[best]
            moved, slope = own_logit(loss, every[best], margins[c]) if c == labels[i] else (every[best], 1.0)
            logits[i, c] = scale * moved
            slopes.append(slope)
        highest = max(logits[i])
        normaliser = highest + math.log(sum(math.exp(logit - highest) for logit in logits[i]))
        for c in range(classes):
            target = smoothing / classes + (1 - smoothing) * (c == labels[i])
            total -= target * (logits[i, c] - normaliser) / images
            by_logit = (math.exp(logits[i, c] - normaliser) - target) / images
            by_scale += by_logit * logits[i, c] / scale
            by_cosine = by_logit * scale * slopes[c]
            w = weight[nearest[c]]
            norm = math.sqrt(w @ w)
            by_descriptors[i] += by_cosine * (w / norm - cosines[i, c] * x / length) / length
            by_weight[nearest[c]] += by_cosine * (x / length - cosines[i, c] * w / norm) / norm
    return logits, cosines, total, by_descriptors, by_weight, by_scale
