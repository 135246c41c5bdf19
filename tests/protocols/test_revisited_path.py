"""A miniature of Revisited Oxford, from its authors' folder to the table."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.data.extract_set import ExtractSet
from landmarks.doctor.dataset import check_dataset
from landmarks.ops.vectors import learn_whitening
from landmarks.scoring.protocol import protocol_named
from landmarks.search.rankings import read_ranking
from landmarks.search.spaces import read_base_space
from tests.protocols.conftest import MODEL, facade, save

CONFIGS = Path(__file__).parents[2] / "configs"
DIFFICULTIES = ("easy", "medium", "hard")


def run(folder, out, *overrides, stages=("run",), model=MODEL):
    (out.parent / "empty.yaml").write_text("{}\n")
    settings = ["dataset.source=revisited", f"dataset.folder={folder}", f"run.folder={out}", *model, *overrides]
    for stage in stages:
        code = main([stage, "--config", str(out.parent / "empty.yaml"), *settings])
        if code:
            return code
    return 0


def truth_of(folder):
    gnd = pickle.loads((folder / "gnd_roxford5k.pkl").read_bytes())["gnd"]
    rows = [{kind: set(np.asarray(one[kind], int).tolist()) for kind in ("easy", "hard", "junk")} for one in gnd]
    return {
        "easy": [(r["easy"], r["junk"] | r["hard"]) for r in rows],
        "medium": [(r["easy"] | r["hard"], r["junk"]) for r in rows],
        "hard": [(r["hard"], r["junk"] | r["easy"]) for r in rows],
    }


def scores_by_hand(order, positives, junk):
    """AP and P@1, 5, 10 of one complete list."""
    clean = [image for image in order if image not in junk]
    places = [place for place, image in enumerate(clean) if image in positives]
    average = sum(((j / p if p else 1) + (j + 1) / (p + 1)) / 2 for j, p in enumerate(places)) / len(positives)
    return [average] + [sum(p < min(k, places[-1] + 1) for p in places) / min(k, places[-1] + 1) for k in (1, 5, 10)]


def whole_order(listed, query, index):
    """The list, then everything else by similarity."""
    similarities = index.astype(np.float32) @ query.astype(np.float32)
    listed = [image for image in listed if image >= 0]
    return listed + [image for image in np.argsort(-similarities, kind="stable") if image not in listed]


def test_the_whole_path_with_verification_scores_as_the_definition_says(roxford, tmp_path):
    out = tmp_path / "out"
    chain = "rerank=[{step: expand_query, neighbours: 2}, {step: verify, top: 4}]"
    assert run(roxford, out, chain, "search.neighbours=7") == 0
    metrics = json.loads((out / "metrics.json").read_text())
    space, ids = read_base_space(out / "space")
    expanded = {split: np.load(out / "rankings/expand_query(neighbours=2)/space" / f"{split}.npy") for split in ("test", "index")}
    folders = {
        "knn": ("knn", space.test, space.index),
        "expand_query(neighbours=2)": ("expand_query(neighbours=2)", expanded["test"], expanded["index"]),
        "expand_query(neighbours=2)+verify(top=4)": (
            "expand_query(neighbours=2)+remove_junk{}+verify(top=4)",
            expanded["test"],
            expanded["index"],
        ),
    }
    assert list(metrics["chains"]) == list(folders)
    for name, (folder, queries, index) in folders.items():
        for difficulty, truth in truth_of(roxford).items():
            branch = folder.format("" if difficulty == "medium" else f"(difficulty={difficulty})")
            lists = read_ranking(out / "rankings" / branch).indices
            rows = [
                scores_by_hand(whole_order(row, query, index), *one)
                for row, query, one in zip(lists, queries, truth, strict=True)
                if one[0]
            ]
            expected = 100 * np.mean(rows, axis=0)
            keys = [f"map_{difficulty}", *(f"precision_at_{at}_{difficulty}" for at in (1, 5, 10))]
            assert [metrics["chains"][name][key] for key in keys] == pytest.approx(expected.tolist(), abs=1e-3), (name, difficulty)
    assert metrics["queries"] == {"easy": 3, "medium": 3, "hard": 2}, "a query without hard images is left out, not zero"
    assert metrics["chains"]["knn"]["map_easy"] == 100.0, "the box holds the very pixels of the easy image"
    ablation = pd.read_csv(out / "ablation.csv")
    assert ablation["chain"].tolist() == list(folders) and {"map_easy", "map_medium", "map_hard"} <= set(ablation.columns)
    ledger = pd.read_csv(tmp_path / "results.csv")
    assert len(ledger) == 3 and set(ledger["protocol"]) == {"revisited"}
    for choice in ("query crop: the authors' boxes", "whitening: none", "training set: tiny: starting weights", "overlap: "):
        assert choice in ledger["choices"].iloc[0]


def test_verification_sees_no_junk(roxford, tmp_path):
    out = tmp_path / "out"
    assert run(roxford, out, "rerank=[{step: verify, top: 4}]") == 0
    for difficulty, truth in truth_of(roxford).items():
        branch = "remove_junk" + ("" if difficulty == "medium" else f"(difficulty={difficulty})")
        for row, (_, junk) in zip(read_ranking(out / "rankings" / f"{branch}+verify(top=4)").indices, truth, strict=True):
            assert not junk & set(row.tolist())
    assert run(roxford, out, "rerank=[{step: verify, top: 4}]", stages=["rerank", "evaluate"]) == 0


def test_the_crop_is_a_choice(roxford, tmp_path):
    assert run(roxford, tmp_path / "crop", stages=["prepare"]) == 0
    assert run(roxford, tmp_path / "whole", "dataset.query_crop=false") == 0
    picture = ExtractSet(tmp_path / "crop" / "dataset", "test", np.array(["college_000001"], object), 96).read(0)
    assert picture.pixels.shape == (96, 96, 3)
    assert np.abs(picture.pixels.astype(int) - facade(1)).mean() < 12, "as JPEG left it"
    np.testing.assert_array_equal(picture.offsets, [50, 30])
    picture = ExtractSet(tmp_path / "whole" / "dataset", "test", np.array(["college_000001"], object), 96).read(0)
    assert picture.pixels.shape[0] < picture.pixels.shape[1]
    assert json.loads((tmp_path / "whole" / "metrics.json").read_text())["choices"]["query crop"] == "none: whole pictures"


def test_whitening_without_a_train_set_is_a_choice_that_is_written_down(roxford, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(roxford, out, "whiten.dimensions=8") == 2
    assert "whiten.learned_on=index" in capsys.readouterr().err
    assert run(roxford, out, "whiten.dimensions=8", "whiten.learned_on=index") == 0
    choices = json.loads((out / "metrics.json").read_text())["choices"]
    assert choices["whitening"] == "8 dimensions, learned on index"


@pytest.mark.parametrize("step", ["sort", "insert", "add_labels", "discriminate", "fuse"])
def test_a_step_that_learns_from_train_is_refused(roxford, tmp_path, capsys, step):
    assert run(roxford, tmp_path / "out", f"rerank=[{{step: {step}}}]") == 2
    assert f"the step {step} learns from train's landmarks" in capsys.readouterr().err


def test_a_second_run_does_nothing(roxford, tmp_path, capsys):
    run(roxford, tmp_path / "out")
    capsys.readouterr()
    assert run(roxford, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "prepare: up to date" in said and "index: up to date" in said and "search: up to date" in said


def test_a_model_of_another_run_is_taken_over(roxford, tmp_path, capsys):
    assert run(roxford, tmp_path / "one", "train.seed=5") == 0
    taken = f"models.tiny.checkpoint={tmp_path / 'one' / 'models' / 'tiny'}"
    assert run(roxford, tmp_path / "other", taken) == 0
    one, other = (json.loads((tmp_path / name / "metrics.json").read_text())["chains"]["knn"] for name in ("one", "other"))
    assert {key: one[key] for key in one if key.startswith("map")} == {key: other[key] for key in other if key.startswith("map")}
    assert run(roxford, tmp_path / "third", taken, "models.tiny.dimensions=24") == 2
    assert "another model" in capsys.readouterr().err


# What a user may get wrong


@pytest.fixture
def arrays(roxford):
    """The same benchmark with descriptors in place of pictures."""
    rng = np.random.default_rng(0)
    np.save(roxford / "index.npy", rng.standard_normal((18, 12)).astype(np.float32))
    np.save(roxford / "test.npy", rng.standard_normal((3, 12)).astype(np.float32))
    return roxford


def test_own_descriptors_need_no_pictures(arrays, tmp_path):
    (arrays / "jpg").rename(arrays / "elsewhere")
    assert run(arrays, tmp_path / "out", model=[]) == 0
    index, test = (np.load(arrays / f"{split}.npy") for split in ("index", "test"))
    index /= np.linalg.norm(index, axis=1, keepdims=True)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())["chains"]["knn"]
    for difficulty, truth in truth_of(arrays).items():
        rows = [scores_by_hand(np.argsort(-index @ query).tolist(), *one)[0] for query, one in zip(test, truth, strict=True) if one[0]]
        assert metrics[f"map_{difficulty}"] == pytest.approx(100 * np.mean(rows), abs=0.01)


def test_descriptors_of_the_wrong_length_are_refused(arrays, tmp_path, capsys):
    np.save(arrays / "index.npy", np.ones((17, 12), np.float32))
    assert run(arrays, tmp_path / "out", model=[]) == 2
    assert "17 descriptors for 18 ids" in capsys.readouterr().err
    np.save(arrays / "index.npy", np.ones((18, 11), np.float32))
    assert run(arrays, tmp_path / "out", model=[]) == 2
    assert "different dimensions: test 12, index 11" in capsys.readouterr().err


def test_a_wrong_folder_a_missing_file_and_another_ground_truth(roxford, tmp_path, capsys):
    def refusal(folder, *overrides):
        assert run(folder, tmp_path / "out", *overrides, stages=["prepare"]) == 2
        return capsys.readouterr().err

    assert "does not exist" in refusal(tmp_path / "none")
    assert "no folder 'jpg' here" in refusal(roxford / "jpg")
    picture = roxford / "jpg" / "other_000003.jpg"
    picture.rename(roxford / "away.jpg")
    assert "1 of the 21 images that gnd_roxford5k.pkl names are not in jpg/, first 'other_000003.jpg'" in refusal(roxford)
    (roxford / "away.jpg").rename(picture)
    path = roxford / "gnd_roxford5k.pkl"
    value = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(value | {"imlist": [f"paris_{n}" for n in range(18)]}))
    assert "18 of the 21 images" in refusal(roxford)
    path.write_bytes(pickle.dumps(value | {"gnd": [{"ok": [1], "junk": [], "bbx": [0, 0, 1, 1]}] * 3}))
    assert "that of the original Oxford5k and Paris6k" in refusal(roxford)
    path.write_bytes(pickle.dumps(value | {"gnd": [one | {"easy": [18]} for one in value["gnd"]]}))
    assert "numbers from 0 to 17" in refusal(roxford)
    path.write_bytes(pickle.dumps(value | {"gnd": value["gnd"][:2]}))
    assert "3 queries in qimlist, 2 in gnd" in refusal(roxford)
    path.rename(roxford / "gnd_rparis6k.pkl")
    path.write_bytes(pickle.dumps(value))
    assert "several ground truths" in refusal(roxford)
    path.unlink()
    (roxford / "gnd_rparis6k.pkl").unlink()
    assert "no ground truth gnd_*.pkl" in refusal(roxford)


def test_evaluating_before_anything_is_made_says_what_to_type(roxford, tmp_path, capsys):
    assert run(roxford, tmp_path / "out", stages=["evaluate"]) == 2
    assert "./run.sh prepare" in capsys.readouterr().err


def test_the_default_configuration_of_the_paper_is_valid():
    for name in ("roxford", "rparis"):
        config = load_config(CONFIGS / f"{name}.yaml")
        assert config.protocol == "revisited" and len(protocol_named(config.protocol).chains(config.rerank)) == 3, (
            "it verifies, each difficulty without its own junk"
        )


def test_the_pictures_of_another_run_are_distractors_and_can_be_verified(roxford, tmp_path, capsys):
    """The second query's own picture among the distractors: it stands first, is verified by its local features, and is no positive."""
    far = tmp_path / "r1m"
    for number in range(5):
        save(far / "part" / f"far {number}.jpg", facade(300 + number) if number else facade(1))
    taken = [f"models.tiny.checkpoint={tmp_path / 'plain' / 'models' / 'tiny'}"]
    chain = ("rerank=[{step: verify, top: 5}]", "search.neighbours=12")
    assert run(roxford, tmp_path / "plain", *chain) == 0
    assert run(far, tmp_path / "far", "dataset.source=pictures", *taken) == 0
    assert not (tmp_path / "far" / "space").exists()
    out = tmp_path / "out"
    assert run(roxford, out, *chain, *taken, f"dataset.distractors={tmp_path / 'far'}") == 0
    ranking = read_ranking(out / "rankings" / "remove_junk+verify(top=5)")
    assert len(ranking.index_ids) == 18 + 5
    assert "part_far_0" in ranking.index_ids[ranking.indices[1, :2]], "as good as the easy image, which holds the same pixels"
    plain, more = (json.loads((tmp_path / name / "metrics.json").read_text())["chains"] for name in ("plain", "out"))
    assert more["verify(top=5)"]["map_easy"] <= plain["verify(top=5)"]["map_easy"]
    capsys.readouterr()
    assert run(roxford, tmp_path / "third", *taken, f"dataset.distractors={tmp_path / 'none'}") == 2
    assert "not there, or not finished" in capsys.readouterr().err
    assert run(roxford, tmp_path / "fourth", *taken, "extract.longest_side=64", f"dataset.distractors={tmp_path / 'far'}") == 2
    assert "described otherwise than the index" in capsys.readouterr().err


