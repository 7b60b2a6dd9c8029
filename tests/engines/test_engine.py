"""Engines: a formula parsed, compiled, compiled anew once it was edited, or left to NumPy; the same numbers always."""

import functools
import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy import tanh as numpy_tanh

from muslin import InputError
from muslin.activations import ACTIVATIONS
from muslin.engines import ENGINES, engine, trouble_of_numba
from muslin.engines.formula import ParsedFormula
from muslin.optimizers import OPTIMIZERS, signature

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)
each_engine = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=needs_numba if n == "numba" else ()) for n in ENGINES]
)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def compiled_code_goes_to_tmp(tmp_path_factory, monkeypatch):
    if importlib.util.find_spec("numba"):
        from numba.core import config

        monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path_factory.getbasetemp()))


# Formulas

LIMIT = 0.25
s = 5.0  # a name that formulas below use for something else


def everything(theta, g, u, *, learning_rate, t, beta=0.9):
    """This sentence is no part of the formula."""
    rate = learning_rate / (1.0 - beta**t)
    u = u + (1.0 - beta) * (g * g - u)
    return theta - rate * np.where(u > LIMIT, np.sqrt(np.abs(u)), LIMIT) - 1e-3 * g**2, u


def own_name_is_a_module_number(theta, g, *, learning_rate):
    s = learning_rate * np.abs(g)
    return theta - 2.0 * s


def scalar_becomes_an_array(theta, g, *, learning_rate):
    rate = learning_rate
    rate = rate * g
    return theta - 2.0 * rate


def scalar_changes(theta, g, *, learning_rate):
    move = learning_rate * g
    learning_rate = 2.0 * learning_rate
    return theta - learning_rate * move


def scalar_grows(theta, g, *, learning_rate):
    rate = learning_rate
    rate *= 0.5
    return theta - 2.0 * rate * g


def sign(theta, g, *, learning_rate):
    return theta - learning_rate * np.sign(g) * (1.0 - 0.3 * theta)


def branch(theta, g, *, learning_rate, t):
    if t > 2:
        learning_rate = 0.1 * learning_rate
    return theta - learning_rate * g


def chosen(theta, g, *, learning_rate, t):
    return theta - (learning_rate if t > 2 else 0.0) * np.minimum(np.maximum(g, -0.5), 0.5)


def repeated(theta, g, *, learning_rate):
    for _ in range(3):
        theta = theta - learning_rate * g
    return theta


def root_of_a_scalar(theta, g, *, learning_rate, t, beta=0.9):
    return theta - learning_rate * math.sqrt(1.0 - beta**t) * g


def _helper(g):
    return g / (1.0 + np.abs(g))


def calls_a_function(theta, g, *, learning_rate):
    return theta - learning_rate * _helper(g)


def unknown_to_numba(theta, g, *, learning_rate):
    return theta - learning_rate * np.heaviside(g, 0.5) * g


def _closure(factor):
    def rule(theta, g, *, learning_rate):
        return theta - factor * learning_rate * g

    return rule


def _without_source():
    namespace = {}
    exec("def rule(theta, g, *, learning_rate):\n    return theta - 0.5 * learning_rate * g", namespace)
    return namespace["rule"]


FORMULAS = {
    f.__name__: f
    for f in (
        everything,
        own_name_is_a_module_number,
        scalar_becomes_an_array,
        scalar_changes,
        scalar_grows,
        branch,
        sign,
        chosen,
        repeated,
        root_of_a_scalar,
        calls_a_function,
        unknown_to_numba,
    )
} | {
    "closure": _closure(0.5),
    "without source": _without_source(),
    "lambda": lambda theta, g, *, learning_rate: theta - learning_rate * g,
    "partial": functools.partial(root_of_a_scalar, beta=0.5),
}


def after_five_steps(rule, using, dtype):
    """θ and slots, each a row."""
    slots, scalars = signature(rule)
    g = np.linspace(-1, 1, 7, dtype=dtype)
    arrays = [np.linspace(1, 2, 7, dtype=dtype), *(np.zeros(7, dtype) for _ in slots)]
    for t in range(1, 6):
        now = {"learning_rate": 0.1, "t": t}
        now = scalars | {key: now[key] for key in now.keys() & scalars.keys()}
        engine(using).update(rule, arrays[0], g, arrays[1:], now)
    return np.array(arrays)


