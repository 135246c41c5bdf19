import numpy as np
import pytest
from PIL import Image
from toy_training import make_photos

from landmarks.cli import main
from landmarks.datasets.images import image_path
from landmarks.gallery.batch_sheet import BAR, CELL, GAP


@pytest.fixture
def settings(tmp_path):
    return [
        f"dataset={{source: folder, folder: {make_photos(tmp_path / 'data')}}}",
        "models={still: {train: false}, tiny: {backbone: test_efficientnet}, other: {recipe: {augmentation: none}}}",
        "train={epochs: 2, image_size: 32, batch_size: 6}",
        f"run.folder={tmp_path / 'run'}",
    ]


def test_a_batch_and_what_becomes_of_it(settings, tmp_path, capsys):
    assert main(["show-batch", *settings]) == 0
    path = tmp_path / "run" / "batches" / "tiny_step1.jpg"
    assert f"picture: {path}" in capsys.readouterr().out
    sheet = Image.open(path)
    assert sheet.size == (6 * (CELL + GAP) + 3 * GAP, BAR + GAP + 6 * (CELL + BAR + GAP))
    assert main(["show-batch", "--step", "9", *settings, "train.aspect_batches=true", "train.augmentation=yokoo_soft"]) == 0
    assert not np.array_equal(Image.open(tmp_path / "run" / "batches" / "tiny_step9.jpg"), sheet)


def test_without_augmentation_all_draws_are_one(settings, tmp_path):
    assert main(["show-batch", "other", *settings]) == 0
    pixels = np.asarray(Image.open(tmp_path / "run" / "batches" / "other_step1.jpg")).astype(int)
    cells = [pixels[BAR + GAP :, 3 * GAP + column * (CELL + GAP) :][:CELL, :CELL] for column in range(1, 6)]
    assert all(np.abs(cell - cells[0]).mean() < 2 for cell in cells)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["still"], "no model 'still' is trained"),
        (["--step", "17"], "no step 17: the training has 16"),
        (["--step", "0"], "--step 1"),
        (["--step", "17", "train.validation_images=12"], "no step 17: the training has 12"),  # 36 images are left
    ],
)
def test_other_models_and_steps_are_refused(settings, arguments, message, capsys):
    assert main(["show-batch", *settings, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_damaged_photo_is_named_or_stood_in_for(settings, tmp_path, capsys):
    ids = [row.split(",")[0] for row in (tmp_path / "data" / "train.csv").read_text().splitlines()[1:]]
    for id in ids[::2]:
        image_path(tmp_path / "data", "train", id).write_bytes(b"no picture")
    assert main(["show-batch", *settings]) == 2
    assert "damaged" in capsys.readouterr().err
    assert main(["show-batch", *settings, "train.on_error=skip"]) == 0