def test_the_doctor_knows_a_benchmark_before_it_is_prepared(roxford, tmp_path):
    settings = ["dataset.source=revisited", f"run.folder={tmp_path / 'out'}", *MODEL]
    checks, images = check_dataset(load_config(None, [f"dataset.folder={roxford}", *settings]))
    assert checks[0].state == "ok" and images == {"train": 0, "index": 18, "test": 3}
    checks, images = check_dataset(load_config(None, [f"dataset.folder={tmp_path}", *settings]))
    assert checks[0].state == "missing" and "no folder 'jpg' here" in checks[0].found and images is None


def test_whitening_can_be_learned_on_another_run(arrays, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    train = np.random.default_rng(5).standard_normal((50, 12))
    np.save(other / "train.npy", train)
    out = tmp_path / "out"
    assert run(arrays, out, "whiten.dimensions=6", f"whiten.learned_on={other}", model=[]) == 0
    index = np.load(arrays / "index.npy").astype(np.float64)
    whitening = learn_whitening(train / np.linalg.norm(train, axis=1, keepdims=True), 6)
    np.testing.assert_allclose(
        np.load(out / "space/index/vectors.npy"), whitening(index / np.linalg.norm(index, axis=1, keepdims=True)), atol=2e-3
    )
    np.save(other / "train.npy", train[:, :5])
    assert run(arrays, out, "whiten.dimensions=4", f"whiten.learned_on={other}", model=[]) == 2
    assert "those that whitening is learned on" in capsys.readouterr().err


def test_the_table_has_a_row_for_each_difficulty_and_the_choices_below(arrays, tmp_path, capsys):
    assert run(arrays, tmp_path / "out", model=[]) == 0
    printed = capsys.readouterr().out
    assert "revisited, in percent (queries: 3 easy, 3 medium, 2 hard)" in printed
    table = [line for line in printed.splitlines() if line.startswith("│ knn")]
    assert [line.split("│")[2].strip() for line in table] == list(DIFFICULTIES)
    assert "whitening                  none" in printed and "query crop                 not known (descriptors as given)" in printed


def test_a_box_outside_its_picture_is_the_user_s_to_mend(roxford, tmp_path, capsys):
    path = roxford / "gnd_roxford5k.pkl"
    value = pickle.loads(path.read_bytes())
    value["gnd"][1]["bbx"] = [500, 10, 600, 90]
    path.write_bytes(pickle.dumps(value))
    assert run(roxford, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert "lies outside the picture, which is 192 x 144 pixels" in told and "college_000001.jpg" in told
    value["gnd"][1]["bbx"] = [50, 90, 60, 10]
    path.write_bytes(pickle.dumps(value))
    assert run(roxford, tmp_path / "out", stages=["prepare"]) == 2
    assert "is not left, top, right, bottom" in capsys.readouterr().err


def test_a_ground_truth_that_names_other_images_is_refused_by_its_table_too(arrays, tmp_path, capsys):
    assert run(arrays, tmp_path / "out", model=[]) == 0
    path = tmp_path / "out" / "dataset" / "revisited_solution.csv"
    text = path.read_text()
    path.write_text(text.replace("hard_1", "paris_1"))
    capsys.readouterr()
    assert run(arrays, tmp_path / "out", model=[], stages=["evaluate"]) == 2
    told = capsys.readouterr().err
    assert "unknown index image 'paris_1" in told and "among the hard ones (1 unknown in all)" in told
    path.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    assert run(arrays, tmp_path / "out", model=[], stages=["evaluate"]) == 2
    assert "no row for query 'college_000002'" in capsys.readouterr().err


def test_what_changes_the_junk_makes_its_rankings_again(arrays, tmp_path, capsys):
    out, chain = tmp_path / "out", "rerank=[{step: expand_query, neighbours: 2}, {step: remove_junk}]"
    assert run(arrays, out, chain, model=[]) == 0
    path = arrays / "gnd_roxford5k.pkl"
    value = pickle.loads(path.read_bytes())
    value["gnd"][0] |= {"easy": [], "junk": np.append(value["gnd"][0]["junk"], value["gnd"][0]["easy"])}
    path.write_bytes(pickle.dumps(value))
    assert run(arrays, out, chain, "run.overwrite=true", model=[], stages=["prepare", "search"]) == 0
    assert run(arrays, out, chain, model=[], stages=["evaluate"]) == 2
    assert "made from another ground truth" in capsys.readouterr().err
    before = (out / "rankings" / "expand_query(neighbours=2)" / "manifest.json").stat().st_mtime_ns
    assert run(arrays, out, chain, model=[], stages=["rerank", "evaluate"]) == 0
    lists = read_ranking(out / "rankings" / "expand_query(neighbours=2)+remove_junk").indices
    for row, (_, junk) in zip(lists, truth_of(arrays)["medium"], strict=True):
        assert not junk & set(row.tolist())
    after = (out / "rankings" / "expand_query(neighbours=2)" / "manifest.json").stat().st_mtime_ns
    assert before == after, "the steps before it know no ground truth"
