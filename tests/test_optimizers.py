"""Optimizers: 100 steps against PyTorch and optax, every hyperparameter, both engines, two plain problems."""

import json
import runpy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from muslin.engines import engine
from muslin.optimizers import OPTIMIZERS, signature

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "references.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(REFERENCES / "make.py"))
CASES, TOLERANCE = MAKE["CASES"], 1e-10

#: hyperparameter → a value that is no rule's default
CHANGED = {"momentum": 0.5, "beta": 0.97, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}
HYPERPARAMETERS = [
    (name, h) for name, rule in OPTIMIZERS.items() for h, default in signature(rule)[1].items() if default is not None
]

each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'")


def descend(name, theta, gradient, steps, learning_rate, weight_decay=0.0, hyperparameters=(), using="numpy"):
    """Steps of the optimizer in place on θ; returns θ after each of them."""
    rule, found = OPTIMIZERS[name], []
    slots, scalars = signature(rule)
    slots = [np.zeros_like(theta) for _ in slots]
    scalars |= dict(hyperparameters)
    decoupled = "weight_decay" in scalars
    for t in range(1, steps + 1):
        now = {"learning_rate": learning_rate, "t": t, "loss": 1.0, "weight_decay": weight_decay}
        now = scalars | {key: now[key] for key in now.keys() & scalars.keys()}
        engine(using).update(rule, theta, gradient(theta, t), slots, now, 0.0 if decoupled else weight_decay)
        found.append(theta.copy())
    return np.array(found)


def course(name, learning_rate=0.02, weight_decay=0.0, hyperparameters=()):
    """Where the optimizer stands after the recorded steps of the recorded problem."""
    recipe = MAKE["start"](), MAKE["gradient"], MAKE["STEPS"]
    return descend(name, *recipe, learning_rate, weight_decay, hyperparameters)[np.array(MAKE["KEPT"]) - 1]


@pytest.mark.parametrize("case", CASES)
def test_takes_the_steps_of_torch_and_optax(case):
    difference = np.abs(course(*CASES[case]) - RECORD["optimizers"][case]).max()
    assert difference < TOLERANCE


def test_every_optimizer_and_hyperparameter_is_recorded():
    recorded = {(rule, h) for rule, _, _, changed in CASES.values() for h in ("", *changed)}
    assert recorded == {(name, "") for name in OPTIMIZERS} | set(HYPERPARAMETERS)


@pytest.mark.parametrize(("name", "hyperparameter"), HYPERPARAMETERS)
def test_every_hyperparameter_has_its_effect(name, hyperparameter):
    changed = course(name, hyperparameters={hyperparameter: CHANGED[hyperparameter]})
    assert np.abs(changed - course(name)).max() > 100 * TOLERANCE


@each_optimizer
def test_learning_rate_and_weight_decay_have_their_effect(name):
    for changed in (course(name, learning_rate=0.01), course(name, weight_decay=0.1)):
        assert np.abs(changed - course(name)).max() > 100 * TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("section", MAKE["SECTIONS"])
def test_the_record_is_what_torch_and_optax_give(section):
    for library in ("torch", "optax"):
        pytest.importorskip(library, reason=f"{library} is missing: it is in the dependency group 'parity'")
    found = MAKE["SECTIONS"][section]()
    assert found.keys() == RECORD[section].keys()
    for row, values in found.items():
        for value, recorded in zip(values, RECORD[section][row], strict=True):
            np.testing.assert_allclose(value, recorded, rtol=1e-12, atol=1e-13)


@each_optimizer
def test_reaches_the_minimum_of_a_parabola(name):
    scale, minimum = np.array([1.0, 2.0, 5.0]), np.array([1.0, -0.5, 0.25])
    theta = np.zeros(3)
    for learning_rate in (0.1, 0.01, 0.001):
        descend(name, theta, lambda theta, t: scale * (theta - minimum), 500, learning_rate)
    assert np.abs(theta - minimum).max() < 1e-2


@each_optimizer
def test_lowers_rosenbrock(name):
    def value(theta):
        return (1 - theta[0]) ** 2 + 100 * (theta[1] - theta[0] ** 2) ** 2

    def gradient(theta, t):
        x, y = theta
        return np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    theta = np.array([-1.2, 1.0])
    before = value(theta)
    descend(name, theta, gradient, 1000, 1e-3)
    assert value(theta) < before / 2


@each_optimizer
def test_single_precision_stays_single(name):
    rule = OPTIMIZERS[name]
    slots, scalars = signature(rule)
    now = {"learning_rate": 0.1, "t": 3, "loss": 1.0, "weight_decay": 0.1}
    arrays = [np.linspace(1, 2, 5, dtype=np.float32) for _ in range(2 + len(slots))]
    new = rule(*arrays, **scalars | {key: now[key] for key in now.keys() & scalars.keys()})
    assert {array.dtype for array in (new if slots else [new])} == {np.dtype(np.float32)}


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@each_optimizer
def test_both_engines_take_the_same_steps_bit_for_bit(name, weight_decay, dtype):
    size = 20_000  # more than one block of the numpy engine
    numpy, numba = (MAKE["start"](size).astype(dtype) for _ in range(2))
    for theta, using in ((numpy, "numpy"), (numba, "numba")):
        descend(name, theta, MAKE["gradient"], 50, 0.01, weight_decay, using=using)
    np.testing.assert_array_equal(numpy, numba)
