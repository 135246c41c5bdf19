"""How models are trained. Defaults are the published recipe of Yokoo et al. where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from landmarks.config.base import Settings, Side, UserPath
from landmarks.config.names import module_names, require_known

T = TypeVar("T")
Margin = Annotated[float, Field(ge=0, lt=1.5)]
_LOSSES = Path(__file__).parents[1] / "models" / "losses"


class TrainSettings(Settings):
    first_keys: ClassVar[frozenset[str]] = frozenset(
        "loss margin scale learn_scale epochs overfit image_size batch_size accumulate optimizer learning_rate head_learning_rate_factor "
        "schedule final_learning_rate warmup weight_decay clip_norm freeze_batchnorm augmentation crop_scale precision workers "
        "checkpoint_minutes log_steps seed".split()
    )

    loss: str = Field("arcface", description=f"a file of models/losses: {', '.join(module_names(_LOSSES))}")
    margin: Margin | Annotated[tuple[Margin, ...], Field(min_length=1)] = Field(
        0.3,
        description="margin: radians for arcface, cosine for cosface; softmax has none; a list: each for an equal share of the epochs",
    )
    rare_margin: float | None = Field(
        None,
        ge=0,
        lt=1.5,
        description="margin of the landmark with the fewest images; `margin` is then that of the one with the most, and those between "
        "follow n^(-1/4) (published: margin 0.05, rare_margin 0.5); unset: one margin for all",
    )
    centres: int = Field(1, ge=1, le=16, description="directions the classifier has for a landmark; 3 with arcface is sub-center ArcFace")
    scale: float | Literal["adacos"] = Field(
        30.0, description="the cosines are multiplied by this before the softmax; adacos: sqrt(2) ln(landmarks - 1)"
    )
    learn_scale: bool = Field(False, description="the scale is trained from that value on; DELG starts at sqrt(dimensions)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of an image's label that is spread over all landmarks")
    epochs: int = Field(5, ge=0, description="passes over the training images; 0 = keep the starting weights")
    overfit: int = Field(
        0, ge=0, description="train on this many images alone, spread over the table, to see that the parts learn; 0 = all"
    )
    image_size: Side | Annotated[tuple[Side, ...], Field(min_length=1)] = Field(
        448, description="side of the training crops, pixels; a list: growing sizes, each for an equal share of the epochs"
    )
    batch_size: int = Field(32, ge=2, description="images a step, all processes and accumulated parts together")
    accumulate: int | None = Field(
        None, ge=1, description="parts that a process computes one after the other for one step; unset: as few as the GPUs' memory allows"
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd has momentum 0.9")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest")
    scale_rate: int = Field(
        0,
        ge=0,
        description="batch size that learning_rate is meant for: it is multiplied by batch_size / this (Goyal et al.); 0 = as it is",
    )
    head_learning_rate_factor: float = Field(1.0, gt=0, description="the head and classifier learn this much faster than the backbone")
    schedule: Literal["cosine", "linear"] = Field("cosine", description="how the rate falls after the warm-up")
    final_learning_rate: float = Field(3e-6, ge=0, description="at the last step")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the steps in which the rate rises from 0")
    weight_decay: float = Field(1e-5, ge=0, description="L2 penalty (sgd) or decoupled decay (adamw)")
    clip_norm: float | None = Field(10.0, gt=0, description="gradients are scaled down to this norm; null: never (Yokoo et al.)")
    freeze_batchnorm: bool | Annotated[tuple[bool, ...], Field(min_length=1)] | None = Field(
        None,
        description="the backbone's BatchNorm keeps its statistics; a list: each for an equal share of the epochs, as [false, true]; "
        "unset: where trained weights would get new ones from fewer than 16 images at a time",
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="each layer of the backbone learns at this times the rate of the layer above it; 1 = at one rate"
    )
    freeze_backbone_steps: int = Field(0, ge=0, description="first steps, in which the head and classifier learn and the backbone stays")
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of an average of the weights, which is then what is kept; 0.999 is usual; 0 = the last weights"
    )
    drop_rate: float = Field(0.0, ge=0, lt=1, description="share of the pooled features that are left out before the head (dropout)")
    drop_path_rate: float = Field(0.0, ge=0, lt=1, description="how often timm leaves out the last block (stochastic depth); less in front")
    gradient_checkpointing: bool = Field(False, description="less memory, more time: activations are computed again for the gradients")
    compile: bool = Field(False, description="the backbone is compiled by torch.compile, which takes a while at each image size")
    augmentation: Literal["none", "soft", "middle", "yokoo_soft", "yokoo_middle", "delg"] = Field(
        "soft",
        description="soft: crop, mirroring, brightness; middle: also contrast, shear and zoom; yokoo_soft, yokoo_middle and delg: as in "
        "the authors' code (docs/training.md)",
    )
    crop_scale: float = Field(
        0.2, ge=0, lt=1, description="a random crop keeps at least 1 - this of the area; yokoo_*: each side is scaled by 1 +- this"
    )
    aspect_batches: bool = Field(
        False, description="batches of one of five aspect ratios, near image_size x image_size (Yokoo et al.); false: squares"
    )
    sampler: Literal["uniform", "square_root", "pairs"] = Field(
        "uniform",
        description="uniform: every image once an epoch; square_root: landmarks in proportion to the square root of their images; "
        "pairs: at least two images of every landmark in a batch",
    )
    class_weight: float = Field(
        0.0, ge=0, le=1, description="an image's loss is weighted by n^-this, n the images of its landmark; the mean weight is 1"
    )
    clean_table: str | None = Field(
        None, description="table beside the train table, such as train_clean.csv: images that it does not have count less"
    )
    unclean_weight: float = Field(0.5, ge=0, le=1, description="weight of the loss of images that clean_table does not have")
    on_error: Literal["stop", "skip"] = Field(
        "stop", description="an unreadable image stops the training, or another stands in its place and it is listed in the manifest"
    )
    validation_images: int = Field(
        0, ge=0, description="images of train that are held out; their neighbours among the rest are scored while training; 0 = none"
    )
    validation: Literal["images", "landmarks"] = Field(
        "images", description="held out are some images of many landmarks; or all images of some landmarks, which says what new ones gain"
    )
    validation_gallery: int = Field(
        10_000, ge=1, description="images at most that the held-out ones are searched in, those of their landmarks first"
    )
    validation_steps: int = Field(0, ge=0, description="steps between validations; 0 = one after each epoch")
    start_from: UserPath | None = Field(
        None,
        description="begin with the weights of another training: a model folder (outputs/x/models/NAME), with the classes of the landmarks "
        "that both have where it kept them; or a .safetensors file of such a model, or of its backbone by timm's names",
    )
    keep_classifier: bool = Field(False, description="keep the classifier beside the model, for a training that starts from it")
    keep: Literal["last", "best"] = Field("last", description="which weights are kept: the last, or the best by validation")
    on_nonfinite: Literal["stop", "skip"] = Field(
        "stop", description="a loss or gradient that is no finite number stops the training, or its step is left out and listed"
    )
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU that has it, float16 on a V100 or T4, float32 on a CPU"
    )
    shrunk: bool | None = Field(
        None,
        description="train on the smaller copies of the pictures that `shrink` made, which decode faster; unset: a GPU that waits for "
        "pictures makes them and goes over to them, where that saves more time than it takes",
    )
    workers: int | None = Field(
        None, ge=0, description="processes that decode images, for each training process; unset: its share of the cores, 2 on a CPU"
    )
    checkpoint_minutes: float = Field(10.0, ge=0, description="a checkpoint to resume from at least this often; 0 = every step")
    track: Literal["tensorboard", "wandb"] | None = Field(
        None, description="show the journal's numbers there too; nothing is uploaded unless WANDB_MODE=online; unset: metrics.jsonl alone"
    )
    log_steps: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    seed: int = Field(0, ge=0, description="order, augmentation and starting weights derive from it")

    @property
    def parts(self) -> int:
        """Of a process's share of a batch."""
        return self.accumulate or 1

    @property
    def peak_rate(self) -> float:
        """The learning rate at its highest, for this batch size."""
        return self.learning_rate * (self.batch_size / self.scale_rate if self.scale_rate else 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size,)

    def size_in(self, epoch: int) -> int:
        """Side of the crops in the epoch 0, 1, ..."""
        return self._in(epoch, self.image_size)

    def margin_in(self, epoch: int) -> float:
        return self._in(epoch, self.margin)

    def batchnorm_frozen_in(self, epoch: int) -> bool:
        return bool(self._in(epoch, self.freeze_batchnorm))

    def _in(self, epoch: int, values: T | tuple[T, ...]) -> T:
        """What holds in the epoch: values of a list have equal shares of the epochs."""
        return values[epoch * len(values) // max(1, self.epochs)] if isinstance(values, tuple) else values

    @field_validator("loss")
    @classmethod
    def _is_known(cls, loss: str) -> str:
        return require_known("loss", loss, module_names(_LOSSES))

    @field_validator("scale")
    @classmethod
    def _is_positive(cls, scale: float | str) -> float | str:
        if not isinstance(scale, str) and scale <= 0:
            raise ValueError("should be greater than 0")
        return scale

    @model_validator(mode="after")
    def _has_whole_pairs(self):
        if self.sampler == "pairs" and self.batch_size % 2:
            raise ValueError("sampler=pairs takes an even batch_size")
        return self

    @model_validator(mode="after")
    def _knows_the_best(self):
        if self.keep == "best" and not self.validation_images:
            raise ValueError("keep=best takes validation_images, as 500")
        return self

    @model_validator(mode="after")
    def _has_an_epoch_for_each_size(self):
        for name in ("image_size", "margin", "freeze_batchnorm"):
            values = getattr(self, name)
            if isinstance(values, tuple) and 0 < self.epochs < len(values):
                raise ValueError(f"{name} names {len(values)} values for {self.epochs} epochs: each takes one at least")
        return self
