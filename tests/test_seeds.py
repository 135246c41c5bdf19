from landmarks.seeds import seed_of


def test_a_seed_never_changes():
    """Splits, weights and samples of earlier runs were drawn with it."""
    assert seed_of("verify", "a", 3) == 1843515877374081055
    assert seed_of("verify", "a", "3") == 1843515877374081055, "the text of the parts counts"


def test_parts_are_kept_apart_and_in_order():
    seeds = [seed_of("ab", "c"), seed_of("a", "bc"), seed_of("c", "ab"), seed_of("abc"), seed_of("abc", "")]
    assert len(set(seeds)) == 5 and all(0 <= seed < 2**63 for seed in seeds)


def test_a_file_name_that_is_no_unicode_has_a_seed():
    assert seed_of(b"caf\xe9".decode("utf-8", "surrogateescape")) != seed_of("caf")
