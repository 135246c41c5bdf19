from dataclasses import replace

import pytest

from landmarks.data.copies import Cost
from landmarks.training.copies_pay import Figures, pays

# Eight A100 that wait half of the time: 1.5 million pictures for five epochs, of 75 ms of a core each, 8 ms from a copy; 64 cores.
COST = Cost(from_file=0.075, from_copy=0.008, making=0.085, size=80_000)
LARGE = Figures(0.5, 850.0, 7_500_000, 1_500_000, COST, 64, 1e12)


def test_the_figures_of_a_large_training():
    """By hand: 8,824 s are left at 850 images a second, 4,412 s at the 1,700 of the network; making takes 1,992 s."""
    assert LARGE.seconds_left == pytest.approx(8_823.5, abs=0.1) and LARGE.seconds_saved == pytest.approx(4_411.8, abs=0.1)
    assert LARGE.seconds_to_make == pytest.approx(1_992.2, abs=0.1) and LARGE.size == 120e9
    better, why = pays(LARGE)
    assert better and why == (
        "50% of the time waiting for images; smaller copies are prepared 9.4 times as fast, which saves 74 min of 2.5 h and takes 33 min, "
        "and 120 GB of 1 TB free"
    )


def test_copies_can_make_the_cores_the_limit_no_faster_than_they_are():
    """Twice as fast from copies, where the network could be ten times as fast."""
    starved = replace(LARGE, waiting=0.9, cost=COST._replace(from_copy=0.0375))
    assert starved.seconds_saved == pytest.approx(starved.seconds_left / 2)
    assert replace(starved, cost=COST._replace(from_copy=0.08)).seconds_saved == 0, "dearer than the files themselves"


@pytest.mark.parametrize(
    ("changed", "better"),
    [
        ({}, True),
        ({"waiting": 0.05}, False),  # hardly any
        ({"waiting": 0.06}, False),  # some, which saves less than it takes
        ({"waiting": 1.0}, True),
        ({"left": 4_000_000}, False),  # 2,353 s saved, less than 1.5 x 1,992
        ({"left": 5_200_000}, True),  # 3,059 s
        ({"left": 0}, False),
        ({"cores": 16}, False),  # four times as long to make
        ({"free": 119e9}, False),
        ({"cost": COST._replace(from_copy=0.07)}, False),  # small pictures
        ({"pictures": 0, "free": 0.0}, True),  # they are there
        ({"pictures": 0, "left": 1000, "waiting": 0.06}, True),
        ({"pictures": 0, "waiting": 0.04}, False),
        ({"pictures": 0, "cost": COST._replace(from_copy=0.08)}, False),
    ],
)
def test_the_table_of_cases(changed, better):
    assert pays(replace(LARGE, **changed))[0] == better


def test_copies_that_are_there_cost_nothing():
    assert pays(replace(LARGE, pictures=0))[1].endswith("which saves 74 min of 2.5 h, and they are there")
