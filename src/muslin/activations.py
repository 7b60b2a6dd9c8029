"""Activations h = f(a), each followed by its slope dh/da.

A slope is given the pre-activation ``a`` and the output ``h`` and uses whichever makes it shortest. All of them work
element by element on arrays of any shape. The engine compiles these very functions; a number written in a formula
takes the precision of the array it meets.
"""

import math

import numpy as np

from muslin.memory import Array


def identity(a: Array) -> Array:
    return a


def identity_slope(a: Array, h: Array) -> float:
    return 1.0


def sigmoid(a: Array) -> Array:
    """Logistic function 1 / (1 + exp(−a)), written with tanh, which cannot overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def sigmoid_slope(a: Array, h: Array) -> Array:
    return h * (1.0 - h)


def tanh(a: Array) -> Array:
    return np.tanh(a)


def tanh_slope(a: Array, h: Array) -> Array:
    return 1.0 - h * h


def relu(a: Array) -> Array:
    """Rectified linear unit max(a, 0). Nair & Hinton, ICML 2010. Its slope at 0 is 0, as in PyTorch."""
    return np.maximum(a, 0.0)


def relu_slope(a: Array, h: Array) -> Array:
    return np.sign(h)


def leaky_relu(a: Array) -> Array:
    """max(a, 0.01 a). Maas, Hannun & Ng, ICML 2013 workshop."""
    return np.maximum(a, 0.01 * a)


def leaky_relu_slope(a: Array, h: Array) -> Array:
    return np.maximum(np.sign(a), 0.01)


def elu(a: Array) -> Array:
    """Exponential linear unit: a where a > 0, else exp(a) − 1. Clevert et al. 2015, arXiv:1511.07289, α = 1."""
    return np.where(a > 0.0, a, np.expm1(np.minimum(a, 0.0)))


def elu_slope(a: Array, h: Array) -> Array:
    return np.where(a > 0.0, 1.0, h + 1.0)


def gelu(a: Array) -> Array:
    """Gaussian error linear unit, in its tanh form. Hendrycks & Gimpel 2016, arXiv:1606.08415.

    a/2 · (1 + tanh(√(2/π) (a + 0.044715 a³))): PyTorch's ``approximate="tanh"``; its default is the exact a·Φ(a).
    """
    return 0.5 * a * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (a + 0.044715 * a * a * a)))


def gelu_slope(a: Array, h: Array) -> Array:
    t = np.tanh(math.sqrt(2.0 / math.pi) * (a + 0.044715 * a * a * a))
    return 0.5 * (1.0 + t) + 0.5 * a * (1.0 - t * t) * math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * a * a)


def silu(a: Array) -> Array:
    """Sigmoid linear unit (swish) a·σ(a). Elfwing et al. 2017, arXiv:1702.03118."""
    return 0.5 * a * (1.0 + np.tanh(0.5 * a))


def silu_slope(a: Array, h: Array) -> Array:
    s = 0.5 * (1.0 + np.tanh(0.5 * a))
    return s + h * (1.0 - s)


def sin(a: Array) -> Array:
    """Sine, the activation of SIREN. Sitzmann et al. 2020, arXiv:2006.09661."""
    return np.sin(a)


def sin_slope(a: Array, h: Array) -> Array:
    return np.cos(a)


#: name → (function, slope). A new activation is two functions and a row here.
ACTIVATIONS = {
    "identity": (identity, identity_slope),
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (tanh, tanh_slope),
    "relu": (relu, relu_slope),
    "leaky_relu": (leaky_relu, leaky_relu_slope),
    "elu": (elu, elu_slope),
    "gelu": (gelu, gelu_slope),
    "silu": (silu, silu_slope),
    "sin": (sin, sin_slope),
}


def log_softmax(A: Array) -> Array:
    """Logarithm of the softmax of each column: a − max a − log Σ exp(a − max a).  A: (classes × B), same shape back.

    Subtracting the maximum changes nothing in exact arithmetic and keeps every exponent at or below 0, so that no
    finite input gives NaN, and the largest probability never vanishes.
    """
    A = A - np.maximum.reduce(A, axis=0, keepdims=True)
    return A - np.log(np.add.reduce(np.exp(A), axis=0, keepdims=True))


def softmax(A: Array) -> Array:
    """Softmax of each column, exp(a) / Σ exp(a).  A: (classes × B), same shape back; each column sums to 1."""
    return np.exp(log_softmax(A))