@needs_numba
@each_dtype
@pytest.mark.parametrize("formula", FORMULAS)
def test_any_formula_gives_the_same_numbers_compiled_or_not(formula, dtype):
    numpy, numba = (after_five_steps(FORMULAS[formula], using, dtype) for using in ("numpy", "numba"))
    np.testing.assert_array_equal(numpy, numba)
    assert (numpy[0] != np.linspace(1, 2, 7, dtype=dtype)).any()


@needs_numba
@each_dtype
def test_a_cube_is_a_product_in_the_loop_and_a_power_in_numpy(dtype):
    def cube(theta, g, *, learning_rate):
        return theta - learning_rate * g**3

    numpy, numba = (after_five_steps(cube, using, dtype) for using in ("numpy", "numba"))
    np.testing.assert_allclose(numba, numpy, rtol=4 * np.finfo(dtype).eps)


# A formula parsed


def test_split_takes_scalars_and_constants_out_of_the_loop():
    parsed = ParsedFormula(everything)
    assert parsed.arrays == ["theta", "g", "u"]
    assert set(parsed.constants.values()) == {LIMIT, 1e-3}
    assert set(parsed.once(learning_rate=0.1, t=2, beta=0.9)) == {1.0 - 0.9, 0.1 / (1.0 - 0.9**2)}  # double precision
    assert "This sentence" not in parsed.source
    assert "beta" not in parsed.source
    assert "g ** 2" in parsed.source


@pytest.mark.parametrize("formula", ["closure", "lambda", "partial", "without source"])
def test_split_refuses_what_has_no_definition_of_its_own(formula):
    with pytest.raises(ValueError, match=r"^the formula "):
        ParsedFormula(FORMULAS[formula])


# Edited formulas

MODULE = "def rule(theta, g, *, learning_rate):\n    return theta - learning_rate * g * {}\n"


@needs_numba
def test_an_edited_formula_is_compiled_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for factor in (1.0, 2.0, 33.0):
        path = tmp_path / "rules.py"
        path.write_text(MODULE.format(factor), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("rules", path)
        rules = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(rules)
        assert after_five_steps(rules.rule, "numba", np.float64)[0, -1] == pytest.approx(2 - 5 * 0.1 * factor)


FRESH = """
import numpy as np
from rules import rule
from muslin.engines import engine
theta = np.ones(1)
engine("numba").update(rule, theta, np.ones(1), [], {"learning_rate": 0.25})
print(theta[0])
"""


@needs_numba
def test_a_fresh_process_takes_compiled_code_from_the_disk_unless_edited(tmp_path):
    cache = tmp_path / "cache"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(tmp_path)}
    kept = []
    for factor in (1.0, 1.0, 3.0):
        (tmp_path / "rules.py").write_text(MODULE.format(factor), encoding="utf-8")
        found = subprocess.run(
            [sys.executable, "-Bc", FRESH], env=environment, capture_output=True, text=True, check=True
        )
        assert float(found.stdout) == 1 - 0.25 * factor
        kept.append({(path.name, path.stat().st_mtime_ns) for path in cache.rglob("*.nb?")})
    assert kept[0] == kept[1] < kept[2]


@needs_numba
def test_where_no_folder_can_be_written_code_is_compiled_all_the_same(monkeypatch):
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])

    def rule(theta, g, *, learning_rate):
        return theta - 0.75 * learning_rate * g

    assert after_five_steps(rule, "numba", np.float64)[0, -1] == pytest.approx(2 - 5 * 0.1 * 0.75)


# Activations and samples


@needs_numba
@each_dtype
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_slopes_are_bit_equal(activation, dtype):
    function, slope = ACTIVATIONS[activation]
    rng = np.random.default_rng(0)
    A, dH = (np.asfortranarray(rng.normal(scale=2, size=(60, 100)).astype(dtype)) for _ in range(2))
    b = rng.normal(size=(60, 1)).astype(dtype)
    found = []
    for name in ("numpy", "numba"):
        a, h, da = A.copy(order="F"), np.empty_like(A), np.empty_like(A)
        engine(name).activate(function, a, b, h)
        engine(name).slope(slope, dH, a, h, da)
        found.append(np.hstack([a, h, da]))
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(a, A + b)


def own_name_is_t(a):
    t = a * a
    return np.tanh(a) + t


def two_vectorized(a):
    return np.tanh(a) * np.exp(-a * a)


def vectorized_inside(a):
    scaled = 0.5 * a
    return a * np.tanh(scaled)


def array_changes(a):
    a = 0.5 * a
    return np.tanh(a)


def sum_of_other_functions(a):
    return np.arctan(a) + np.cbrt(a) + np.logaddexp(a, 0.0)


