"""The steps in place of auto: chosen once for a search, before anything is re-ranked; every stage then works with them."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from landmarks.api.run import open_run
from landmarks.cli import main
from landmarks.config import chain_names, load_config, read_chain, step_name
from landmarks.errors import UserError
from landmarks.pipeline import stages_of
from landmarks.rerank import resolve
from landmarks.rerank.resolve import with_chosen_steps


@pytest.fixture
def run(tmp_path):
    """run(stages, *overrides): exit code; a folder of descriptors of eight landmarks with a solution, rerank=sort,auto."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"
    folder.mkdir()
    centres, counts = rng.standard_normal((8, 12)), {"train": 6, "index": 4, "test": 2}
    ids = {split: [f"{split[:2]}{row:014x}" for row in range(8 * count)] for split, count in counts.items()}
    for split, count in counts.items():
        labels = np.repeat(np.arange(8), count)
        rows = centres[labels] + 1.1 * rng.standard_normal((len(labels), 12))
        np.save(folder / f"{split}.npy", (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
        columns = {"id": ids[split]} | ({"landmark_id": labels} if split == "train" else {})
        pd.DataFrame(columns).to_csv(folder / f"{split}.csv", index=False)
    truth = [" ".join(ids["index"][4 * label : 4 * label + 4]) for label in np.repeat(np.arange(8), 2)]
    solution = {"id": ids["test"], "images": truth, "Usage": ["Private", "Public"] * 8}
    pd.DataFrame(solution).to_csv(folder / "retrieval_solution.csv", index=False)
    (tmp_path / "empty.yaml").write_text("{}\n")
    shared = ["--config", str(tmp_path / "empty.yaml"), f"dataset.folder={folder}", f"run.folder={tmp_path / 'out'}", "whiten.dimensions=0"]

    def call(stages, *overrides):
        return max(main([stage, *shared, "search.neighbours=20", "rerank=sort,auto", *overrides]) for stage in stages.split())

    call.out = tmp_path / "out"
    call.config = lambda *more: load_config(tmp_path / "empty.yaml", [*shared[2:], "search.neighbours=20", "rerank=sort,auto", *more])
    return call


def test_the_chosen_steps_are_rows_of_the_table_and_what_other_stages_work_with(run, capsys):
    assert run("search rerank evaluate submit ablate", "ablate.leave_one_out=false") == 0
    chain = read_chain(["sort", *yaml.safe_load((run.out / "choice" / "chain.yaml").read_text())["rerank"]])
    steps, names = [step.step for step in chain], chain_names(chain)
    assert "discriminate" in steps and "auto" not in steps
    assert pd.read_csv(run.out / "ablation.csv")["chain"].tolist() == names
    rows = pd.read_csv(run.out / "ablate" / "ablation.csv")["row"].tolist()
    assert any(row.endswith("discriminate") for row in rows) and not any("auto" in row for row in rows)
    table = pd.read_csv(run.out / "choice" / "choice.csv")
    assert table.loc[table["kept"], "step"].tolist() == [step_name(step) for step in chain[1:]]
    said = capsys.readouterr().out
    assert "auto: kept    discriminate" in said and "chosen in" in said
    assert "auto" in (run.out / "config.yaml").read_text(), "the run's own configuration says what was asked for"
    np.testing.assert_array_equal(open_run(run.out).ranking().indices, open_run(run.out).ranking(names[-1]).indices)


def test_it_is_chosen_once_for_a_search_and_a_setting(run):
    run("search rerank")
    made = (run.out / "choice" / "manifest.json").read_text()
    assert run("rerank evaluate") == 0 and (run.out / "choice" / "manifest.json").read_text() == made
    run("rerank", "rerank=[{step: sort}, {step: auto, seed: 1}]")
    assert json.loads((run.out / "choice" / "manifest.json").read_text())["settings"]["chain"][1]["seed"] == 1


def test_what_only_reads_asks_for_the_choice(run, capsys):
    run("search")
    assert run("evaluate") == 2
    assert "have not been chosen" in capsys.readouterr().err
    with pytest.raises(UserError, match="not been chosen"):
        with_chosen_steps(run.config(), makes=False)
    assert open_run(run.out).ranking("knn").indices.shape == (16, 20), "a ranking in front of auto needs no choice"
    with pytest.raises(UserError, match="not been chosen"):
        open_run(run.out).ranking()
    plain = run.config().model_copy(update={"rerank": ()})
    assert with_chosen_steps(plain, makes=False) is plain


def test_overlap_chooses_where_it_scores_a_chain_and_not_before(run, tmp_path, capsys):
    index = np.load(tmp_path / "data" / "index.npy")
    index[0] = np.load(tmp_path / "data" / "train.npy")[0]
    np.save(tmp_path / "data" / "index.npy", index)
    assert run("overlap") == 0
    assert (run.out / "overlap" / "pairs.csv").is_file() and not (run.out / "choice").exists()
    assert "no score without the labels" in capsys.readouterr().out
    assert run("search overlap") == 0
    scores = json.loads((run.out / "overlap" / "scores.json").read_text())["chains"]
    steps = read_chain(["sort", *yaml.safe_load((run.out / "choice" / "chain.yaml").read_text())["rerank"]])
    assert list(scores) == chain_names(steps) and not (run.out / "rankings" / "sort+auto").exists()


def test_a_submission_file_to_score_changes_the_chain_of_no_other_stage(run, tmp_path):
    rows = [f"te{row:014x}," + f"in{row:014x}" for row in range(16)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,images", *rows]) + "\n")
    named = f"evaluate.submission={tmp_path / 'mine.csv'}"
    assert run("search evaluate", named) == 0, "no chain is asked for"
    assert not (run.out / "choice").exists() and run("submit", named) == 2
    assert run("rerank submit evaluate", named) == 0
    steps = read_chain(["sort", *yaml.safe_load((run.out / "choice" / "chain.yaml").read_text())["rerank"]])
    assert {path.name for path in (run.out / "rankings").iterdir()} == set(chain_names(steps))


def test_for_recognition_other_steps_are_chosen_and_kept_beside_those_for_retrieval(run, tmp_path, capsys):
    shown = {"id": [f"te{row:014x}" for row in range(16)], "landmarks": np.repeat(np.arange(8), 2), "Usage": ["Private", "Public"] * 8}
    pd.DataFrame(shown).to_csv(tmp_path / "data" / "recognition_solution.csv", index=False)
    recognition = ("evaluate.protocol=recognition", "rerank=auto")
    assert run("search rerank") == 0
    assert run("rerank recognize evaluate ablate", *recognition, "ablate.leave_one_out=false") == 0
    said = capsys.readouterr().out
    assert "auto: kept    discriminate: GAP" in said or "auto: dropped discriminate: GAP" in said
    steps = read_chain(yaml.safe_load((run.out / "recognition_choice" / "chain.yaml").read_text())["rerank"])
    assert not {"fuse", "diffuse", "augment_database"} & {step.step for step in steps}
    assert list(json.loads((run.out / "recognition" / "metrics.json").read_text())["chains"]) == chain_names(steps)[-1:]
    assert run("evaluate") == 0, "the steps for retrieval are still there"
    before = (run.out / "recognition_choice" / "manifest.json").read_text()
    assert run("rerank", *recognition, "recognize.frequent=3") == 0, "which steps are chosen does not hang on it"
    assert (run.out / "recognition_choice" / "manifest.json").read_text() == before
    assert run("rerank", *recognition, "recognize.neighbours=5") == 0
    assert (run.out / "recognition_choice" / "manifest.json").read_text() != before


def test_recognize_has_steps_of_its_own_and_leaves_those_of_the_run(run, capsys):
    run("search rerank submit")
    submitted = (run.out / "submission.csv").read_bytes()
    assert run("recognize") == 0
    assert ": GAP " in capsys.readouterr().out
    steps = read_chain(["sort", *yaml.safe_load((run.out / "recognition_choice" / "chain.yaml").read_text())["rerank"]])
    assert (run.out / "rankings" / chain_names(steps)[-1]).is_dir() and (run.out / "recognition" / "submission.csv").is_file()
    assert run("rerank submit") == 0 and (run.out / "submission.csv").read_bytes() == submitted


def test_the_choice_for_places_is_not_that_for_retrieval(run):
    config, places = run.config(), run.config("evaluate.protocol=places")
    run("search")
    made, other = (resolve.choice_artefact(one, one.rerank) for one in (config, places))
    assert made.folder == other.folder and made.recipe != other.recipe


def test_other_processes_wait_for_the_first(run, monkeypatch):
    run("search rerank")
    artefact, asked = resolve.choice_artefact, []
    waiting = resolve.choice_artefact(run.config(), run.config().rerank)
    monkeypatch.setattr(resolve, "is_first_process", lambda: False)
    monkeypatch.setattr(resolve, "choice_artefact", lambda *settings: waiting)
    monkeypatch.setattr(type(waiting), "is_complete", lambda self: asked.append(self) or len(asked) > 2)
    monkeypatch.setattr(resolve, "_POLL_SECONDS", 0)
    chain = with_chosen_steps(run.config(), makes=True).rerank
    assert len(asked) == 3 and chain_names(chain)[1] == "sort" and artefact is not resolve.choice_artefact


def test_without_training_images_it_says_what_it_fell_back_on(run, tmp_path, capsys):
    for name, rows in {"train.csv": pd.DataFrame({"id": [], "landmark_id": []})}.items():
        rows.to_csv(tmp_path / "data" / name, index=False)
    np.save(tmp_path / "data" / "train.npy", np.zeros((0, 12), np.float32))
    assert run("search rerank", "rerank=auto") == 0
    said = capsys.readouterr().out
    assert "auto: kept    expand_query(reach=10) (train has no two landmarks: nothing can be learned; it gained on other sets)" in said
    assert (run.out / "rankings" / "expand_query(reach=10)+add_communities(resolution=1.0)").is_dir()


def test_where_a_model_has_local_features_they_are_extracted():
    config = load_config(None, ["rerank=auto", "models.tiny={backbone: test_resnet, local: {}}"])
    assert {"search", "extract-local", "rerank"} <= set(stages_of(config))
    assert "extract-local" not in stages_of(load_config(None, ["rerank=auto"]))
