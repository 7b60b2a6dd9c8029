"""The split: sizes, seeds, classes in proportion, and what is no amount."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muslin.datasets import split
from muslin.errors import InputError

LABELS = np.arange(60_000) % 10


def test_a_tenth_of_fashion_mnist():
    train, validation = split(LABELS, 0.1)
    assert (len(train), len(validation)) == (54_000, 6_000)
    assert train.dtype == validation.dtype == np.int64


@pytest.mark.parametrize(
    ("validation", "total", "expected"),
    [
        (0, 7, 0),
        (3, 7, 3),
        (6, 7, 6),
        (np.int64(3), 7, 3),
        (0.0, 7, 0),
        (0.5, 8, 4),
        (np.float32(0.5), 8, 4),
        (0.01, 7, 1),  # never none at all
        (0.99, 7, 6),  # nor all
        (0.3, 1, 0),
    ],
)
def test_amounts(validation, total, expected):
    train, held = split(np.zeros(total, int), validation)
    assert (len(train), len(held)) == (total - expected, expected)


@given(
    labels=st.lists(st.integers(-2, 4), min_size=1, max_size=60),
    fraction=st.floats(0, 0.999),
    seed=st.integers(0, 2**64),
    stratify=st.booleans(),
)
def test_the_two_parts_are_all_samples_once(labels, fraction, seed, stratify):
    train, validation = split(labels, fraction, seed=seed, stratify=stratify)
    assert sorted([*train, *validation]) == list(range(len(labels)))


@pytest.mark.parametrize("stratify", [False, True])
def test_the_seed_decides_and_nothing_else(stratify):
    first, again, other = (split(LABELS, 0.1, seed=seed, stratify=stratify) for seed in (3, 3, 4))
    for part in range(2):
        np.testing.assert_array_equal(first[part], again[part])
        assert not np.array_equal(first[part], other[part])


@pytest.mark.parametrize("stratify", [False, True])
def test_the_order_is_shuffled(stratify):
    for part in split(LABELS, 0.5, stratify=stratify):
        assert 0.48 < np.mean(np.diff(part) > 0) < 0.52


def test_the_same_split_in_every_version():
    train, validation = split(np.zeros(10), 3, seed=0)
    assert (train.tolist(), validation.tolist()) == ([9, 1, 6, 7, 5, 8, 0], [4, 2, 3])
    train, validation = split(np.arange(12) % 3, 4, seed=0, stratify=True)
    assert (train.tolist(), validation.tolist()) == ([11, 7, 2, 4, 10, 9, 8, 0], [5, 1, 6, 3])


@pytest.mark.parametrize(
    ("sizes", "amount", "expected"),
    [
        ([60, 30, 10], 0.1, [6, 3, 1]),
        ([5, 3, 2], 3, [1, 1, 1]),  # 1.5, 0.9, 0.6: the two left over go to 0.9 and 0.6
        ([7, 2, 1], 5, [4, 1, 0]),  # 3.5, 1.0, 0.5: of equal remainders the first
        ([97, 2, 1], 1, [1, 0, 0]),
    ],
)
def test_stratified_shares_by_the_largest_remainder(sizes, amount, expected):
    labels = np.random.default_rng(0).permutation(np.repeat([5, 7, 11], sizes))
    _, validation = split(labels, amount, stratify=True)
    assert [np.sum(labels[validation] == label) for label in (5, 7, 11)] == expected


def test_stratified_members_depend_on_the_seed_in_every_class():
    members = [set(split(LABELS, 0.1, seed=seed, stratify=True)[1]) for seed in range(2)]
    for label in range(10):
        first, second = ({i for i in part if i % 10 == label} for part in members)
        assert len(first) == len(second) == 600
        assert len(first & second) < 120  # about 60 by chance


@pytest.mark.parametrize("validation", [-0.1, 1.0, 1.5, float("nan"), -1, 7, 8, True, "0.1", None])
def test_what_is_no_amount(validation):
    with pytest.raises(
        InputError, match=r"validation is .*; it must be a fraction, 0 ≤ fraction < 1, or .* from 0 to 6"
    ):
        split(np.zeros(7, int), validation)


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_what_is_no_seed(seed):
    with pytest.raises(InputError, match=r"seed is .*a whole number from 0"):
        split(np.zeros(7, int), 0.1, seed=seed)


@pytest.mark.parametrize("labels", [np.zeros((3, 2)), np.zeros(0), np.float64(1)])
def test_what_are_no_labels(labels):
    with pytest.raises(InputError, match="one label a sample"):
        split(labels)
