"""Settings of a model: its backbone, how the map is pooled, its head, and DELG's or DOLG's local branch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from landmarks.config.base import MAX_WIDTH, Settings, UserPath


class LocalSettings(Settings):
    """DELG's local branch; defaults as published (Cao et al., section 3 and 4)."""

    dimensions: int = Field(128, ge=1, le=MAX_WIDTH, description="length of a local descriptor: the autoencoder's code")
    layer: str = Field("", description="module of the backbone whose output is the map at stride 14 to 16; empty: the one timm names")
    attention_channels: int = Field(512, ge=1, le=MAX_WIDTH, description="channels of the attention's hidden layer")
    attention_weight: float = Field(1.0, ge=0, description="weight of the attention's classification loss")
    reconstruction_weight: float = Field(10.0, ge=0, description="weight of the autoencoder's mean squared error")


class DolgSettings(Settings):
    """DOLG's local branch and fusion (Yang et al., ICCV 2021, section 3); defaults as in the authors' code for a ResNet."""

    layer: str = Field("", description="module of the backbone whose output is the map at stride 14 to 16; empty: the one timm names")
    channels: int = Field(1024, ge=1, le=MAX_WIDTH, description="length of the local and of the global part, which are joined")
    dilations: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        (6, 12, 18), description="of the atrous convolutions that the local branch begins with; []: none, a 1x1 convolution alone"
    )


class ModelSettings(Settings):
    first_keys: ClassVar[frozenset[str]] = frozenset(
        "backbone pretrained dimensions gem_power head_batchnorm local checkpoint train recipe weight".split()
    )

    backbone: str = Field("resnet101", description="any timm image backbone, or hf-hub:OWNER/NAME for one of the Hugging Face hub")
    pretrained: bool = Field(True, description="start from the published weights that timm names")
    dimensions: int = Field(512, ge=0, le=MAX_WIDTH, description="descriptor size; 0 = no head: the pooled map itself")
    pooling: Literal["gem", "mean", "cls", "cls_gem"] = Field(
        "gem", description="over the map or the patch tokens: gem, mean; of a transformer with a class token: cls, or both joined: cls_gem"
    )
    gem_power: float = Field(3.0, gt=0, description="p of generalised-mean pooling at the start")
    gem_trained: bool = Field(True, description="p is trained; false: it stays at gem_power")
    head_batchnorm: bool = Field(True, description="BatchNorm behind the fully connected layer (Yokoo et al.); DELG has none")
    local: LocalSettings | None = Field(None, description="DELG's local features beside the global descriptor; unset: none")
    dolg: DolgSettings | None = Field(
        None,
        description="DOLG: the descriptor also has what a map at stride 14 to 16 adds to the pooled map, orthogonal to it; unset: none",
    )
    checkpoint: UserPath | None = Field(
        None, description="model folder of another run (outputs/x/models/NAME): used as it was trained there, train is not looked at"
    )
    train: bool = Field(True, description="false: used with its starting weights, untouched by the training set")
    recipe: dict[str, Any] = Field({}, description="settings of `train` in which this model's training differs, as {loss: cosface}")
    weight: float = Field(1.0, gt=0, le=1e6, description="weight in the ensemble (acts squared in the similarity)")

    @model_validator(mode="after")
    def _has_one_local_branch(self):
        if self.local is not None and self.dolg is not None:
            raise ValueError("local and dolg are two local branches: a model has one of them")
        return self
