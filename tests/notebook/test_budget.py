import pytest

from landmarks.notebook.budget import Budget, area


def test_pixels_over_all_scales():
    assert area((0.5, 1.0, 2.0)) == 5.25


def test_what_fits_is_kept_and_before_anything_is_measured_all_is():
    budget = Budget((0.5, 1.0), verify=True, verification=lambda unit: 10.0)
    assert budget.fit(20.0, {"a": 1000}) == []
    budget.measured("a", 1.25, 100)  # 0.01 s a picture at scale 1
    assert budget.seconds({"a": 1000}) == pytest.approx(12.5)
    assert budget.fit(22.6, {"a": 1000}) == [] and budget.verify


def test_verification_goes_first_then_the_largest_scale():
    budget = Budget((0.5, 1.0, 2.0), verify=True, verification=lambda unit: 1000 * unit["a"])
    budget.measured("a", 5.25, 100)  # 0.01 s at scale 1: 52.5 s for 1000 images, and 10 s of verification
    assert budget.fit(60.0, {"a": 1000}) == ["verification"]
    assert budget.scales == (0.5, 1.0, 2.0)
    assert budget.fit(52.0, {"a": 1000}) == ["scale 2"]
    assert budget.fit(1.0, {"a": 1000}) == ["scale 1"] and budget.scales == (0.5,)
    assert budget.fit(0.0, {"a": 1000}) == []
    assert budget.fit(1e9, {"a": 1000}) == [] and budget.scales == (0.5,), "what was dropped does not come back"


def test_all_at_once_where_nothing_else_helps():
    budget = Budget((1.0, 2.0), verify=True)
    budget.measured("a", 500.0, 100)
    assert budget.fit(10.0, {"a": 1000}) == ["verification", "scale 2"]


def test_the_latest_rate_counts_and_a_model_that_has_not_run_counts_as_the_slowest():
    budget = Budget((1.0,))
    budget.measured("a", 100.0, 100)
    budget.measured("a", 10.0, 100)
    budget.measured("b", 20.0, 100)
    assert budget.seconds({"a": 100, "b": 100}) == pytest.approx(30.0)
    assert budget.seconds({"c": 100}) == pytest.approx(20.0)
