"""The plain way of every re-ranking step: one row at a time, Python's own sets, dicts and lists, and numpy."""

from __future__ import annotations

import heapq
from collections import defaultdict
from functools import cache

import numpy as np
from gldv2_world import World
from scipy.sparse.linalg import cg

from landmarks.ops.label_spread import LabelDistributions, class_axes
from landmarks.ops.voting import Votes
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.steps.diffuse import Diffuse


def plain_search(queries, index):
    wide = cache(lambda: index.astype(np.float32))

    def nearest(row):
        similarities = wide() @ queries[row].astype(np.float32)
        best = np.argpartition(-similarities, 99)[:100]
        return best[np.argsort(-similarities[best], kind="stable")]

    return nearest


class Plain:
    """What a step gives for one query (database augmentation: for one index image), with the default settings of the step."""

    def __init__(self, world: World):
        self.index, self.test = world.vectors["index"], world.vectors["test"]
        self.labels, self.near, self.settings = world.train_labels, world.near, AddLabels()
        self.axes = class_axes(int(world.train_labels.max()) + 1, self.settings.dimensions)
        self.known: LabelDistributions | None = None  # of the index images; to be set
        self.votes: tuple[Votes, Votes] | None = None  # of queries and index images; to be set
        self._by_label = None
        self.encoded, self.reciprocal_queries = 0, 0

    def label_vector(self, row):
        (train, train_cosines), (index, cosines) = (self.near["test", among] for among in ("train", "index"))
        found = [(-s, 0, t) for t, s in zip(train[row, :20].tolist(), train_cosines[row, :20].tolist(), strict=True)]
        found += [(-s, 1, i) for i, s in zip(index[row, :20].tolist(), cosines[row, :20].tolist(), strict=True)]
        found = sorted(found, key=lambda entry: entry[:2])[: self.settings.neighbours]
        weights = [max(-entry[0], 0) ** self.settings.power for entry in found]
        sums = defaultdict(float)
        for (_, split, image), weight in zip(found, weights, strict=True):
            if split == 0:
                sums[int(self.labels[image])] += weight / sum(weights)
                continue
            for label, share in zip(self.known.labels[image].tolist(), self.known.shares[image].tolist(), strict=True):
                if label >= 0:
                    sums[label] += weight / sum(weights) * share
        largest = sorted(sums, key=lambda label: -sums[label])[: self.settings.kept]
        sketch = sum(sums[label] * self.axes[label] for label in largest)
        return unit(np.concatenate([self.test[row], self.settings.weight**0.5 * sketch]))

    def vote(self, row):
        near, cosines = (part[row, :3].tolist() for part in self.near["test", "train"])
        sums = defaultdict(float)
        for image, cosine in zip(near, cosines, strict=True):
            sums[int(self.labels[image])] += cosine
        return max(sums, key=sums.get)

    def sort_and_insert(self, row, k=100, threshold=0.6):
        of_query, of_index = self.votes
        if self._by_label is None:
            self._by_label = defaultdict(list)
            for image in np.argsort(-of_index.scores, kind="stable").tolist():
                self._by_label[int(of_index.labels[image])].append(image)
        label, score = int(of_query.labels[row]), of_query.scores[row]
        listed = self.near["test", "index"][0][row].tolist()
        same = [image for image in listed if of_index.labels[image] == label]
        more = [image for image in self._by_label[label] if score + of_index.scores[image] > np.float32(threshold) and image not in same]
        return np.array((same + more + [image for image in listed if of_index.labels[image] != label])[:k])

    def expanded_query(self, row):
        return self._expanded(self.test[row], *(part[row, :10] for part in self.near["test", "index"]))

    def augmented(self, row):
        return self._expanded(self.index[row], *(part[row, :10] for part in self.near["index", "index"]))

    def _expanded(self, own, near, cosines):
        total = own.astype(np.float32)
        for image, cosine in zip(near, cosines, strict=True):
            total = total + max(cosine, 0) ** 2 * self.index[image].astype(np.float32)
        return unit(total)

    def k_reciprocal(self, row, k1=20, k2=6, original_weight=0.3):
        neighbours, cosines = self.near["index", "index"]
        images, scores = (part[row] for part in self.near["test", "index"])

        @cache
        def near(image, k):
            return {image, *neighbours[image, :k].tolist()}

        @cache
        def mutual(image, k):
            return {other for other in near(image, k) if image in near(other, k)}

        def encoding(own, core, itself):
            members = set(core)
            for candidate in core:
                theirs = mutual(candidate, k1 // 2)
                if 3 * len(theirs & core) > 2 * len(theirs):
                    members |= theirs
            weights = {one: 1.0 if one == itself else np.exp(float(own @ self.index[one].astype(np.float32)) - 1) for one in members}
            total = sum(weights.values()) + (itself is None)
            return {one: weight / total for one, weight in weights.items()}

        @cache
        def of_image(image):
            self.encoded += 1
            return encoding(self.index[image].astype(np.float32), mutual(image, k1), image)

        def mean(encodings):
            sums = defaultdict(float)
            for one in encodings:
                for image, weight in one.items():
                    sums[image] += weight / len(encodings)
            return sums

        self.reciprocal_queries += 1
        core = {image for image, score in zip(images[:k1].tolist(), scores[:k1], strict=True) if score >= cosines[image, k1 - 1]}
        own = encoding(self.test[row].astype(np.float32), core, None)
        query = mean([own] + [of_image(image) for image in images[: k2 - 1].tolist()])
        values = []
        for image, score in zip(images.tolist(), scores.tolist(), strict=True):
            other = mean([of_image(image)] + [of_image(near) for near in neighbours[image, : k2 - 1].tolist()])
            shared = sum(min(weight, query.get(one, 0.0)) for one, weight in other.items())
            values.append((1 - original_weight) * shared / (2 - shared) + original_weight * score)
        return images[np.argsort(-np.array(values), kind="stable")]

    def reciprocal_units(self, queries):
        """No more queries' worth of work than it takes to encode every image once, could the plain way remember them all."""
        return min(queries, (len(self.index) + queries) / (self.encoded / self.reciprocal_queries))

    def diffuse(self, row):
        settings = Diffuse()
        neighbours, cosines = (part[:, : settings.neighbours] for part in self.near["index", "index"])
        images, scores = (part[row] for part in self.near["test", "index"])
        lists = [dict(zip(neighbours[image].tolist(), cosines[image].tolist(), strict=True)) for image in images]
        affinity = np.zeros((len(images), len(images)))
        for i, one in enumerate(images.tolist()):
            for j, other in enumerate(images.tolist()):
                if other in lists[i] and one in lists[j]:
                    affinity[i, j] = max(lists[i][other], lists[j][one], 0) ** settings.power
        degrees = affinity.sum(axis=1)
        scale = 1 / np.sqrt(np.where(degrees > 0, degrees, np.inf))
        start = np.where(np.arange(len(images)) < settings.seeds, np.maximum(scores, 0).astype(float) ** settings.power, 0)
        solution, _ = cg(np.eye(len(images)) - settings.alpha * scale[:, None] * affinity * scale, start, rtol=1e-6, maxiter=20)
        return images[np.argsort(-solution.astype(np.float32), kind="stable")]

    def explore(self, row, threshold=0.5, length=100):
        neighbours, cosines = self.near["index", "index"]
        edges, result, reached, pushed = [], [], set(), 0
        new = [(image[row], value[row]) for image, value in [self.near["test", "index"]]]
        while len(result) < length:
            for images, values in new:
                for image, value in zip(images.tolist(), values.tolist(), strict=True):
                    if image not in reached:
                        heapq.heappush(edges, (-value, pushed, image))
                        pushed += 1
            new = []
            if not edges:
                break
            while True:
                image = heapq.heappop(edges)[2]
                if image not in reached:
                    reached.add(image)
                    result.append(image)
                    new.append((neighbours[image], cosines[image]))
                if len(result) == length or not edges or not -edges[0][0] > threshold:
                    break
        return np.array(result)

    def super_global(self, row, neighbours=9, beta=0.15):
        query, images = self.test[row].astype(np.float32), self.near["test", "index"][0][row]
        vectors = self.index[images].astype(np.float32)
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -np.inf)
        near = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
        weights = beta * np.maximum(np.take_along_axis(cosines, near, axis=1), 0)[:, :, None]
        refined = (vectors + (weights * vectors[near]).sum(axis=1)) / (1 + weights.sum(axis=1))
        first = refined @ query
        pooled = refined[np.argsort(-first, kind="stable")[: neighbours + 1]].mean(axis=0)
        return images[np.argsort(-(first + refined @ pooled) / 2, kind="stable")]


def unit(vector):
    return vector / np.linalg.norm(vector)
