"""Activations: slopes against central differences, values against PyTorch, calm at extreme inputs."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from muslin.activations import ACTIVATIONS, log_softmax, softmax

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "references.json").read_text(encoding="utf-8"))["activations"]
MAKE = runpy.run_path(str(REFERENCES / "make.py"))

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EXTREME = [-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4]


@each_activation
def test_slope_is_the_central_difference(name):
    f, slope = ACTIVATIONS[name]
    a, step = np.linspace(-6, 6, 101) + 0.013, 1e-5  # no kink within a step
    numerical = (f(a + step) - f(a - step)) / (2 * step)
    assert np.abs(slope(a, f(a)) - numerical).max() < 1e-9


@each_activation
def test_values_and_slopes_are_those_of_torch(name):
    f, slope = ACTIVATIONS[name]
    a, (values, slopes) = MAKE["points"](), RECORD[name]
    np.testing.assert_allclose(f(a), values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.broadcast_to(slope(a, f(a)), a.shape), slopes, rtol=0, atol=1e-14)


@each_dtype
@each_activation
def test_extreme_inputs_stay_finite(name, dtype):
    f, slope = ACTIVATIONS[name]
    a = np.array(EXTREME, dtype)
    h = f(a)
    assert np.isfinite(h).all()
    assert np.isfinite(slope(a, h)).all()


@each_activation
def test_single_precision_stays_single(name):
    f, slope = ACTIVATIONS[name]
    a = np.array(EXTREME, np.float32)
    h = f(a)
    assert h.dtype == np.float32
    assert (a * slope(a, h)).dtype == np.float32


@each_dtype
def test_softmax_of_extreme_logits(dtype):
    A = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, 1.0], [0.0, 1e4, -1.0]], dtype)
    assert np.isfinite(log_softmax(A)).all()
    assert softmax(A).dtype == dtype
    np.testing.assert_allclose(softmax(A).sum(axis=0), 1.0, rtol=1e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(softmax(A)[:, 0], [1.0, 0.0, 0.0])


def test_log_softmax_is_the_logarithm_of_softmax_and_ignores_a_constant():
    A = MAKE["logits"]()
    np.testing.assert_allclose(softmax(A), np.exp(A) / np.exp(A).sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(log_softmax(A), np.log(np.exp(A) / np.exp(A).sum(axis=0)), rtol=1e-13)
    np.testing.assert_allclose(log_softmax(A + 700.0), log_softmax(A), rtol=1e-10)
