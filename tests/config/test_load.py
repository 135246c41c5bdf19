import sys
from pathlib import Path

import pytest

from landmarks.config import chain_names, load_config, step_class, step_names
from landmarks.config.keys import known_keys
from landmarks.config.renamed import CONSTANT, RENAMED
from landmarks.errors import UserError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_in_the_project_is_valid(path):
    load_config(path)


def test_overrides_are_typed_and_reach_everywhere(tmp_path):
    (tmp_path / "c.yaml").write_text("models: {a: {dimensions: 64}}\n")
    config = load_config(
        tmp_path / "c.yaml",
        [
            "train.epochs=3",
            "models.a.backbone=resnet50",
            "models.b={dimensions: 0}",
            "run.folder=out/x",
            "rerank=[{step: sort}, {step: insert, threshold: 0.5}]",
        ],
    )
    assert config.train.epochs == 3 and config.models["a"].backbone == "resnet50" and config.models["a"].dimensions == 64
    assert config.models["b"].dimensions == 0 and config.run.folder == Path("out/x")
    assert config.rerank[1].threshold == 0.5 and config.rerank[0].neighbours == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.learning_rat=1", "unknown key train.learning_rat; did you mean train.learning_rate?"),
        ("learning_rate=1", "did you mean train.learning_rate?"),
        ("trian={epochs: 1}", "did you mean train?"),
        ("models.a.backbon=x", "did you mean models.a.backbone?"),
        ("rerank=[{step: sorted}]", "did you mean sort?"),
        ("rerank=[{step: sort, neighbors: 3}]", "did you mean neighbours?"),
        ("rerank=[{neighbours: 3}]", "names no step"),
        ("train.epochs=-1", "greater than or equal to 0, not -1"),
        ("train.epochs.more=1", "no keys of its own"),
        ("photos.test_share=0.7", "less than 1"),
        ("train.epochs", "not an override"),
        ("train.epochs=[", "not valid YAML"),
        ("extract.scales=[0]", "greater than 0"),
        ("train.learning_rate=.inf", "finite"),
        ("models={../x: {}}", "should match pattern"),
        ("rerank=3", "write rerank=sort,insert"),
        ("rerank=[3]", "names no step"),
        ("dataset.source=foldr", "did you mean folder?"),
        ("evaluate.protocol=retrievl", "did you mean retrieval?"),
        ("rerank=sort,inset", "did you mean insert?"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(override, message):
    with pytest.raises(UserError) as error:
        load_config(None, ["train.epochs=1", override])
    assert message in str(error.value)


@pytest.mark.parametrize("folder", ["2024", "yes", "/a/b #1", "/a: b"])
def test_a_path_is_taken_as_typed(folder):
    typed = [f"run.folder={folder}", f"evaluate.submission={folder}", f"models.a.checkpoint={folder}", f"whiten.learned_on={folder}"]
    config = load_config(None, typed)
    assert config.run.folder == config.evaluate.submission == config.models["a"].checkpoint == Path(folder)
    assert config.whiten.learned_on == folder


def test_home_is_expanded_and_a_name_can_be_unset():
    config = load_config(None, ["run.folder=~/runs", "dataset.solution=null"])
    assert config.run.folder == Path.home() / "runs" and config.dataset.solution is None


def test_a_key_given_twice_is_refused_and_an_empty_section_is_none(tmp_path):
    (tmp_path / "c.yaml").write_text("rerank: []\nrerank: [{step: sort}]\n")
    with pytest.raises(UserError, match="'rerank' is given twice"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("search:\n  # neighbours: 50\ntrain: {epochs: 2}\n")
    assert load_config(tmp_path / "c.yaml").train.epochs == 2


def test_a_missing_and_a_malformed_file(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        load_config(tmp_path / "none.yaml")
    for text in ("a: [", "- 1", "\xff"):
        (tmp_path / "bad.yaml").write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError, match="bad.yaml"):
            load_config(tmp_path / "bad.yaml")


def test_prefixes_are_named_by_their_steps():
    assert chain_names(load_config(None, ["rerank=[{step: sort}, {step: insert}]"]).rerank) == ["knn", "sort", "sort+insert"]
    assert chain_names(()) == ["knn"]


def test_every_setting_says_what_it_means():
    for key, field in known_keys().items():
        assert field.description, key


def test_a_wrong_key_within_optional_settings_is_told_the_right_one():
    with pytest.raises(UserError, match=r"unknown key models.m.local.dimension; did you mean models.m.local.dimensions\?"):
        load_config(None, ["models.m.local.dimension=64"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("verification.least_matches=3", "verification.least_matches is now called verification.min_matches"),
        ("clean.least_inliers=3", "is now called clean.min_inliers"),
        ("rerank=[{step: verify, least_inliers: 3}]", "verify.least_inliers is now called verify.min_inliers"),
        ("ablate.chains.a=[{step: classify, label_weight: 3}]", "classify.label_weight is no longer a setting: it is always 0.5"),
        ("verification.most_zoom=3", "verification.most_zoom is no longer a setting: it is always 8"),
    ],
)
def test_a_key_of_an_earlier_version_is_told_what_became_of_it(override, message):
    with pytest.raises(UserError) as error:
        load_config(None, [override])
    assert message in str(error.value)


def test_every_renamed_key_leads_to_one_that_is_there():
    steps = {f"{name}.{key}" for name in step_names() for key in step_class(name).model_fields}
    assert set(RENAMED.values()) <= set(known_keys()) | steps and not set(RENAMED) & (set(known_keys()) | steps)
    assert not set(CONSTANT) & (set(known_keys()) | steps)


@pytest.mark.parametrize("place", ["theirs/config.yaml", "theirs/other.yaml", "link.yaml"])
def test_a_file_in_a_run_folder_names_no_code_unless_it_is_typed_or_allowed(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "outside.py").write_text(
        "from landmarks.config import Step\nclass A(Step):\n    def apply(self, ranking, context): ...\nclass B(A): ...\n"
    )
    (tmp_path / "theirs" / "rankings").mkdir(parents=True)
    for name in ("config", "other"):
        (tmp_path / "theirs" / f"{name}.yaml").write_text("rerank: [sort, outside:A]\nablate: {chains: {more: [outside:B]}}\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "theirs" / "other.yaml")
    (tmp_path / "mine.yaml").write_text((tmp_path / "theirs" / "other.yaml").read_text())
    try:
        for typed in ([], ["rerank=sort"], ["rerank=sort", "ablate.leave_one_out=false"]):
            with pytest.raises(UserError, match="code from outside the package"):
                load_config(place, typed)
        assert "outside" not in sys.modules
        with pytest.raises(UserError, match="outside:B is code from outside"):
            load_config(place, ["rerank=outside:A"])
        typed = ["rerank=[{step: 'outside:A'}]", "ablate.chains={more: 'sort, outside:B'}"]
        assert [step.step for step in load_config(place, typed).rerank] == ["outside:A"]
        for trusted in (load_config(place, allow_code=True), load_config("mine.yaml")):
            assert trusted.ablate.chains["more"][0].step == "outside:B"
    finally:
        sys.modules.pop("outside", None)
