"""Losses, activations and rules in the many forms in which people write them. What each gives is NumPy's business;
whether a tape holds it is ours: only what does the same every time."""

import functools
import math

import numpy as np
from numpy import abs as absolute
from scipy import special

from muslin.activations import tanh_slope
from muslin.losses import cross_entropy, cross_entropy_delta

#: class weights in other types than a network's
W64 = np.array([[1.0], [2.0], [0.5], [3.0]])
W32 = W64.astype(np.float32)
WHOLE = np.array([[1], [2], [1], [3]])
HALF = W64.astype(np.float16)
THIRD = np.float64(1.0) / 3.0
GAMMA = 2.0
count = [0]


def weighted(log_P, P, Y):
    return -np.vdot(W64 * Y, log_P)


def weighted_delta(P, Y):
    return W64 * (P - Y)


def weighted_in_single(P, Y):
    return W32 * (P - Y)


def whole_weights(P, Y):
    return WHOLE * (P - Y)


def half_weights(P, Y):
    return HALF * (P - Y)


def below(P, Y):
    return (P - Y) * (P < 0.17)


def copied(P, Y):
    return P.copy() - Y


def assigned(P, Y):
    E = P - Y
    E[np.abs(E) < 0.1] = 0
    return E


def taken(P, Y):
    return P - Y + 0.1 * P.take([0], axis=0)


def dotted(P, Y):
    return P - Y + 0.01 * W64.T.dot(P)


def product(P, Y):
    return P - Y + 0.01 * (W64.T @ P)


def cast(P, Y):
    return P.astype(np.float64) - Y


def an_array(P, Y):
    return np.asarray(P) - Y


def one_number(P, Y):
    return (P - Y) * (1.0 + float(P[0, 0]))


def counted(P, Y):
    count[0] += 1
    return (P - Y) / count[0]


def branching(P, Y):
    if P[0, 0] > 0.25:
        return P - Y
    return 2.0 * (P - Y)


def branching_by_sum(P, Y):
    return P - Y if P.sum() > 1.0 else Y - P


def sliced(P, Y):
    return P[:] - Y


def by_shape(P, Y):
    return (P - Y) * (P.shape[1] / 16)


def by_length(P, Y):
    return (P - Y) * len(P) / 4


def looped(P, Y):
    E = P - Y
    for _ in range(2):
        E = 0.5 * E
    return E


def silent(P, Y):
    with np.errstate(all="ignore"):
        return P - Y


def tried(P, Y):
    try:
        return P.copy() - Y
    except ValueError:
        return P - Y


def numpy_number(P, Y):
    return THIRD * (P - Y)


def numpy_single(P, Y):
    return np.float32(0.25) * (P - Y)


def own_number(P, Y):
    return (P - Y) * GAMMA


def focal(P, Y):
    return (P - Y) * (1.0 - P) ** GAMMA


def squared(P, Y):
    E = P - Y
    return E**2 * np.sign(E)


def in_place(P, Y):
    E = P - Y
    E *= 0.5
    E += 0.01
    return E


def into_the_output(P, Y):
    P -= Y
    return P


def into_the_targets(P, Y):
    Y *= 0.9
    return P - Y


def with_out(P, Y):
    E = P - Y
    return np.multiply(E, 2.0, out=E)


def chosen(P, Y):
    return np.where(P > 0.3, P - Y, 0.5 * (P - Y))


def clipped(P, Y):
    return np.clip(P - Y, -0.5, 0.5)


def limited(P, Y):
    return np.maximum(np.minimum(P - Y, 0.5), -0.5)


def helped(P, Y):
    return _half(P - Y)


def _half(E):
    return 0.5 * E


def renamed(P, Y):
    return absolute(P - Y) * np.sign(P - Y)


def builtin_abs(P, Y):
    return abs(P - Y) * np.sign(P - Y)


def sum_of_the_batch(P, Y):
    E = P - Y
    return E - 0.1 * np.add.reduce(E, axis=1, keepdims=True)


