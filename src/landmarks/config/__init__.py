"""Typed settings: read from YAML, overridden on the command line, refused when unknown."""

from landmarks.config.ablate import AblateSettings, with_settings
from landmarks.config.bundle import BundleSettings
from landmarks.config.chain import (
    AddLabelsSettings,
    AugmentDatabaseSettings,
    Chain,
    ClassifySettings,
    DiffuseSettings,
    DiscriminateSettings,
    ExpandQuerySettings,
    ExploreSettings,
    FuseSettings,
    InsertSettings,
    KReciprocalSettings,
    PenaliseNonLandmarksSettings,
    RemoveJunkSettings,
    SoftLabelsSettings,
    SortSettings,
    SuperGlobalSettings,
    VerifySettings,
    chain_names,
    matched_splits,
    step_name,
    verifies,
    without_junk_before_verify,
)
from landmarks.config.dataset import BENCHMARKS, DatasetSettings, PhotosSettings, SampleSettings
from landmarks.config.download import DownloadSettings
from landmarks.config.load import load_config
from landmarks.config.overlap import OverlapSettings
from landmarks.config.places import PlacesSettings
from landmarks.config.recognize import RecognizeSettings
from landmarks.config.settings import (
    Config,
    ExtractSettings,
    LocalExtractSettings,
    LocalSettings,
    ModelSettings,
    RunSettings,
    SearchSettings,
    TrainSettings,
    WhitenSettings,
)
from landmarks.config.verification import CleanSettings, VerificationSettings

__all__ = [
    "BENCHMARKS",
    "AblateSettings",
    "AddLabelsSettings",
    "AugmentDatabaseSettings",
    "BundleSettings",
    "Chain",
    "ClassifySettings",
    "CleanSettings",
    "Config",
    "DatasetSettings",
    "DiffuseSettings",
    "DiscriminateSettings",
    "DownloadSettings",
    "ExpandQuerySettings",
    "ExploreSettings",
    "ExtractSettings",
    "FuseSettings",
    "InsertSettings",
    "KReciprocalSettings",
    "LocalExtractSettings",
    "LocalSettings",
    "ModelSettings",
    "OverlapSettings",
    "PenaliseNonLandmarksSettings",
    "PhotosSettings",
    "PlacesSettings",
    "RemoveJunkSettings",
    "RecognizeSettings",
    "RunSettings",
    "SampleSettings",
    "SearchSettings",
    "SoftLabelsSettings",
    "SortSettings",
    "SuperGlobalSettings",
    "TrainSettings",
    "VerificationSettings",
    "VerifySettings",
    "WhitenSettings",
    "chain_names",
    "load_config",
    "matched_splits",
    "step_name",
    "verifies",
    "with_settings",
    "without_junk_before_verify",
]
