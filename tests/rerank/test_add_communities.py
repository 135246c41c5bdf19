import numpy as np

from landmarks.ops.communities import find_communities, mutual_graph
from landmarks.ranking import Space
from landmarks.rerank.context import Context
from landmarks.rerank.steps.add_communities import AddCommunities


def test_similarity_and_the_shares_of_the_communities_around_add_up():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 8)
    index = np.eye(4, 6)[groups] + 0.3 * random.standard_normal((32, 6))
    test = np.eye(4, 6) + 0.3 * random.standard_normal((4, 6))
    index, test = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (index, test))
    index, test = index.astype(np.float32), test.astype(np.float32)
    context = Context(Space(test, index, index[:3]), np.arange(3), lambda split: index)
    ranking = context.search_first(np.arange(4).astype(str), np.arange(32).astype(str), 32)
    step = AddCommunities(neighbours=5, nearest=4, resolution=1.0, weight=0.7)
    made = step.apply(ranking, context)

    cosines = index.astype(float) @ index.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.argsort(-cosines, axis=1)[:, :5]
    similar = np.take_along_axis(cosines, near, axis=1).astype(np.float32)
    communities = find_communities(mutual_graph(near.astype(np.int32), similar, step.power), 1.0)

    def shares(similarities):
        found = np.zeros(communities.max() + 1)
        for image in np.argsort(-similarities)[:4]:
            found[communities[image]] += max(similarities[image], 0) ** step.power
        return found / found.sum()

    of_index, of_test = [shares(row) for row in cosines], [shares(row) for row in test.astype(float) @ index.T]
    for query in range(4):
        lengths = [np.sqrt(1 + 0.7 * own @ own) for own in of_index]
        expected = [(test[query] @ image + 0.7 * of_test[query] @ own) for image, own in zip(index, of_index, strict=True)]
        expected = np.array(expected) / lengths / np.sqrt(1 + 0.7 * of_test[query] @ of_test[query])
        found = made.space.index.astype(float) @ made.space.test[query]
        np.testing.assert_allclose(found, expected, atol=3e-3)
        assert made.indices[query, 0] == np.argmax(found)
    assert not made.space.train[:, 6:].any(), "training images have no share"
