"""Initial weights of one layer: ``initializer(rng, n_out, n_in)`` → (n_out × n_in). Biases always start at zero."""

import numpy as np

from muslin.memory import Array


def random(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Standard normal. Wide layers saturate with it; the network's ``initializer_scale`` makes it smaller."""
    return rng.standard_normal((n_out, n_in))


def xavier(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Normal, variance 2 / (n_in + n_out). Glorot & Bengio, AISTATS 2010, equation 12."""
    return rng.standard_normal((n_out, n_in)) * np.sqrt(2.0 / (n_in + n_out))


def xavier_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Uniform on ±√(6 / (n_in + n_out)): the same variance as `xavier`. Glorot & Bengio, equation 16."""
    return rng.uniform(-1.0, 1.0, (n_out, n_in)) * np.sqrt(6.0 / (n_in + n_out))


def he(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Normal, variance 2 / n_in, which suits ReLU. He et al. 2015, arXiv:1502.01852, equation 10."""
    return rng.standard_normal((n_out, n_in)) * np.sqrt(2.0 / n_in)


def he_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Uniform on ±√(6 / n_in): the same variance as `he`."""
    return rng.uniform(-1.0, 1.0, (n_out, n_in)) * np.sqrt(6.0 / n_in)


def zeros(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """All zero: every unit of a layer stays the twin of every other. Here to be seen failing."""
    return np.zeros((n_out, n_in))


#: name → initializer. A new one is one function and a row here.
INITIALIZERS = {
    "random": random,
    "xavier": xavier,
    "xavier_uniform": xavier_uniform,
    "he": he,
    "he_uniform": he_uniform,
    "zeros": zeros,
}
