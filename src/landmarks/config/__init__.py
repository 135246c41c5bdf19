"""Typed settings: read from YAML, overridden on the command line, refused when unknown."""

from landmarks.config.ablate import AblateSettings, with_settings
from landmarks.config.bundle import BundleSettings
from landmarks.config.chain import (
    Chain,
    chain_names,
    chooses,
    first_verifying,
    learning_from_inliers,
    matched_splits,
    require_places,
    step_name,
    verified_images,
    verifies,
)
from landmarks.config.dataset import DatasetSettings, PhotosSettings, SampleSettings
from landmarks.config.download import DownloadSettings
from landmarks.config.load import load_config, read_chain
from landmarks.config.model import DolgSettings, LocalSettings, ModelSettings
from landmarks.config.overlap import OverlapSettings
from landmarks.config.places import PlacesSettings
from landmarks.config.recognize import RecognizeSettings
from landmarks.config.run import RunSettings
from landmarks.config.settings import (
    Config,
    EvaluateSettings,
    ExtractSettings,
    LocalExtractSettings,
    SearchSettings,
    WhitenSettings,
)
from landmarks.config.shrink import ShrinkSettings
from landmarks.config.step import Step, step_class, step_names
from landmarks.config.train import TrainSettings
from landmarks.config.verification import CleanSettings, VerificationSettings

__all__ = [
    "AblateSettings",
    "BundleSettings",
    "Chain",
    "CleanSettings",
    "Config",
    "DatasetSettings",
    "DownloadSettings",
    "EvaluateSettings",
    "ExtractSettings",
    "LocalExtractSettings",
    "DolgSettings",
    "LocalSettings",
    "ModelSettings",
    "OverlapSettings",
    "PhotosSettings",
    "PlacesSettings",
    "RecognizeSettings",
    "RunSettings",
    "SampleSettings",
    "SearchSettings",
    "ShrinkSettings",
    "Step",
    "TrainSettings",
    "VerificationSettings",
    "WhitenSettings",
    "chain_names",
    "chooses",
    "first_verifying",
    "learning_from_inliers",
    "load_config",
    "matched_splits",
    "read_chain",
    "require_places",
    "step_class",
    "step_name",
    "step_names",
    "verified_images",
    "verifies",
    "with_settings",
]
