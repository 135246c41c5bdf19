import numpy as np
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages.show_matches import show_matches
from landmarks.store.local_features import LocalStore


def photo(seed, left):
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC).crop((left, left, left + 128, left + 128))


@pytest.fixture
def overrides(delg_run):
    """One place in all three splits, and another."""
    photos = {"train": {"a": photo(0, 0), "b": photo(1, 0)}, "index": {"c": photo(0, 32), "d": photo(2, 0)}, "test": {"e": photo(0, 16)}}
    return delg_run(photos, {"a": 1, "b": 2})


def printed_counts(capsys):
    """Inliers and matches as they were printed."""
    words = next(line for line in capsys.readouterr().out.splitlines() if "inliers of" in line).split()
    return int(words[words.index("inliers") - 1]), int(words[words.index("of") + 1])


def test_one_place_has_more_inliers_than_two_and_the_picture_is_written(overrides, tmp_path, capsys):
    config = load_config(None, overrides)
    path = show_matches(config, "e", "c")
    assert path == tmp_path / "run" / "matches" / "e_c.jpg"
    with Image.open(path) as picture:
        assert picture.format == "JPEG" and picture.width > 900
    said = capsys.readouterr().out
    assert f"picture: {path}" in said and "e (test) and c (index): " in said
    show_matches(config, "a", "e")
    inliers, matches = printed_counts(capsys)
    show_matches(config, "a", "b")
    unrelated, _ = printed_counts(capsys)
    assert matches >= inliers > 10 > unrelated


def test_only_the_two_are_described_and_once(overrides, tmp_path, capsys):
    config = load_config(None, overrides)
    show_matches(config, "e", "c")
    described = {split: LocalStore(tmp_path / "run" / "local" / "tiny" / split).ids.tolist() for split in ("train", "index", "test")}
    assert described == {"train": [], "index": ["c"], "test": ["e"]}
    capsys.readouterr()
    show_matches(config, "e", "d")
    assert "local/tiny/test: up to date" in capsys.readouterr().out
    show_matches(config, "e", "e")


def test_an_unknown_photo_is_named(overrides):
    with pytest.raises(UserError, match="no image 'x' in train, index or test"):
        show_matches(load_config(None, overrides), "a", "x")


def test_the_command_takes_ids_and_settings(overrides, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("{}\n")
    assert main(["show-matches", "e", "c", "--config", str(tmp_path / "c.yaml"), *overrides]) == 0
    assert (tmp_path / "run" / "matches" / "e_c.jpg").is_file()
    assert main(["show-matches", "e", "zzz", *overrides, "--config", str(tmp_path / "c.yaml")]) == 2
    assert "no image 'zzz'" in capsys.readouterr().err
