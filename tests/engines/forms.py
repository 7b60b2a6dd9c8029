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
GAPS = np.arange(8).reshape(4, 2)[:, :1]
BLOCK = np.ones((1, 4, 1))
ROTATION = np.eye(4)[[1, 2, 3, 0]]
WORN = W64.copy()
GAMMA, SWITCH = 2.0, False
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


def with_pi(P, Y):
    return (P - Y) / math.pi


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


def with_a_keyword(P, Y, *, factor=0.5):
    return factor * (P - Y)


def handing_a_function_over(P, Y):
    return _applied(np.tanh, P - Y)


def _applied(function, E):
    return function(E)


def helped_by_a_loop(P, Y):
    return looped(P, Y)


def switched(P, Y):
    return (P - Y) * (not SWITCH)


def within_bounds(P, Y):
    return (P - Y) * (1.0 < GAMMA < 3.0)


def rotated(P, Y):
    E = (P - Y).T
    E @= ROTATION
    return E.T


def summed(P, Y):
    return P - Y - 0.1 * np.sum(P - Y, axis=0)


def how_many(P, Y):
    return (P - Y) / np.add.reduce(P > 0.1)


def whole_where_large(P, Y):
    return (P - Y) * (1 + (P > 0.3) * WHOLE)


def with_gaps(P, Y):
    return (P - Y) * GAPS


def renamed_weights(P, Y):
    w = W64
    return w * (P - Y)


def weights_of_a_helper(P, Y):
    return _weights() * (P - Y)


def _weights():
    return W64


def handing_weights_over(P, Y):
    return _times(W64, P - Y)


def _times(w, E):
    return w * E


def twice_the_weights(P, Y):
    return 2.0 * W64 * (P - Y)


def twice_their_alias(P, Y):
    w = W64
    w = w + w
    return w * (P - Y)


def twice_by_a_helper(P, Y):
    return _twice(W64) * (P - Y)


def _twice(w):
    return 2.0 * w


def norm_of_the_weights(P, Y):
    return (P - Y) / math.sqrt(np.vdot(W64, W64))


def weights_that_wear_off(P, Y):
    w = WORN
    w *= 0.9
    return w * (P - Y)


def mixed(P, Y):
    return P - Y + 0.01 * (ROTATION @ P)


def fractions(P, Y):
    part, whole = np.modf(4.0 * P)
    return part + whole - 4.0 * Y


def into_a_mask(P, Y):
    E = P > 0.2
    E += P - Y
    return E


def without_a_return(P, Y):
    P -= Y


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


def loss_of_nothing(log_P, P, Y):
    return 0.0


def loss_with_pythons_root(log_P, P, Y):
    return math.sqrt(np.vdot(P - Y, P - Y))


def loss_summed_twice(log_P, P, Y):
    return -np.add.reduce(np.add.reduce(Y * log_P))


def loss_of_each_sample(log_P, P, Y):
    return -np.sum(Y * log_P, axis=0)


def loss_in_three_dimensions(log_P, P, Y):
    return -np.sum(Y * log_P * BLOCK)


def loss_of_other_sizes(log_P, P, Y):
    return -np.vdot(W64, log_P)


#: name → (loss, its slope)
LOSSES = {
    f.__name__: (cross_entropy, f)
    for f in (
        *(weighted_delta, weighted_in_single, whole_weights, half_weights, below, copied, assigned, taken, dotted),
        *(product, cast, an_array, one_number, counted, branching, branching_by_sum, sliced, by_shape, by_length),
        *(
            looped,
            silent,
            tried,
            numpy_number,
            numpy_single,
            own_number,
            with_pi,
            focal,
            squared,
            in_place,
            into_the_output,
        ),
        *(into_the_targets, with_out, chosen, clipped, limited, helped, renamed, builtin_abs, sum_of_the_batch),
        *(mean_of_the_batch, norm_of_the_batch, sorted_, transposed, stacked, einsum, outer, accumulated, in_double),
        *(expit, erf, special_log1p, from_python, from_python_uncast, vectorized, random),
        *(with_a_keyword, handing_a_function_over, helped_by_a_loop, switched, within_bounds, rotated, summed),
        *(how_many, whole_where_large, with_gaps, renamed_weights, weights_of_a_helper),
        *(handing_weights_over, twice_the_weights, twice_their_alias, twice_by_a_helper, norm_of_the_weights),
        *(weights_that_wear_off, mixed, fractions, into_a_mask, without_a_return),
    )
} | {
    f.__name__: (f, cross_entropy_delta)
    for f in (
        *(weighted, loss_as_a_float, loss_by_sum, loss_by_method, loss_with_xlogy),
        *(loss_with_a_root, loss_with_a_number, loss_of_nothing, loss_with_pythons_root, loss_summed_twice),
        *(loss_of_each_sample, loss_in_three_dimensions, loss_of_other_sizes),
    )
}
LOSSES |= {
    "lambda": (cross_entropy, lambda P, Y: P - Y),
    "partial": (cross_entropy, functools.partial(lambda s, P, Y: s * (P - Y), 0.5)),
    "instance": (cross_entropy, Instance()),
}
# these are no slopes of the batch alone, or end in an error with NumPy too
FAIL_ANYWHERE = {"from_python_uncast", "into_a_mask", "without_a_return", "loss_of_other_sizes"}

#: what a tape holds
RECORDED = {
    *("weighted", "weighted_delta", "weighted_in_single", "whole_weights", "below", "numpy_number"),
    *(
        "own_number",
        "with_pi",
        "focal",
        "squared",
        "in_place",
        "into_the_output",
        "into_the_targets",
        "limited",
        "helped",
    ),
    *("renamed", "builtin_abs", "loss_by_sum", "loss_with_a_root", "loss_with_a_number"),
    *("renamed_weights", "weights_of_a_helper", "handing_weights_over"),
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


def a_line_left_over(a):
    return np.tanh(a)
    return a


def maximum_with_a_double(a):
    return np.maximum(THIRD * a, 0.1)


def sum_of_doubles(a):
    b = THIRD * a
    return 0.5 + b


def tanh_of_doubles(a):
    return np.tanh(THIRD * a)


def absolute_in_place(a):
    return np.abs(a, a)


def masked_otherwise(a):
    return a * ~(a < 0.0)


def by_its_sum(a):
    return a if np.add.reduce(a, axis=None) > 0.0 else 0.5 * a


def modulus(a):
    return np.abs(a * 1j)


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
        *(scipy_function, with_arctan, a_line_left_over, maximum_with_a_double, sum_of_doubles, tanh_of_doubles),
        *(absolute_in_place, masked_otherwise, by_its_sum, modulus),
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


def with_tanh(theta, g, *, learning_rate):
    return theta - learning_rate * np.tanh(g)


def tanh_of_a_scaled(theta, g, *, learning_rate):
    return theta - np.tanh(learning_rate * g)


def cooling(theta, g, *, learning_rate, t):
    return theta - learning_rate * np.reciprocal(1.0 + t) * g


def from_a_list(theta, g, *, learning_rate, t):
    return theta - learning_rate * (1.0, 0.5)[t > 5] * g


def double_after_five(theta, g, *, learning_rate, t):
    return theta - (learning_rate / np.sqrt(t) if t > 5 else learning_rate) * g


def beside_doubles(theta, g, *, learning_rate):
    return theta - (learning_rate * (THIRD * g) + (THIRD * g) * learning_rate)


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
        with_tanh,
        tanh_of_a_scaled,
        cooling,
        from_a_list,
        double_after_five,
        beside_doubles,
    )
}
