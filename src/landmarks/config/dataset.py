"""What is searched: the dataset, where it is and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from landmarks.config.base import Settings, UserPath
from landmarks.config.names import require_known

MAX_PIXELS = 100_000_000  # of a picture; six bytes of memory each, for most formats


@dataclass(frozen=True)
class Source:
    """What a dataset is made from, and how it becomes tables in GLDv2's form.

    stage     the stage that makes the tables; None where they are in dataset.folder already
    protocol  how its rankings are scored where no other protocol is asked for
    reader    "module:function" in landmarks.datasets, as datasets/authors_folder.py calls it: reads dataset.folder as its authors
              distribute it. The stage is then `prepare`, and there are no training images
    queries   False for pictures that are described to be searched by other runs
    """

    stage: str | None
    protocol: str
    reader: str | None = None
    queries: bool = True

    @property
    def is_benchmark(self) -> bool:
        return self.reader is not None

    @property
    def has_tables_in_run(self) -> bool:
        """Whether the tables are made in the run folder: dataset.folder is the user's own, and stays as it is."""
        return self.stage in ("import", "prepare")


# One row a source.
SOURCES = {
    "folder": Source(None, "retrieval"),
    "sample": Source("sample", "retrieval"),
    "photos": Source("import", "retrieval"),
    "revisited": Source("prepare", "revisited", "revisited:read_source"),
    "places": Source("prepare", "places", "places:read_source"),
    "msls": Source("prepare", "places", "msls:read_source"),
    "pictures": Source("prepare", "retrieval", "pictures:read_source", queries=False),
}


class DatasetSettings(Settings):
    source: str = Field(
        "folder",
        description="folder: GLDv2 layout, or tables with .npy descriptors; sample: rendered; photos: label/photo.jpg; benchmarks as their "
        "authors distribute them: revisited (Oxford, Paris), places (database/ and queries/, UTM in the names), msls; "
        "pictures: any folder of them, to be other runs' distractors",
    )
    folder: UserPath = Field(Path("inputs/gldv2"), description="where the dataset is, or is rendered to")
    train_table: str = Field("train.csv", description="train.csv (id,landmark_id) or train_clean.csv (landmark_id,images)")
    solution: str | None = Field(None, description="solution file in the folder; unset: the only retrieval_solution*.csv, if any")

    query_crop: bool = Field(True, description="revisited: queries are the authors' boxes, not the whole pictures")
    distractors: UserPath | None = Field(
        None, description="run folder whose index images are searched as well; without models: a folder of .npy shards of descriptors"
    )

    max_pixels: int = Field(MAX_PIXELS, ge=1, le=4_000_000_000, description="a picture of more pixels is refused: it would fill the memory")
    pictures_anywhere: bool = Field(False, description="the column path of index.csv and test.csv may lead out of the dataset's folder")

    @field_validator("source")
    @classmethod
    def _is_known(cls, source: str) -> str:
        return require_known("source", source, SOURCES)

    @property
    def kind(self) -> Source:
        """The row of `source` in SOURCES."""
        return SOURCES[self.source]


class SampleSettings(Settings):
    landmarks: int = Field(72, ge=4, description="landmarks in the rendered world")
    longest_side: int = Field(192, ge=64, le=1024, description="pixels of a photo's longest side")
    seed: int = Field(0, ge=0, description="another seed, another world")


class PhotosSettings(Settings):
    held_out: float = Field(0.25, ge=0, lt=1, description="share of landmarks kept out of train")
    train_share: float = Field(0.5, gt=0, lt=1, description="share of a landmark's photos that go to train")
    test_share: float = Field(0.15, gt=0, lt=1, description="share of a landmark's photos that become queries")
    near_duplicate_bits: int = Field(
        3, ge=-1, le=16, description="photos whose 64-bit perceptual hashes differ in at most this many bits count once; -1 keeps all"
    )
    seed: int = Field(0, ge=0, description="another seed, another split")

    @model_validator(mode="after")
    def _leaves_room_for_index(self):
        if self.train_share + self.test_share >= 1:
            raise ValueError("train_share + test_share must leave photos for the index: make their sum less than 1")
        return self