def mean_of_the_batch(P, Y):
    E = P - Y
    return E - E.mean(axis=1, keepdims=True)


def norm_of_the_batch(P, Y):
    E = P - Y
    return E / (1.0 + np.sqrt(np.vdot(E, E)))


def sorted_(P, Y):
    return P - Y + 0.01 * np.sort(P, axis=0)


def transposed(P, Y):
    return (P.T - Y.T).T


def stacked(P, Y):
    return np.concatenate([P[:2] - Y[:2], P[2:] - Y[2:]])


def einsum(P, Y):
    return P - Y + 0.01 * np.einsum("ij,ij->ij", P, Y)


def outer(P, Y):
    return P - Y + 0.01 * np.multiply.outer(P[:, 0], P[0])


def accumulated(P, Y):
    return P - Y + 0.01 * np.add.accumulate(P, axis=0)


def in_double(P, Y):
    return np.subtract(P, Y, dtype=np.float64)


def expit(P, Y):
    return special.expit(P) - 0.5 - Y * 0.1


def erf(P, Y):
    return special.erf(P - Y)


def special_log1p(P, Y):
    return special.log1p(P) - Y


_identity = np.frompyfunc(lambda x: float(x), 1, 1)


def from_python(P, Y):
    return _identity(P - Y).astype(P.dtype)


def from_python_uncast(P, Y):
    return _identity(P - Y)


_sigmoid = np.vectorize(lambda x: 1.0 / (1.0 + math.exp(-x)))


def vectorized(P, Y):
    return _sigmoid(P) - 0.5 - Y * 0.1


def random(P, Y):
    return (P - Y) * (1.0 + 0 * np.random.default_rng(0).random())


class Instance:
    def __call__(self, P, Y):
        return P - Y


def loss_as_a_float(log_P, P, Y):
    return float(-np.vdot(Y, log_P))


def loss_by_sum(log_P, P, Y):
    return -np.sum(Y * log_P)


def loss_by_method(log_P, P, Y):
    return -(Y * log_P).sum()


def loss_with_xlogy(log_P, P, Y):
    return -special.xlogy(Y, P + 1e-6).sum()


def loss_with_a_root(log_P, P, Y):
    return np.sqrt(np.vdot(P - Y, P - Y))


def loss_with_a_number(log_P, P, Y):
    return 3.0 - np.vdot(Y, log_P)


#: name → (loss, its slope)
LOSSES = {
    f.__name__: (cross_entropy, f)
    for f in (
        *(weighted_delta, weighted_in_single, whole_weights, half_weights, below, copied, assigned, taken, dotted),
        *(product, cast, an_array, one_number, counted, branching, branching_by_sum, sliced, by_shape, by_length),
        *(looped, silent, tried, numpy_number, numpy_single, own_number, focal, squared, in_place, into_the_output),
        *(into_the_targets, with_out, chosen, clipped, limited, helped, renamed, builtin_abs, sum_of_the_batch),
        *(mean_of_the_batch, norm_of_the_batch, sorted_, transposed, stacked, einsum, outer, accumulated, in_double),
        *(expit, erf, special_log1p, from_python, from_python_uncast, vectorized, random),
    )
} | {
    f.__name__: (f, cross_entropy_delta)
    for f in (
        *(weighted, loss_as_a_float, loss_by_sum, loss_by_method, loss_with_xlogy),
        *(loss_with_a_root, loss_with_a_number),
    )
}
LOSSES |= {
    "lambda": (cross_entropy, lambda P, Y: P - Y),
    "partial": (cross_entropy, functools.partial(lambda s, P, Y: s * (P - Y), 0.5)),
    "instance": (cross_entropy, Instance()),
}
# these are no slopes of the batch alone, or end in an error with NumPy too
FAIL_ANYWHERE = {"from_python_uncast"}

#: what a tape holds
RECORDED = {
    *("weighted", "weighted_delta", "weighted_in_single", "whole_weights", "below", "numpy_number"),
    *("own_number", "focal", "squared", "in_place", "into_the_output", "into_the_targets", "limited", "helped"),
    *("renamed", "builtin_abs", "loss_by_sum", "loss_with_a_root", "loss_with_a_number"),
}


