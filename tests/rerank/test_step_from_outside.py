"""A step from a module outside the package, through the command line: run, ablated, fingerprinted, and refused from a run folder."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from landmarks.api.arrays import rerank_arrays
from landmarks.cli import main
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages.bundle import _code_of_steps

CODE = '''
from dataclasses import replace

import numpy as np
from pydantic import Field

from landmarks.config import Step


class Turn(Step):
    """The first images of every list in the opposite order."""

    first: int = Field(10, ge=1, description="images that are turned round")

    def apply(self, ranking, context):
        indices = ranking.indices.copy()
        indices[:, : self.first] = indices[:, : self.first][:, ::-1]
        return ranking.with_order(indices)


class Move(Step):
    """Every query moved to the first image of its list."""

    searches = True
    changes = ("test",)

    def apply(self, ranking, context):
        space = context.space(ranking)
        return context.search(ranking, replace(space, test=space.index[ranking.indices[:, 0]]))


class Nothing(Step):
    def apply(self, ranking, context):
        return None


not_a_step = 3
'''


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(stage, words...) -> exit code, in a folder that holds somebody's module; descriptors in data/."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((4, 8))
    data = tmp_path / "data"
    data.mkdir()
    for split, count in (("train", 12), ("index", 40), ("test", 8)):
        labels = np.arange(count) % 4
        np.save(data / f"{split}.npy", (centres[labels] + random.standard_normal((count, 8))).astype(np.float32))
        table = pd.DataFrame({"id": [f"{split}{n}" for n in range(count)]} | ({"landmark_id": labels} if split == "train" else {}))
        table.to_csv(data / f"{split}.csv", index=False)
    images = [" ".join(f"index{i}" for i in range(n % 4, 40, 4)) for n in range(8)]
    solution = pd.DataFrame({"id": [f"test{n}" for n in range(8)], "images": images, "Usage": ["Public", "Private"] * 4})
    solution.to_csv(data / "retrieval_solution.csv", index=False)
    (tmp_path / "empty.yaml").write_text("{}\n")
    (tmp_path / "my_steps.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_steps", raising=False)

    def command(stage, *words, config="empty.yaml"):
        return main([stage, "--config", config, "dataset.folder=data", "run.folder=out", "search.neighbours=20", *words])

    yield command
    sys.modules.pop("my_steps", None)


CHAIN = "rerank=[{step: sort}, {step: 'my_steps:Turn', first: 5}]"


def test_it_is_run_and_ablated_like_any_other(run, tmp_path, capsys):
    for stage in ("search", "rerank", "submit", "evaluate", "ablate"):
        assert run(stage, CHAIN, "ablate.sweep={'my_steps:Turn': {first: [1, 3]}}", "ablate.samples=100") == 0, capsys.readouterr().err
    sorted_first, turned = (np.load(tmp_path / "out/rankings" / name / "indices.npy") for name in ("sort", "sort+my_steps:Turn(first=5)"))
    np.testing.assert_array_equal(turned[:, :5], sorted_first[:, 4::-1])
    table = pd.read_csv(tmp_path / "out/ablate/ablation.csv")
    assert table["row"].tolist() == [
        "knn",
        "+ sort",
        "+ my_steps:Turn(first=5)",
        "= all steps",
        "- sort",
        "- my_steps:Turn(first=5)",
        "best of 3",
    ]
    assert pd.read_csv(tmp_path / "out/ablate/sweep.csv")["my_steps:Turn.first"].tolist()


def test_names_alone_and_an_unknown_setting(run, capsys):
    assert run("search", "rerank=sort,my_steps:Turn") == 0
    assert run("rerank", "rerank=sort,my_steps:Turn") == 0
    assert run("config", "rerank=[{step: 'my_steps:Turn', frist: 3}]") == 2
    assert "unknown key rerank.0.frist; did you mean first?" in capsys.readouterr().err
    assert run("config", "rerank=[{step: 'my_steps:Turn', first: 0}]") == 2
    assert "rerank.0.first: Input should be greater than or equal to 1" in capsys.readouterr().err


def test_another_source_is_another_ranking(run, tmp_path):
    assert run("search", CHAIN) == 0 and run("rerank", CHAIN) == 0
    manifest = tmp_path / "out/rankings/sort+my_steps:Turn(first=5)/manifest.json"
    before = json.loads(manifest.read_text())
    assert len(before["settings"]["chain"][1]["source"]) == 32
    assert run("rerank", CHAIN) == 0 and json.loads(manifest.read_text()) == before
    (tmp_path / "my_steps.py").write_text(CODE + "# changed\n")
    assert run("rerank", CHAIN) == 0
    assert json.loads(manifest.read_text())["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize(
    "words", [CHAIN, "ablate.chains={a: [my_steps:Turn]}", "ablate.sweep={'my_steps:Turn': {first: [1]}}", "rerank=my_steps:Turn"]
)
def test_a_run_folder_s_configuration_imports_nothing(run, tmp_path, capsys, words):
    stranger = tmp_path / "theirs"
    (stranger / "rankings").mkdir(parents=True)
    key, _, value = words.partition("=")
    *sections, last = key.split(".")
    (stranger / "config.yaml").write_text(f"{': {'.join([*sections, ''])}{last}: {value}{'}' * len(sections)}\n")
    assert run("config", config="theirs/config.yaml") == 2
    refusal = capsys.readouterr().err
    assert "my_steps:Turn is code from outside the package" in refusal and "--allow-code" in refusal
    assert "my_steps" not in sys.modules
    assert run("config", "--allow-code", config="theirs/config.yaml") == 0
    assert "my_steps" in sys.modules


def test_what_is_typed_is_trusted(run, tmp_path):
    (tmp_path / "theirs" / "rankings").mkdir(parents=True)
    (tmp_path / "theirs" / "config.yaml").write_text("rerank: [sort]\n")
    assert run("config", "rerank=my_steps:Turn", config="theirs/config.yaml") == 0


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("nowhere:Turn", "cannot be imported: ModuleNotFoundError(.|\\n)*next:  a file nowhere.py in this folder"),
        ("broken:Turn", "cannot be imported: NameError(.|\\n)*where: .*broken.py, line 2\\n  next:  correct that file"),
        *(
            (
                f"{name}:Turn",
                f"imported: ModuleNotFoundError: No module named 'absent'(.|\\n)*{name}.py, line 1\\n  next:  correct that file",
            )
            for name in ("needy", "absent_steps")
        ),
        ("my_steps:Trun", "my_steps:Trun is not a step.*; did you mean Turn?"),
        ("my_steps:not_a_step", "is not a step"),
        ("my_steps:Step", "is not a step"),
    ],
)
def test_what_is_no_step_is_refused(run, tmp_path, step, message):
    (tmp_path / "broken.py").write_text("\nundefined\n")
    for name in ("needy", "absent_steps"):
        (tmp_path / f"{name}.py").write_text("import absent\n")
    with pytest.raises(UserError, match=message):
        load_config(None, [f"rerank={step}"])


def test_a_step_that_returns_no_ranking_is_named(run, capsys):
    assert run("search", "rerank=my_steps:Nothing") == 0
    assert run("rerank", "rerank=my_steps:Nothing") == 2
    assert "the step my_steps:Nothing returned NoneType, not a Ranking" in capsys.readouterr().err


def test_the_steps_behind_it_work_on_the_vectors_that_it_made(run, tmp_path):
    """It does not name the folder of the vectors before it, which are not taken for its own. In memory there is no such folder."""
    for stage in ("search", "rerank"):
        assert run(stage, "rerank=my_steps:Move,expand_query", "whiten.dimensions=0") == 0
    arrays = [np.load(tmp_path / f"data/{split}.npy") for split in ("test", "index", "train")]
    labels = pd.read_csv(tmp_path / "data/train.csv")["landmark_id"]
    in_memory = rerank_arrays(*arrays, labels, chain="my_steps:Move,expand_query", neighbours=20)
    np.testing.assert_array_equal(np.load(tmp_path / "out/rankings/my_steps:Move+expand_query/indices.npy"), in_memory.indices)
    assert (tmp_path / "out/rankings/my_steps:Move/space/test.npy").is_file()


def test_a_bundle_takes_its_module_along(run, tmp_path):
    assert [path.name for path in _code_of_steps(load_config(None, ["rerank=sort,my_steps:Turn"]).rerank)] == ["my_steps.py"]
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "steps.py").write_text(CODE)
    assert [path.name for path in _code_of_steps(load_config(None, ["rerank=package.steps:Turn"]).rerank)] == ["package"]
    for name in ("package", "package.steps"):
        sys.modules.pop(name, None)
