"""Dropout's masks: numbers that others made, shares, and independence of step, layer and seed."""

import numpy as np
import pytest

from muslin.engines import dropout


def test_splitmix64():
    """The first numbers from the seed 1234567, as Vigna's C code prints them."""
    counted = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * dropout.GOLDEN
    assert dropout.mixed(counted).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def mask(share=0.3, seed=1, step=1, layer=1, shape=(200, 100), dtype=np.float32):
    drawn = np.full(shape, 7, dtype, order="F")
    dropout.draw(drawn, dropout.keys(seed, np.array([step]), layer)[0], share)
    return drawn


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_the_share_that_is_left_out_and_the_mean_that_stays(share):
    drawn = mask(share)
    assert set(np.unique(drawn)) <= {0.0, np.float32(1 / (1 - share))}
    assert (drawn == 0).mean() == pytest.approx(share, abs=5 * (0.25 / drawn.size) ** 0.5)


def test_steps_layers_seeds_units_and_samples_differ():
    first = mask(0.5) == 0
    for other in (mask(0.5, step=2), mask(0.5, layer=2), mask(0.5, seed=2), mask(0.5, seed=2**70)):
        assert ((other == 0) == first).mean() == pytest.approx(0.5, abs=0.02)
    for axis in (0, 1):
        assert ((first == np.roll(first, 1, axis)).mean()) == pytest.approx(0.5, abs=0.02)


def test_keys_of_many_steps_are_those_of_each():
    many = dropout.keys(3, np.arange(5, 9), 2)
    assert many.tolist() == [dropout.keys(3, np.array([t]), 2)[0] for t in range(5, 9)]
