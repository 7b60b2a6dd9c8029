"""Distributions, draws and the grid: against the package sweeps 0.2.0, which is W&B's own search."""

import json
import math
import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from muslin.sweeps.file.distributions import DISTRIBUTIONS
from muslin.sweeps.file.space import LARGEST, SMALLEST, Grid, Space, draw, infer, leaf, point

REFERENCES = Path(__file__).parents[1] / "references"
RECORD = json.loads((REFERENCES / "sweeps.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(REFERENCES / "make.py"))
PARAMETERS, POINTS, GRIDS, SECTIONS = (MAKE[name] for name in ("PARAMETERS", "POINTS", "GRIDS", "SECTIONS"))

each_parameter = pytest.mark.parametrize("name", PARAMETERS)


def numbers(name, values):
    """Choices as their places, numbers as they are."""
    choices = PARAMETERS[name].get("values")
    return [choices.index(v) for v in values] if choices else values


def p_value(name, space):
    """Of the Kolmogorov–Smirnov test of 3,000 draws, to the six digits of the record, against the recorded 300."""
    ours = numbers(name, [draw(space, 0, i)["x"] for i in range(3000)])
    theirs = numbers(name, RECORD["samples"][name])
    return ks_2samp([float(f"{v:.6g}") for v in ours], theirs, method="asymp").pvalue


def space_of(**parameters):
    return Space.of(parameters)


def test_every_distribution_is_tested():
    assert {infer(spec) for spec in PARAMETERS.values()} | {"constant"} == DISTRIBUTIONS.keys()


@each_parameter
def test_the_inverse_of_the_cdf(name):
    ours = [leaf(("x",), PARAMETERS[name])(u) for u in POINTS]
    np.testing.assert_allclose(numbers(name, ours), numbers(name, RECORD["quantiles"][name]), rtol=1e-12, atol=1e-15)


@each_parameter
def test_random_draws_are_distributed_as_those_of_wandb(name):
    assert p_value(name, space_of(x=PARAMETERS[name])) > 0.01


@pytest.mark.parametrize(
    ("name", "other"),
    [("log_uniform_values", {"min": 1e-5, "max": 0.1}), ("beta", PARAMETERS["q_beta"]), ("int_uniform", {"value": 2})],
)
def test_a_wrong_distribution_would_be_found_out(name, other):
    assert p_value(name, space_of(x=other)) < 1e-6


@each_parameter
def test_values_at_the_very_ends_are_finite_and_within_the_bounds(name):
    x = leaf(("x",), PARAMETERS[name])
    ends = numbers(name, [x(u) for u in (0.0, SMALLEST, LARGEST, 1.0)])
    assert all(math.isfinite(v) for v in ends)
    assert ends[:2] == ends[:1] * 2
    assert ends[2:] == ends[3:] * 2
    low, high = x.fields.get("min"), x.fields.get("max")
    if x.distribution in ("uniform", "log_uniform_values", "inv_log_uniform_values", "int_uniform"):
        assert ends[0] == pytest.approx(low)
        assert ends[3] == pytest.approx(high)
        assert low <= ends[0] <= ends[3] <= high


@pytest.mark.parametrize("q", [1, 3, None, 0.5, 1.0])
def test_values_are_whole_where_q_is(q):
    x = leaf(("x",), {"distribution": "q_normal", "sigma": 5} | ({"q": q} if q else {}))
    assert {type(x(u)) for u in POINTS} == {float if isinstance(q, float) else int}


def test_halves_go_to_the_even_multiple_and_bounds_do_not_clip():
    x = leaf(("x",), {"distribution": "q_uniform", "min": 0, "max": 10, "q": 4})
    assert [x(u) for u in (0.2, 0.2001, 0.6, 0.6001, 1.0)] == [0, 4, 8, 8, 8]  # 2 / 4 → 0, 6 / 4 → 2, 10 / 4 → 2
    x = leaf(("x",), {"distribution": "q_uniform", "min": 0, "max": 11, "q": 4})
    assert x(0.99) == 12


def test_probabilities_that_sum_to_less_than_1_by_rounding():
    x = leaf(("x",), {"values": ["a", "b", "c"], "probabilities": [0.33333, 0.33333, 0.33333]})
    assert [x(u) for u in (0.0, 0.3333, 0.3334, 0.6666, 0.6667, 1.0)] == ["a", "a", "b", "b", "c", "c"]


def test_huge_exponents_do_not_overflow():
    for spec in (
        {"distribution": "q_log_uniform", "min": 1, "max": 5000},
        {"distribution": "log_normal", "sigma": 1000},
        {"distribution": "inv_log_uniform", "min": -5000, "max": 1},
    ):
        assert all(math.isfinite(leaf(("x",), spec)(u)) for u in (0.0, 0.5, 0.999, 1.0))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"value": 1}, "constant"),
        ({"values": [1]}, "categorical"),
        ({"values": [1], "probabilities": [1]}, "categorical_w_probabilities"),
        ({"values": [1], "probabilities": [1], "distribution": "categorical"}, "categorical_w_probabilities"),
        ({"min": 1, "max": 2}, "int_uniform"),
        ({"min": 1.0, "max": 2.0}, "uniform"),
        ({"min": 1, "max": 2.0}, "ambiguous"),
        ({"min": 1, "max": 2.0, "distribution": "uniform"}, "uniform"),
        ({"parameters": {}}, "nested"),
        ({}, None),
    ],
)
def test_the_distribution_that_is_inferred(spec, expected):
    assert infer(spec) == expected


