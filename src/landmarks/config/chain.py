"""The settings of the re-ranking steps, and the chain they form."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Union

from pydantic import Field

from landmarks.config.base import Settings


class DiscriminateSettings(Settings):
    """Search again where landmarks lie apart: a projection learned from train's labels, in closed form (Ioffe, ECCV 2006)."""

    step: Literal["discriminate"]
    dimensions: int = Field(256, ge=1, description="dimensions of the projection, the most telling first; as many as there are behind it")
    within: float | None = Field(
        None, ge=0, le=1, description="shrinkage of the covariance within landmarks towards the identity; unset: from the data"
    )


class AddLabelsSettings(Settings):
    """Search again with label distributions in the vectors, spread from train over the nearest neighbours (Zhu and Ghahramani, 2002)."""

    step: Literal["add_labels"]
    neighbours: int = Field(20, ge=1, description="nearest images, of train and index together, that an image's labels come from")
    power: float = Field(8.0, ge=0, description="a neighbour's weight is its similarity to this power")
    rounds: int = Field(2, ge=1, description="how often the labels are handed on from index image to index image")
    weight: float = Field(2.0, gt=0, description="of the labels' inner product beside the similarity")
    kept: int = Field(16, ge=1, description="labels kept for an image, those with the largest shares")
    dimensions: int = Field(512, ge=1, description="of the labels' part of a vector; more classes than this are sketched")


class AugmentDatabaseSettings(Settings):
    """Search again among index images that are pulled towards their neighbours (Arandjelovic and Zisserman, CVPR 2012)."""

    step: Literal["augment_database"]
    neighbours: int = Field(10, ge=1, description="nearest index images that an index image is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power")


class ExpandQuerySettings(Settings):
    """Search again with queries that are pulled towards what they found (Radenovic et al., TPAMI 2019)."""

    step: Literal["expand_query"]
    neighbours: int = Field(10, ge=1, description="first images of the list that the query is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power; 0 = plain average")


class ClassifySettings(Settings):
    """Search again with a classifier's projection and probabilities in the vectors: a cosine-softmax head on frozen descriptors."""

    step: Literal["classify"]
    hidden: int = Field(1024, ge=1, description="units of the head's hidden layer")
    dimensions: int = Field(256, ge=1, description="of the projection")
    epochs: int = Field(20, ge=1, description="passes over the training images")
    margin: float = Field(0.1, ge=0, lt=1, description="on the cosine of the true class")
    scale: float = Field(16.0, gt=0, description="the cosines are multiplied by this before the softmax")
    mixup: float = Field(0.4, ge=0, description="parameter of the Beta distribution in whose shares two images are mixed; 0 = never")
    projection_weight: float = Field(0.5, ge=0, description="of the projections' inner product beside the similarity")
    label_weight: float = Field(0.5, ge=0, description="of the inner product of the square roots of the probabilities")
    kept: int = Field(16, ge=1, description="labels kept for an image, the most probable ones")
    label_dimensions: int = Field(512, ge=1, description="of the probabilities' part of a vector; more classes than this are sketched")


class KReciprocalSettings(Settings):
    """Order by the neighbours that query and image share mutually (Zhong et al., CVPR 2017)."""

    step: Literal["k_reciprocal"]
    k1: int = Field(20, ge=2, description="nearest images that make an image's reciprocal set")
    k2: int = Field(6, ge=1, description="nearest images whose encodings are averaged")
    original_weight: float = Field(0.3, ge=0, le=1, description="share of the similarity itself (lambda)")


class SuperGlobalSettings(Settings):
    """Order by descriptors refined among the candidates (Shao et al., ICCV 2023)."""

    step: Literal["super_global"]
    neighbours: int = Field(9, ge=1, description="candidates that refine a candidate, and that the query is pooled from")
    beta: float = Field(0.15, ge=0, description="how far a candidate is drawn towards its neighbours")
    pooling: Literal["max", "mean"] = Field(
        "mean", description="how the query's pool is made; max is for descriptors without negative parts"
    )


class DiffuseSettings(Settings):
    """Order by diffusion over the candidates' mutual neighbours (Iscen et al., CVPR 2017)."""

    step: Literal["diffuse"]
    neighbours: int = Field(20, ge=1, description="nearest images that an image has edges to, where the edge is mutual")
    seeds: int = Field(10, ge=1, description="first images of the list that the diffusion begins at")
    power: float = Field(5.0, ge=0, description="an edge's weight is the similarity to this power")
    alpha: float = Field(0.9, ge=0, lt=1, description="share that is handed on")


class ExploreSettings(Settings):
    """Order by a walk over the strongest edges; it may find images that the search did not (Chang et al., CVPR 2019)."""

    step: Literal["explore"]
    neighbours: int = Field(50, ge=1, description="nearest images that an image has edges to")
    threshold: float = Field(0.5, description="edges stronger than this are followed at once")


class SoftLabelsSettings(Settings):
    """Images of the query's label gain their similarity to it, others lose a part of theirs (winning entry of 2021)."""

    step: Literal["soft_labels"]
    neighbours: int = Field(1, ge=1, description="nearest training images that vote for an image's label")
    reward: float = Field(1.0, ge=0, description="times the image's vote is gained where the labels agree")
    penalty: float = Field(0.1, ge=0, description="times the image's vote is lost where they do not")