# Activations: the function, and its slope


def slice_of(a):
    return np.maximum(a[:], 0.0)


def multiplied_by_a_mask(a):
    return a * (a > 0.0)


def sum_of_masks(a):
    return 0.1 * a * ((a > -1.0) + (a > 1.0))


def where_between_numbers(a):
    return np.where(a > 0.0, 1.0, 0.1) * a


def where_of_a_product(a):
    return np.where((a > 0.0) & (a < 6.0), a, 0.01 * a)


def powers(a):
    return 0.1 * a**2 + 0.01 * a**3 - np.abs(a) ** 0.5


def floors(a):
    return a - 0.5 * (a // 1.0)


def remainder(a):
    return a % 2.0


def augmented(a):
    b = 0.5 * a
    b += 1.0
    return b


def into_a(a):
    a *= 0.5
    return a


def conditional(a):
    return a if GAMMA > 1.0 else -a


def with_keywords(a):
    return np.maximum(a, 0.0, dtype=a.dtype)


def maximum_of_tanh(a):
    return np.maximum(np.tanh(a), 0.0)


def double_number(a):
    return THIRD * a


def by_gamma(a):
    return np.tanh(a) * GAMMA


def scipy_function(a):
    return special.erf(a)


def with_arctan(a):
    return np.arctan(a)


class Activation:
    def __call__(self, a):
        return np.tanh(a)


def ones(a, h):
    return 1.0


def step(a, h):
    return np.where(a > 0.0, 1.0, 0.0)


def where_a_third(a, h):
    return np.where(a > 0.0, 0.1, 0.3) * h + 0.3


ACTIVATIONS = {
    f.__name__: (f, step)
    for f in (
        *(slice_of, multiplied_by_a_mask, sum_of_masks, where_between_numbers, where_of_a_product, powers, floors),
        *(remainder, augmented, into_a, conditional, with_keywords, maximum_of_tanh, double_number, by_gamma),
        *(scipy_function, with_arctan),
    )
} | {
    "ones": (np.tanh, ones),
    "step": (by_gamma, step),
    "where_a_third": (maximum_of_tanh, where_a_third),
    "instance": (Activation(), tanh_slope),
    "partial": (functools.partial(np.maximum, 0.0), step),
    "lambda": (lambda a: np.tanh(a), lambda a, h: 1.0 - h * h),
}


# Rules


def adam_as_written(theta, g, m, v, *, learning_rate, t, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    rate = learning_rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return theta - rate * m / (np.sqrt(v) + epsilon), m, v


def sign_of_momentum(theta, g, m, *, learning_rate, beta=0.9):
    m = beta * m + (1.0 - beta) * g
    return theta - learning_rate * np.sign(m), m


def cut(theta, g, *, learning_rate):
    return theta - learning_rate * np.clip(g, -1.0, 1.0)


def decaying(theta, g, *, learning_rate, t):
    return theta - learning_rate / np.sqrt(t) * g


def warm(theta, g, *, learning_rate, t):
    return theta - learning_rate * min(1.0, t / 10) * g


def two_phases(theta, g, *, learning_rate, t):
    return theta - (learning_rate if t < 5 else 0.1 * learning_rate) * g


def masked(theta, g, *, learning_rate):
    return theta - learning_rate * g * (np.abs(g) > 1e-4)


def with_the_loss(theta, g, *, learning_rate, loss):
    return theta - learning_rate * loss * g


def by_norm(theta, g, *, learning_rate):
    return theta - learning_rate * g / (1.0 + np.linalg.norm(g))


def with_gamma(theta, g, *, learning_rate):
    return theta - learning_rate * GAMMA * g


RULES = {
    f.__name__: f
    for f in (
        adam_as_written,
        sign_of_momentum,
        cut,
        decaying,
        warm,
        two_phases,
        masked,
        with_the_loss,
        by_norm,
        with_gamma,
    )
}