NESTED = {
    "b": {"value": 7},
    "a": {"parameters": {"y": {"values": [1, 2]}, "x": {"parameters": {"z": {"min": 0.0, "max": 1.0}}}}},
    "c": {"min": 1, "max": 9},
}


def test_leaves_have_paths_in_order_and_configurations_nest():
    space = Space.of(NESTED)
    assert [leaf.name for leaf in space.leaves] == ["a.x.z", "a.y", "b", "c"]
    assert [leaf.name for leaf in space.searched] == ["a.x.z", "a.y", "c"]
    assert space.values([0.25, 0.9, 0.5]) == {"a.x.z": 0.25, "a.y": 2, "b": 7, "c": 5}
    assert space.config([0.25, 0.9, 0.5]) == {"a": {"x": {"z": 0.25}, "y": 2}, "b": 7, "c": 5}
    assert space.assemble({"a.x.z": 3, "a.y": 4, "c": 5}) == {"a": {"x": {"z": 3}, "y": 4}, "b": 7, "c": 5}


@pytest.mark.parametrize(
    ("value", "words"), [("adam", "adam"), ("", '""'), ([], "[]"), ([64, 32], "[64, 32]"), (0, "0")]
)
def test_a_constant_in_words(value, words):
    assert [str(leaf) for leaf in Space.of({"a": {"value": value}}).leaves] == [words]


def test_leaves_in_words():
    space = Space.of(NESTED | {"d": {"distribution": "q_normal", "q": 5}})
    assert [str(leaf) for leaf in space.leaves] == [
        "0.0 to 1.0",
        "one of 1, 2",
        "7",
        "1 to 9, whole numbers",
        "normal, mean 0, standard deviation 1, in multiples of 5",
    ]


def test_a_draw_depends_on_the_seed_and_its_index_alone():
    space = Space.of(NESTED)
    drawn = [draw(space, 3, i) for i in range(50)]
    assert [draw(space, 3, i) for i in reversed(range(50))] == drawn[::-1]
    assert len({json.dumps(config) for config in drawn}) == 50
    assert drawn != [draw(space, 4, i) for i in range(50)]
    assert draw(space, 3, 1) != draw(space, 1, 3)


def test_the_same_draws_in_every_version():
    assert point(Space.of(NESTED), 0, 0) == pytest.approx([0.13443952, 0.17802070, 0.16891763], abs=1e-7)


def test_constants_do_not_change_the_draws():
    more = NESTED | {"A": {"value": 0}}
    assert point(Space.of(more), 5, 6) == point(Space.of(NESTED), 5, 6)


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_is_that_of_wandb_in_its_order(name):
    assert list(Grid(Space.of(GRIDS[name]))) == RECORD["grids"][name]


def test_the_last_name_varies_fastest():
    grid = Grid(space_of(b={"values": [1, 2, 3]}, a={"values": "xy"}))
    assert [tuple(config.values()) for config in grid] == list(product("xy", [1, 2, 3]))
    assert len(grid) == 6


def test_a_value_of_1_point_0_repeats_1():
    assert [config["a"] for config in Grid(space_of(a={"values": [1, 1.0, True, "1", [1], [1]]}))] == [
        1,
        True,
        "1",
        [1],
    ]


def test_the_grid_is_not_built():
    grid = Grid(Space.of({name: {"min": 1, "max": 10**6} for name in "abcd"}))
    assert grid.size == 10**24
    assert grid[0] == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert grid[10**24 - 1] == dict.fromkeys("abcd", 10**6)
    assert grid[123456_000007_000000_999998] == {"a": 123457, "b": 8, "c": 1, "d": 999999}
    with pytest.raises(IndexError):
        grid[10**24]
    with pytest.raises(IndexError):
        grid[-1]


def test_a_point_of_the_grid_lies_in_the_space_of_its_values():
    grid = Grid(Space.of(GRIDS["all kinds"]))
    assert [leaf.name for leaf in grid.space.searched] == ["a", "c", "d"]
    assert all(grid.space.config(grid.point(i)) == grid[i] for i in range(len(grid)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not MAKE["installed"]("sweeps"), reason="sweeps is missing: pip install sweeps==0.2.0")
@pytest.mark.parametrize("section", SECTIONS["sweeps"], ids=lambda f: f.__name__)
def test_the_record_is_what_sweeps_says(section):
    assert rounded(section()) == rounded(RECORD[section.__name__])


def rounded(value):
    """Floats, at any depth, to 12 digits: SciPy's last ones change with its version."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value
