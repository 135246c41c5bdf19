from landmarks.ops.sides import ANY, Sides


def test_the_nearest_multiple_is_taken():
    assert Sides(14, 14).nearest(512, 335.9) == (518, 336)
    assert Sides(32, 32).one(1000) == 992 and Sides(14, 28).one(3) == 28


def test_any_side_is_the_nearest_pixel():
    assert ANY.nearest(512.4, 0.2) == (512, 1)
