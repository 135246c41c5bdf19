import numpy as np
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path, missing_images
from landmarks.doctor.dataset import check_dataset


@pytest.fixture
def arrays(tmp_path):
    """Tables of three, two and one images, each with an array of as many rows."""
    for split, count in (("train", 3), ("index", 2), ("test", 1)):
        rows = [f"{split}{n}" + (",7" if split == "train" else "") for n in range(count)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")
        np.save(tmp_path / f"{split}.npy", np.ones((count, 4), np.float16))
    return tmp_path


def test_arrays_are_counted(arrays):
    checks, images = check_dataset(load_config(None, [f"dataset.folder={arrays}"]))
    assert checks[0].state == "ok" and "train 3, index 2, test 1 descriptors" in checks[0].found
    assert images == {"train": 3, "index": 2, "test": 1}


@pytest.mark.parametrize("fault", ["absent", "rows", "damaged"])
def test_arrays_that_do_not_fit(arrays, fault):
    if fault == "absent":
        (arrays / "index.npy").unlink()
    elif fault == "rows":
        np.save(arrays / "index.npy", np.zeros((3, 4), np.float16))
    else:
        (arrays / "index.npy").write_bytes(b"nothing")
    checks, _ = check_dataset(load_config(None, [f"dataset.folder={arrays}"]))
    assert checks[0].state == "missing" and "index.npy" in checks[0].found


def test_pictures_that_are_absent_are_counted(tmp_path):
    rows = {"train": ["aaa1", "aaa2", "bbb1"], "index": ["ccc1"], "test": ["ddd1"]}
    for split, ids in rows.items():
        header = "id,landmark_id" if split == "train" else "id"
        (tmp_path / f"{split}.csv").write_text("\n".join([header, *(f"{id},7" if split == "train" else id for id in ids)]) + "\n")
        for id in ids:
            path = image_path(tmp_path, split, id)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    settings = load_config(None, [f"dataset.folder={tmp_path}", "models.a={}"])
    assert check_dataset(settings)[0][0].state == "ok"
    image_path(tmp_path, "train", "bbb1").unlink()
    image_path(tmp_path, "train", "aaa2").unlink()
    assert missing_images(tmp_path, "train", np.array(["bbb1", "aaa1", "aaa2"], object)) == ["bbb1", "aaa2"]
    check, solution = check_dataset(settings)[0]
    assert check.state == "missing" and "train 1 of 3" in check.found and "first missing: train 'aaa2'" in check.found
    assert solution.state == "note"


def test_photos_are_counted_before_they_are_imported(tmp_path):
    assert check_dataset(load_config(None, ["dataset.source=photos", f"dataset.folder={tmp_path / 'none'}"]))[0][0].state == "missing"
    for name in ("a/1.jpg", "a/2.JPG", "b/1.png", "b/notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    settings = ["dataset.source=photos", f"dataset.folder={tmp_path / 'photos'}", f"run.folder={tmp_path / 'out'}"]
    (check,), images = check_dataset(load_config(None, settings))
    assert check.state == "ok" and "3 photos" in check.found and sum(images.values()) == 3


def test_a_solution_that_is_named_and_absent_is_missing(arrays):
    settings = [f"dataset.folder={arrays}", "dataset.solution=answers.csv"]
    solution = check_dataset(load_config(None, settings))[0][1]
    assert solution.name == "solution" and solution.state == "missing" and "answers.csv" in solution.found


def test_the_size_of_the_published_dataset_is_known_before_it_is_downloaded(tmp_path):
    settings = [f"dataset.folder={tmp_path / 'none'}", "models.a={}"]
    (check,), images = check_dataset(load_config(None, [*settings, "download.gldv2=[train, index, test]"]))
    assert check.state == "missing" and check.next in ("./run.sh download --config c.yaml", "dataset.folder=FOLDER on a larger disk")
    assert images == {"train": 4_132_914, "index": 761_757, "test": 117_577}
    (check,), images = check_dataset(load_config(None, [*settings, "download.gldv2=[index]"]))
    assert check.state == "missing" and images is None
