"""The same commands from any folder, and the installed package outside the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from landmarks import __version__
from landmarks.cli import main
from landmarks.config import load_config
from landmarks.config.home import find_configuration
from landmarks.errors import UserError

ROOT = Path(__file__).parents[1]


def test_paths_of_a_shipped_file_are_the_checkout_s_and_typed_ones_the_caller_s(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    here = load_config("configs/photos.yaml", ["run.folder=out"])
    assert (here.dataset.folder, here.run.folder) == (Path("inputs/photos"), Path("out"))
    monkeypatch.chdir(tmp_path)
    for name in ("configs/photos.yaml", "photos", "photos.yaml", ROOT / "configs/photos.yaml"):
        there = load_config(name, ["run.folder=out"])
        assert (there.dataset.folder, there.run.folder) == (ROOT / "inputs/photos", Path("out"))
    assert load_config("photos").run.folder == ROOT / "outputs/photos"


def test_paths_of_a_file_of_one_s_own_are_the_caller_s(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(
        "dataset: {folder: data}\nmodels: {a: {checkpoint: x/models/a}}\nwhiten: {learned_on: other, dimensions: 4}\n"
    )
    monkeypatch.chdir(tmp_path)
    config = load_config("mine.yaml")
    assert config.dataset.folder == Path("data") and config.models["a"].checkpoint == Path("x/models/a")
    assert config.whiten.learned_on == "other" and config.run.folder == ROOT / "outputs/gldv2", "the default is the checkout's"


def test_a_configuration_of_that_name_here_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/photos.yaml").write_text("train: {epochs: 77}\n")
    assert load_config("configs/photos.yaml").train.epochs == 77


def test_a_misspelt_configuration_gets_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        find_configuration("configs/foto.yaml")
    assert error.value.next == "--config configs/photos.yaml"


def test_run_sh_from_another_folder(tmp_path):
    environment = {**os.environ, "LANDMARKS_VENV": str(Path(sys.executable).parents[1]), "PYTHONPATH": str(ROOT / "src")}
    if not (Path(sys.executable).parents[1] / "installed").is_file():
        pytest.skip("not the environment that run.sh made")
    command = [str(ROOT / "run.sh"), "evaluate", "dataset.folder=none", "run.folder=out"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and f"{ROOT / 'run.sh'} sample --config" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_yaml_is_fed_back(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["config", "--yaml", "--config", "configs/delg_photos.yaml", "train.epochs=3"]) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    again = load_config(tmp_path / "again.yaml")
    first = load_config("configs/delg_photos.yaml", ["train.epochs=3"])
    assert again.model_dump(exclude={"dataset", "run"}) == first.model_dump(exclude={"dataset", "run"})
    assert again.dataset.folder == ROOT / "inputs/photos"


def test_one_section_and_what_most_people_change_first(capsys):
    assert main(["config", "train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 20 and all(line.startswith("train.") for line in lines)
    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "most people change" in lines[0] and lines[1].startswith("dataset.source=") and lines.index("# --- everything else") <= 30
    assert main(["config", "trian"]) == 2 and "did you mean train?" in capsys.readouterr().err


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as pip builds it, in a folder of its own; what it needs is this environment's."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "landmarks"
    subprocess.run(["git", "-C", ROOT, "rev-parse"], check=True, capture_output=True)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", target, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_the_installed_command_works_outside_the_checkout(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "LANDMARKS_PROGRAM"} | {"PYTHONPATH": str(installed)}

    def landmarks(*words):
        command = [sys.executable, installed / "bin" / "landmarks", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert landmarks("--version").stdout.strip() == f"landmarks {__version__}"
    shown = landmarks("config", "--config", "configs/photos.yaml", "dataset")
    assert "dataset.folder=inputs/photos " in shown.stdout, shown.stderr
    told = landmarks("evaluate", "--config", "photos", "run.folder=out")
    assert told.returncode == 2 and "next:  landmarks import --config photos run.folder=out" in told.stderr
    made = landmarks("sample", "sample.landmarks=4", "sample.longest_side=64")
    assert made.returncode == 0 and (tmp_path / "inputs/sample/train.csv").is_file(), made.stderr
    assert (installed / "landmarks/notebook/notebook.ipynb").is_file() and (installed / "landmarks/py.typed").is_file()


def test_importing_the_package_and_help_load_nothing_heavy():
    code = (
        "import sys, landmarks; from landmarks.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'faiss', 'numba', 'pandas', 'numpy', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
