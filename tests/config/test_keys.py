import pytest

from landmarks.config.keys import general, is_path, is_text, known_keys


def test_keys_of_models_are_those_of_any_name_and_optional_sections_come_after_themselves():
    keys = list(known_keys())
    assert "models.NAME.backbone" in keys and not any(key in keys for key in ("models", "dataset", "extract.local"))
    assert keys.index("models.NAME.local") < keys.index("models.NAME.local.dimensions")
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("key", "path", "text"),
    [
        ("dataset.folder", True, True),
        ("dataset.distractors", True, True),
        ("evaluate.submission", True, True),
        ("run.ledger", True, True),
        ("models.mine.checkpoint", True, True),
        ("whiten.learned_on", True, True),
        ("dataset.train_table", False, True),
        ("dataset.solution", False, True),
        ("models.mine.backbone", False, True),
        ("verification.model", False, True),
        ("models.mine.dimensions", False, False),
        ("models.mine", False, False),
        ("train.epochs", False, False),
        ("rerank", False, False),
        ("train.loss.more", False, False),
    ],
)
def test_which_values_are_paths_and_which_are_taken_as_they_are_typed(key, path, text):
    assert (is_path(key), is_text(key)) == (path, text)


def test_a_model_s_key_in_general():
    assert general("models.a.local.layer") == "models.NAME.local.layer"
    assert (general("models.a"), general("train.epochs")) == ("models.a", "train.epochs")
