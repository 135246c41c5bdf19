"""Every setting, its default and what it means. Defaults are the published recipe of Yokoo et al. where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from landmarks.config.ablate import AblateSettings
from landmarks.config.base import MAX_WIDTH, ModelName, Settings, Side, UserPath
from landmarks.config.bundle import BundleSettings
from landmarks.config.chain import Chain, chooses, require_places
from landmarks.config.dataset import DatasetSettings, PhotosSettings, SampleSettings
from landmarks.config.download import DownloadSettings
from landmarks.config.model import ModelSettings
from landmarks.config.names import module_names, require_known
from landmarks.config.overlap import OverlapSettings
from landmarks.config.places import PlacesSettings
from landmarks.config.recognize import RecognizeSettings
from landmarks.config.run import RunSettings
from landmarks.config.shrink import ShrinkSettings
from landmarks.config.submit import SubmitSettings
from landmarks.config.train import TrainSettings
from landmarks.config.verification import CleanSettings, VerificationSettings

Scale = Annotated[float, Field(gt=0, le=16)]
_PROTOCOLS = Path(__file__).parents[1] / "protocols"


class LocalExtractSettings(Settings):
    """Local features of the models that have a local branch; defaults as published (Cao et al., section 5.1)."""

    images: Literal["returned", "all"] = Field(
        "returned", description="returned: after search, of queries and what they found; all: of `splits`, in one pass with the descriptors"
    )
    splits: tuple[Literal["train", "index", "test"], ...] = Field(
        ("index", "test"), description="with images=all; `clean` extracts what it needs of train itself"
    )
    longest_side: int | None = Field(
        None, ge=32, le=16_384, description="pixels of the longest side at scale 1; unset: extract.longest_side"
    )
    scales: tuple[Scale, ...] = Field(
        (0.25, 0.3536, 0.5, 0.7071, 1.0, 1.4142, 2.0), min_length=1, description="features come from these scales together"
    )
    max_features: int = Field(1000, ge=1, le=65535, description="features an image at most, those of the highest attention")
    storage: Literal["float16", "int8"] = Field("float16", description="int8 takes half the disk, with a scale for each descriptor")


class ExtractSettings(Settings):
    longest_side: Side = Field(800, description="pixels of the longest side at scale 1")
    scales: tuple[Scale, ...] = Field((0.75, 1.0, 1.25), min_length=1, description="descriptors at these scales are averaged")
    gem_power: float | None = Field(
        None, gt=0, description="p of generalised-mean pooling in extraction, of all models that have it; unset: as each was trained"
    )
    batch_size: int = Field(
        32, ge=1, description="images a batch at most; fewer where they are large or a GPU's memory is too small; changes speed only"
    )
    shard_images: int = Field(2048, ge=1, description="images a shard: the unit of resuming and of sharing work")
    on_error: Literal["stop", "skip"] = Field("stop", description="an unreadable image stops the run, or is listed in the manifest")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU that has it, float16 on a V100 or T4, float32 on a CPU"
    )
    workers: int | None = Field(
        None, ge=0, description="processes that decode images, for each extracting process; unset: its share of the cores, 2 on a CPU"
    )
    local: LocalExtractSettings = LocalExtractSettings()


class WhitenSettings(Settings):
    dimensions: int = Field(0, ge=0, le=MAX_WIDTH, description="PCA whitening keeps at most this many; 0 = none")
    power: float = Field(
        1.0,
        ge=0,
        le=1,
        description="each axis is divided by its standard deviation to this power: 1 whitens, 0 only leaves out axes",
    )
    learned_on: str = Field("train", description="what it is learned on: train, index, or a run folder, whose train descriptors are taken")


class SearchSettings(Settings):
    neighbours: int = Field(100, ge=1, description="index images kept for each query")
    index: Literal["exact", "compressed"] = Field(
        "exact", description="compressed: an IVF-PQ index, re-scored exactly, which finds most of the neighbours (on a CPU)"
    )


class EvaluateSettings(Settings):
    protocol: str | None = Field(
        None,
        description="how the run is scored: retrieval, revisited, places or recognition (what recognize predicts); unset: as the dataset",
    )
    submission: UserPath | None = Field(None, description="score this submission file instead of the run's rankings")

    @field_validator("protocol")
    @classmethod
    def _is_known(cls, protocol: str | None) -> str | None:
        return None if protocol is None else require_known("protocol", protocol, module_names(_PROTOCOLS))


class Config(Settings):
    dataset: DatasetSettings = DatasetSettings()
    download: DownloadSettings = DownloadSettings()
    places: PlacesSettings = PlacesSettings()
    sample: SampleSettings = SampleSettings()
    photos: PhotosSettings = PhotosSettings()
    models: dict[ModelName, ModelSettings] = Field(
        {}, description="name -> model; none: descriptors are read from <dataset.folder>/<split>.npy"
    )
    train: TrainSettings = TrainSettings()
    extract: ExtractSettings = ExtractSettings()
    whiten: WhitenSettings = WhitenSettings()
    search: SearchSettings = SearchSettings()
    verification: VerificationSettings = VerificationSettings()
    clean: CleanSettings = CleanSettings()
    rerank: Chain = Field((), description="the chain of re-ranking steps, in order")
    recognize: RecognizeSettings = RecognizeSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    ablate: AblateSettings = AblateSettings()
    bundle: BundleSettings = BundleSettings()
    overlap: OverlapSettings = OverlapSettings()
    shrink: ShrinkSettings = ShrinkSettings()
    submit: SubmitSettings = SubmitSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _recipes_are_settings_of_train(self):
        for name in self.models:
            try:
                self.train_of(name)
            except ValidationError as error:
                problem = error.errors()[0]
                raise ValueError(
                    f"models.{name}.recipe: {'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
                ) from None
            if "precision" in self.models[name].recipe:
                raise ValueError(f"models.{name}.recipe: precision is that of all models, train.precision")
        return self

    @model_validator(mode="after")
    def _steps_can_work_at_their_places(self):
        chains = {"rerank": self.rerank} | {f"ablate.chains.{name}": chain for name, chain in self.ablate.chains.items()}
        for key, chain in chains.items():
            try:
                require_places(chain, self.search.neighbours)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return self

    @model_validator(mode="after")
    def _auto_is_chosen_for_the_chain_alone(self):
        name = next((name for name, chain in self.ablate.chains.items() if chooses(chain)), None)
        if name is not None:
            raise ValueError(
                f"ablate.chains.{name}: auto is chosen for the run's own chain alone: rerank=auto, or the steps in choice/chain.yaml of a "
                "run that was made with it"
            )
        return self

    def train_of(self, model: str) -> TrainSettings:
        """How this model is trained: `train`, with what its own recipe changes."""
        recipe = self.models[model].recipe
        return TrainSettings.model_validate(self.train.model_dump() | recipe) if recipe else self.train

    @property
    def trained_models(self) -> list[str]:
        """Those that learn in this run: not taken over from another one, nor left as they start."""
        models = self.models.items()
        return [name for name, model in models if model.train and model.checkpoint is None and self.train_of(name).epochs > 0]

    @property
    def tables_folder(self) -> Path:
        """Where the GLDv2-layout tables are: photos and benchmarks are read into the run folder, the user's own stays untouched."""
        return self.run.folder / "dataset" if self.dataset.kind.has_tables_in_run else self.dataset.folder

    @property
    def protocol(self) -> str:
        """How rankings are scored."""
        return self.evaluate.protocol or self.dataset.kind.protocol

    def at(self, folder: Path) -> Config:
        """The same settings for the run in `folder`, with the ledger of this one."""
        return self.model_copy(update={"run": self.run.model_copy(update={"folder": folder, "ledger": self.ledger})})

    @property
    def ledger(self) -> Path:
        """The file of all evaluations: runs in the same folder share it."""
        return self.run.ledger or self.run.folder.parent / "results.csv"
