import numpy as np

from sample_world.traits import Traits

NAMES = [f"trait {number}" for number in range(300)]


def test_a_decision_depends_on_its_name_and_not_on_the_order():
    one, other = Traits("family", "own"), Traits("family", "own")
    forward = [one.number(name, 0, 1) for name in NAMES]
    assert [other.number(name, 0, 1) for name in reversed(NAMES)] == forward[::-1]
    assert one.number(NAMES[0], 0, 1) == forward[0]


def test_look_alikes_share_most_decisions_and_strangers_do_not():
    one, sibling, stranger = Traits("family", "a"), Traits("family", "b"), Traits("another", "c")
    options = range(1000)
    picks = [np.array([traits.pick(name, options) for name in NAMES]) for traits in (one, sibling, stranger)]
    assert 0.35 < (picks[0] == picks[1]).mean() < 0.65  # both share a name with probability 0.7^2
    assert (picks[0] == picks[2]).mean() < 0.05
    assert all(one.family_pick(name, options) == sibling.family_pick(name, options) for name in NAMES)


def test_ranges_and_probabilities():
    traits = Traits("family", "own")
    numbers = np.array([traits.number(name, 3, 5) for name in NAMES])
    assert numbers.min() >= 3 and numbers.max() <= 5 and numbers.std() > 0.4
    counts = [Traits("family", name).count("count", 2, 4) for name in NAMES]
    assert set(counts) == {2, 3, 4}
    assert 0.15 < np.mean([Traits(name, name).chance("chance", 0.25) for name in NAMES]) < 0.35
    colour = traits.colour("wall", ((250, 5, 100),))
    assert colour.shape == (3,) and (colour >= 0).all() and (colour <= 255).all() and np.abs(colour - [250, 5, 100]).max() < 25
