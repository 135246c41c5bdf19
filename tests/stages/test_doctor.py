import numpy as np
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.images import image_path, missing_images
from landmarks.doctor.dataset import check_dataset


def doctor(tmp_path, capsys, *settings):
    (tmp_path / "c.yaml").write_text("{}\n")
    code = main(["doctor", "--config", str(tmp_path / "c.yaml"), f"run.folder={tmp_path / 'out'}", *settings])
    return code, " ".join(capsys.readouterr().out.split())


def test_a_machine_with_everything(arrays, tmp_path, capsys, signed_out):
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={arrays}")
    assert code == 0 and "missing" not in screen
    for words in (
        "Python",
        "packages",
        "torch",
        "FAISS",
        "memory",
        "disk",
        "train 60, index 90, test 24 descriptors",
        "retrieval_solution.csv",
    ):
        assert words in screen
    assert f"next: ./run.sh --config {tmp_path}/c.yaml run.folder={tmp_path}/out dataset.folder={arrays}" in screen
    assert not (tmp_path / "out").exists()


def test_no_dataset(tmp_path, capsys, signed_out):
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={tmp_path / 'none'}")
    assert code == 2 and "the dataset folder does not exist" in screen and "1 missing next: " in screen


def test_a_credential_is_never_shown(arrays, tmp_path, capsys, signed_out, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token-that-nobody-may-see")
    _, screen = doctor(tmp_path, capsys, f"dataset.folder={arrays}")
    assert "credential in KAGGLE_API_TOKEN" in screen and "nobody-may-see" not in screen


@pytest.mark.parametrize("fault", ["absent", "rows", "damaged"])
def test_arrays_that_do_not_fit(arrays, fault):
    if fault == "absent":
        (arrays / "index.npy").unlink()
    elif fault == "rows":
        np.save(arrays / "index.npy", np.zeros((89, 16), np.float16))
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


def test_the_sample_needs_nothing(tmp_path, capsys, signed_out):
    code, screen = doctor(
        tmp_path, capsys, "dataset.source=sample", f"dataset.folder={tmp_path / 'world'}", "models.a.backbone=efficientnet_lite0"
    )
    assert code == 0 and "about 2354 photos" in screen and "weights here" in screen


def test_a_dataset_that_can_be_downloaded(tmp_path, capsys, signed_out, monkeypatch):
    facts = {"version": "1", "cuda": None, "gpus": [], "works": True, "a": {"channels": 1280, "parameters": 1, "weights": "here"}}
    monkeypatch.setattr("landmarks.stages.doctor.probe", lambda what, *more: facts)
    settings = ["download.gldv2=[train, index, test]", "models.a.backbone=efficientnet_lite0"]
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={tmp_path / 'none'}", *settings)
    assert code == 2 and "it takes about 617 GB (estimate)" in screen and "needed (estimate)" in screen
    monkeypatch.setattr("landmarks.doctor.dataset.free_bytes", lambda folder: 1e12)
    _, screen = doctor(tmp_path, capsys, f"dataset.folder={tmp_path / 'none'}", "download.gldv2=[train, index, test]")
    assert f"next: ./run.sh download --config {tmp_path}/c.yaml" in screen
    monkeypatch.setattr("landmarks.doctor.dataset.free_bytes", lambda folder: 1e11)
    _, screen = doctor(tmp_path, capsys, f"dataset.folder={tmp_path / 'none'}", "download.gldv2=[train, index, test]")
    assert "next: dataset.folder=FOLDER on a larger disk" in screen
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={tmp_path / 'none'}", "download.competitions=[landmark-retrieval-2021]")
    assert code == 2 and "missing Kaggle no credential" in screen and "next: make one of these three" in screen


@pytest.mark.parametrize(
    "part", ["check_python", "check_packages", "check_torch", "check_faiss", "check_dataset", "find_credential", "free_bytes"]
)
def test_a_check_that_fails_itself_is_a_line_on_the_screen(arrays, tmp_path, capsys, signed_out, monkeypatch, part):
    def fail(*arguments):
        raise RuntimeError("this machine is odd")

    monkeypatch.setattr(f"landmarks.stages.doctor.{part}", fail)
    monkeypatch.setattr("landmarks.stages.doctor.probe", lambda what, *more: {"version": "1", "cuda": None, "gpus": [], "works": True})
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={arrays}")
    assert code == 2 and "cannot be looked at: this machine is odd" in screen and "next: mend what it says" in screen


def test_damaged_arrays_do_not_end_the_screen(arrays, tmp_path, capsys, signed_out):
    (arrays / "index.npy").write_bytes(b"nothing")
    code, screen = doctor(tmp_path, capsys, f"dataset.folder={arrays}")
    assert code == 2 and "missing dataset" in screen and "next: write index.npy" in screen


def test_a_model_of_another_run_that_is_not_there(arrays, tmp_path, capsys, signed_out):
    other = tmp_path / "other" / "models" / "m"
    settings = [f"dataset.folder={arrays}", f"models={{m: {{backbone: test_resnet, checkpoint: {other}}}}}"]
    code, screen = doctor(tmp_path, capsys, *settings)
    assert code == 2 and "models.m.checkpoint=FOLDER" in screen
    other.mkdir(parents=True)
    (other / "manifest.json").write_text("{}")
    assert "taken over from" in doctor(tmp_path, capsys, *settings)[1]