def other_name(a):
    return numpy_tanh(a)


def with_a_scalar(a, *, slope=0.25):
    return np.maximum(a, slope * a)


@needs_numba
@each_dtype
@pytest.mark.parametrize(
    "f",
    [
        own_name_is_t,
        two_vectorized,
        vectorized_inside,
        array_changes,
        sum_of_other_functions,
        other_name,
        with_a_scalar,
        np.tanh,
        np.abs,
    ],
)
def test_any_activation_gives_the_same_numbers(f, dtype):
    A, b = np.asfortranarray(np.linspace(-2, 2, 15, dtype=dtype).reshape(5, 3)), np.zeros((5, 1), dtype)
    H, dA = np.empty_like(A), np.empty_like(A)
    engine("numba").activate(f, A, b, H)
    engine("numba").slope(lambda a, h: f(a) - h, A, A, np.zeros_like(A), dA)
    np.testing.assert_array_equal(H, f(A))
    np.testing.assert_array_equal(dA, A * f(A))


@each_dtype
@each_engine
@pytest.mark.parametrize("stored", [np.uint8, np.float32, np.float64, np.int64, np.float16])
@pytest.mark.parametrize("order", ["C", "F", "read-only"])
def test_gather_takes_rows_and_scales_bytes(name, dtype, stored, order):
    X = np.random.default_rng(0).integers(0, 256, (6, 4)).astype(stored, order="F" if order == "F" else "C")
    X.flags.writeable = order != "read-only"
    rows, out = np.array([5, 0, 0, 3]), np.empty((4, 4), dtype)
    engine(name).gather(X, rows, out)
    expected = X.astype(np.float64)[rows] / (255 if stored == np.uint8 else 1)
    np.testing.assert_allclose(out, expected, rtol=2 * np.finfo(dtype).eps if stored == np.uint8 else 0)


# Names


@each_engine
def test_engines_by_name(name):
    assert engine(name).name == engine(name.upper()).name == name
    assert engine(name) is engine(name)


@pytest.mark.parametrize(("installed", "found"), [pytest.param(True, "numba", marks=needs_numba), (False, "numpy")])
def test_auto_is_numba_where_it_is_installed(installed, found, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert engine("auto").name == engine().name == found


def test_an_unknown_engine():
    with pytest.raises(
        InputError, match=r"^Unknown engine 'nunba'; choose from auto, numba, numpy\. Did you mean 'num"
    ):
        engine("nunba")


def test_numba_asked_for_and_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'muslin\[fast\]'"):
        engine("numba")


def test_a_numba_that_cannot_be_loaded(monkeypatch, capsys):
    """As where NumPy is too new for it: the numpy engine, said once; and where numba is asked for, an error."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    trouble_of_numba.cache_clear()
    assert [engine().name, engine("auto").name] == ["numpy", "numpy"]
    assert capsys.readouterr().err.count("numba cannot be loaded, and the numpy engine is taken") == 1
    with pytest.raises(InputError, match=r"cannot be loaded: 'import of numba halted"):
        engine("numba")
    trouble_of_numba.cache_clear()


def test_numba_is_loaded_when_a_network_first_computes():
    program = """
import sys
from muslin import FeedForwardNeuralNetwork
network = FeedForwardNeuralNetwork([2, 3, 2])
assert "numba" not in sys.modules
network.predict([[0.0, 1.0]])
assert "numba" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@needs_numba
def test_rows_from_the_end_are_gathered_as_numpy_does_and_others_refused():
    X, out = np.arange(12.0, dtype=np.float32).reshape(4, 3), np.zeros((2, 3), np.float32)
    engine("numba").gather(X, np.array([-1, 0]), out)
    np.testing.assert_array_equal(out, X[[-1, 0]])
    with pytest.raises(IndexError):
        engine("numba").gather(X, np.array([0, 4]), out)
    with pytest.raises(IndexError):
        engine("numba").gather(X, np.array([0.0, 1.0]), out)


@needs_numba
def test_memory_that_is_read_only_or_of_another_size_is_not_written_into():
    theta, g = np.zeros(10, np.float32), np.ones(10, np.float32)
    rule = OPTIMIZERS["sgd"]
    with pytest.raises(ValueError, match="broadcast"):
        engine("numba").update(rule, theta, g[:3], [], {"learning_rate": 0.1})
    theta.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        engine("numba").update(rule, theta, g, [], {"learning_rate": 0.1})
    assert not theta.any()
