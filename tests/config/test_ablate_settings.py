import pytest

from landmarks.config import load_config, step_name, with_settings
from landmarks.errors import UserError


def test_chains_and_sweeps_are_read_from_the_command_line_too():
    config = load_config(None, ["ablate.chains.mine=[{step: sort, neighbours: 5}]", "ablate.sweep.insert.threshold=[0.5, 0.6]"])
    assert step_name(config.ablate.chains["mine"][0]) == "sort(neighbours=5)"
    assert config.ablate.sweep == {"insert": {"threshold": (0.5, 0.6)}}
    assert config.ablate.leave_one_out and config.ablate.choose_on == "half"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ablate.sweep.srot.neighbours=[3]", "unknown step 'srot'; did you mean sort?"),
        ("ablate.sweep.sort.neighbors=[3]", "unknown key 'neighbors'; did you mean neighbours?"),
        ("ablate.sweep.sort.step=[insert]", "unknown key 'step'"),
        ("ablate.sweep.sort.neighbours=[3, 0]", "greater than or equal to 1, not 0"),
        ("ablate.sweep.sort.neighbours=[]", "at least 1 item"),
        ("ablate.sweep.sort.neighbours=3", "valid tuple, not 3"),
        ("ablate.chains.mine=[{step: srot}]", "did you mean sort?"),
        ("ablate.chains={a: [sort], b: [sort, auto]}", "ablate.chains.b: auto is chosen for the run's own chain alone: rerank=auto, or"),
        ("ablate.leave_one_ot=false", "did you mean ablate.leave_one_out?"),
        ("ablate.choose_on=private", "'half' or 'public'"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(override, message):
    with pytest.raises(UserError) as error:
        load_config(None, [override])
    assert message in str(error.value) and "ablate" in str(error.value)


def test_a_step_keeps_the_settings_that_are_not_swept():
    step = load_config(None, ["rerank=[{step: insert, threshold: 0.7}]"]).rerank[0]
    changed = with_settings(step, {"neighbours": 5})
    assert step_name(changed) == "insert(neighbours=5,threshold=0.7)" and step.neighbours == 3
    with pytest.raises(UserError, match="greater than or equal to 1, not 0"):
        with_settings(step, {"neighbours": 0})
