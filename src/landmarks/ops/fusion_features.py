"""Features that distinguish the candidates of a query: one function for each kind of evidence, (n_query, k) in and out."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.half import dot, float32_value, kernel_rows
from landmarks.ops.label_spread import LabelDistributions


def pair_similarities(queries: np.ndarray, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The inner product of each query and each of its candidates, (n_query, k) float32, NaN where there is none.

    queries (n_query, d), images (n_index, d): float16 or float32; indices (n_query, k) int32 into `images`, -1 = none
    """
    return _pair_similarities(kernel_rows(queries), kernel_rows(images), indices)


def similarities_to_first(images: np.ndarray, indices: np.ndarray, first: int) -> np.ndarray:
    """The mean similarity of each candidate to the first `first` candidates of its list, itself left out.

    images (n_index, d) float16 or float32; indices (n_query, k) int32, -1 = none
    Returns (n_query, k) float32, NaN where there is no candidate or nothing but itself to compare it with.
    """
    return _similarities_to_first(kernel_rows(images), indices, first)


def common_neighbours(query_neighbours: np.ndarray, image_neighbours: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The share of a query's neighbours that are the candidate or among the candidate's neighbours.

    query_neighbours  (n_query, a) int32: the query's nearest images, -1 = none
    image_neighbours  (n_index, b) int32: the image's nearest images, -1 = none
    indices           (n_query, k) int32, -1 = none
    Returns (n_query, k) float32, 0-1, NaN where there is no candidate or no neighbour.
    """
    return _common_neighbours(query_neighbours, image_neighbours, indices)


def reciprocal_places(similarities: np.ndarray, image_similarities: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """1 / (1 + how many of the candidate's nearest images are nearer to it than the query is).

    similarities        (n_query, k) float32: between queries and candidates
    image_similarities  (n_index, b) float32: between the image and its nearest images, -inf = none; of the same descriptors
    indices             (n_query, k) int32, -1 = none
    Returns (n_query, k) float32, 1 / (1 + b) to 1, NaN where there is no candidate.
    """
    return _reciprocal_places(similarities, image_similarities, indices)


def label_agreements(queries: LabelDistributions, images: LabelDistributions, indices: np.ndarray) -> np.ndarray:
    """The inner product of each query's and each candidate's label distribution, (n_query, k) float32, NaN where there is none.

    queries (n_query rows), images (n_index rows); indices (n_query, k) int32, -1 = none
    """
    return _label_agreements(queries.labels, queries.shares, images.labels, images.shares, indices)


def below_best(values: np.ndarray) -> np.ndarray:
    """Each value less the largest of its row: (n_query, k), at most 0; NaN stays NaN."""
    best = np.max(values, axis=1, keepdims=True, initial=-np.inf, where=~np.isnan(values))
    return values - best


def standard_scores(values: np.ndarray) -> np.ndarray:
    """Each value less the mean of its row, in standard deviations: (n_query, k); 0 where a row does not vary, NaN stays NaN.

    Makes a feature comparable between datasets of different size and labels, which shift and scale it.
    """
    present = ~np.isnan(values)
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    centred = values - np.sum(values, axis=1, keepdims=True, where=present) / count
    deviation = np.sqrt(np.sum(centred**2, axis=1, keepdims=True, where=present) / count)
    return centred / np.where(deviation > 0, deviation, 1)


@numba.njit(cache=True, nogil=True, parallel=True)
def _pair_similarities(queries, images, indices):
    result = np.full(indices.shape, np.nan, np.float32)
    for query in numba.prange(len(indices)):
        for place in range(indices.shape[1]):
            if indices[query, place] >= 0:
                result[query, place] = dot(queries[query], images[indices[query, place]])
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _similarities_to_first(images, indices, first):
    result = np.full(indices.shape, np.nan, np.float32)
    for query in numba.prange(len(indices)):
        # One inner product with the sum of the first images in place of one with each of them; an image's own part is taken out again.
        total, count = np.zeros(images.shape[1], np.float32), 0
        for place in range(min(first, indices.shape[1])):
            if indices[query, place] < 0:
                break
            for column in range(images.shape[1]):
                total[column] += float32_value(images[indices[query, place], column])
            count += 1
        for place in range(indices.shape[1]):
            image, others = indices[query, place], count
            if image < 0:
                break
            similarity = dot(images[image], total)
            if place < count:
                similarity -= dot(images[image], images[image])
                others -= 1
            if others:
                result[query, place] = similarity / np.float32(others)
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _common_neighbours(query_neighbours, image_neighbours, indices):
    result = np.full(indices.shape, np.nan, np.float32)
    for query in numba.prange(len(indices)):
        neighbours = 0
        for own in query_neighbours[query]:
            neighbours += own >= 0
        for place in range(indices.shape[1]):
            image, common = indices[query, place], 0
            if image < 0 or neighbours == 0:
                continue
            for own in query_neighbours[query]:
                found = own == image
                for other in image_neighbours[image]:
                    found |= own == other
                common += found and own >= 0
            result[query, place] = np.float32(common) / np.float32(neighbours)
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _reciprocal_places(similarities, image_similarities, indices):
    result = np.full(indices.shape, np.nan, np.float32)
    for query in numba.prange(len(indices)):
        for place in range(indices.shape[1]):
            image, nearer = indices[query, place], 0
            if image < 0:
                continue
            for similarity in image_similarities[image]:
                nearer += similarity > similarities[query, place]
            result[query, place] = np.float32(1) / np.float32(1 + nearer)
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _label_agreements(query_labels, query_shares, image_labels, image_shares, indices):
    result = np.full(indices.shape, np.nan, np.float32)
    for query in numba.prange(len(indices)):
        for place in range(indices.shape[1]):
            image, total = indices[query, place], np.float32(0)
            if image < 0:
                continue
            for own in range(query_labels.shape[1]):
                for other in range(image_labels.shape[1]):
                    if query_labels[query, own] >= 0 and query_labels[query, own] == image_labels[image, other]:
                        total += query_shares[query, own] * image_shares[image, other]
            result[query, place] = total
    return result