class PenaliseNonLandmarksSettings(Settings):
    """Images like those that show no landmark lose (winning entry of the 2020 recognition challenge)."""

    step: Literal["penalise_non_landmarks"]
    landmark_ids: tuple[int, ...] = Field(min_length=1, description="the ids under which train lists images that show no landmark")
    neighbours: int = Field(5, ge=1, description="nearest of those images")
    weight: float = Field(1.0, gt=0, description="of the mean similarity that is subtracted")


class VerifySettings(Settings):
    """Images that one transform of local features maps onto the query come first (Cao et al., ECCV 2020)."""

    step: Literal["verify"]
    top: int = Field(100, ge=1, description="images of each list that are verified; the others keep their places behind them")
    least_inliers: int = Field(1, ge=1, description="fewer inliers count as none")
    weight: float | None = Field(
        None, gt=0, description="order by similarity + weight x min(inliers, saturation) / saturation; unset: by inliers, then similarity"
    )
    saturation: int = Field(70, ge=1, description="more inliers say nothing more")


class RemoveJunkSettings(Settings):
    """Leave out what the protocol of Revisited Oxford and Paris takes out of a list (Radenovic et al., CVPR 2018)."""

    step: Literal["remove_junk"]
    difficulty: Literal["easy", "medium", "hard"] = Field("medium", description="whose junk: easy takes the hard images out as well")


class SortSettings(Settings):
    """Images whose label is the query's come first (Yokoo et al., section 3.3)."""

    step: Literal["sort"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")


class InsertSettings(Settings):
    """Index images of the query's label that were not retrieved come after those that were (Yokoo et al., section 3.3)."""

    step: Literal["insert"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")
    threshold: float = Field(0.6, description="inserted where query score + image score exceeds this")


class FuseSettings(Settings):
    """A model of all that tells candidates apart orders them, learned on queries made of training images (XE-NDCG, Bruch 2020)."""

    step: Literal["fuse"]
    objective: Literal["rank_xendcg", "lambdarank"] = Field("rank_xendcg", description="what the model's loss is, in LightGBM's words")
    trees: int = Field(100, ge=1, description="trees of the model")
    leaves: int = Field(31, ge=2, description="leaves of a tree")
    learning_rate: float = Field(0.05, gt=0, description="share of a tree's correction that is taken over")
    classifier: bool = Field(True, description="also train the classifier of the step classify, for its candidates and its evidence")
    unknown_share: float = Field(0.3, ge=0, lt=1, description="share of the landmarks that the pseudo-train set does not know")
    query_share: float = Field(0.2, gt=0, lt=1, description="share of a landmark's training images that become pseudo-queries")
    train_share: float = Field(0.5, gt=0, lt=1, description="share of the others that stay training images; the rest is the pseudo-index")
    queries: int = Field(3000, ge=1, description="pseudo-queries at most")
    index_images: int = Field(50_000, ge=1, description="images of the pseudo-index at most")
    seed: int = Field(0, ge=0, description="another seed, another pseudo-world")


STEPS = {
    "discriminate": DiscriminateSettings,
    "add_labels": AddLabelsSettings,
    "augment_database": AugmentDatabaseSettings,
    "expand_query": ExpandQuerySettings,
    "classify": ClassifySettings,
    "k_reciprocal": KReciprocalSettings,
    "super_global": SuperGlobalSettings,
    "diffuse": DiffuseSettings,
    "explore": ExploreSettings,
    "soft_labels": SoftLabelsSettings,
    "penalise_non_landmarks": PenaliseNonLandmarksSettings,
    "remove_junk": RemoveJunkSettings,
    "verify": VerifySettings,
    "fuse": FuseSettings,
    "sort": SortSettings,
    "insert": InsertSettings,
}
Step = Annotated[Union[tuple(STEPS.values())], Field(discriminator="step")]  # noqa: UP007 - made from the table above
Chain = tuple[Step, ...]


def chain_names(chain: Chain) -> list[str]:
    """The name of every prefix of `chain`, which is also its folder: knn, then the steps so far joined with "+"."""
    steps = [step_name(step) for step in chain]
    return ["knn"] + [_short("+".join(steps[: n + 1])) for n in range(len(steps))]


def verifies(chain: Chain) -> bool:
    """Whether a step of the chain asks for the inliers of pairs."""
    return any(step.step == "verify" for step in chain)


def matched_splits(chain: Chain) -> tuple[str, ...]:
    """The splits whose local features the chain matches; those of train where a step `fuse` learns behind a verification."""
    steps = [step.step for step in chain]
    if not verifies(chain):
        return ()
    return ("test", "index", "train") if "fuse" in steps[steps.index("verify") :] else ("test", "index")


def without_junk_before_verify(chain: Chain, difficulty: str) -> Chain:
    """The chain with that difficulty's junk removed before the first verification, as published (Cao et al., section 5.3).

    Without it junk would take the places of images that are to be verified. A chain that verifies nothing stays as it is: the
    protocol removes the junk itself.
    """
    steps = [step.step for step in chain]
    if not verifies(chain) or "remove_junk" in steps:
        return chain
    at = steps.index("verify")
    return (*chain[:at], RemoveJunkSettings(step="remove_junk", difficulty=difficulty), *chain[at:])


def step_name(step: Step) -> str:
    """The step and those of its settings that are not the default, as in "insert(threshold=0.7)"."""
    changed = [f"{key}={value}" for key, value in step.model_dump(exclude_defaults=True, exclude={"step"}).items()]
    return step.step + (f"({','.join(changed)})" if changed else "")


def _short(name: str) -> str:
    """Names of folders end at 255 bytes."""
    return name if len(name) <= 160 else f"{name[:140]}...{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}"
