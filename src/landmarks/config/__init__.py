"""Typed settings: read from YAML, overridden on the command line, refused when unknown."""

from landmarks.config.chain import Chain, InsertSettings, SortSettings, chain_names
from landmarks.config.load import load_config
from landmarks.config.settings import (
    CleanSettings,
    Config,
    DatasetSettings,
    ExtractSettings,
    LocalExtractSettings,
    LocalSettings,
    ModelSettings,
    PhotosSettings,
    RunSettings,
    SampleSettings,
    SearchSettings,
    TrainSettings,
    VerificationSettings,
    WhitenSettings,
)

__all__ = [
    "Chain",
    "CleanSettings",
    "Config",
    "DatasetSettings",
    "ExtractSettings",
    "InsertSettings",
    "LocalExtractSettings",
    "LocalSettings",
    "ModelSettings",
    "PhotosSettings",
    "RunSettings",
    "SampleSettings",
    "SearchSettings",
    "SortSettings",
    "TrainSettings",
    "VerificationSettings",
    "WhitenSettings",
    "chain_names",
    "load_config",
]
