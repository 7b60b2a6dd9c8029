"""Loops around formulas: numba compiles a template that a formula of one element is put into."""

import inspect
import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numba as nb
import numpy as np

from muslin import augmentation
from muslin.engines import dropout
from muslin.engines.calls import Loop, jit
from muslin.engines.formula import Bindings, NotCertain, ParsedFormula, define
from muslin.normalization import EPSILON, MOMENTUM

# Loops around the function of one element. Samples are rows here: each matrix is given as its transpose. Of its columns
# those of ``columns``, [start, stop], are taken.

GATHER = """
def gather(X, rows, columns, scale, out):
    start, stop = columns[0], columns[1]
    for j in range(rows.size):
        x, o = row(X, rows[j], start, stop), row(out, j, start, stop)
        for i in range(x.size):
            o[i] = x[i] * scale[0]
"""

ACTIVATE = """
def activate(A, b, H, columns):
    start, stop = columns[0], columns[1]
    for j in range(A.shape[0]):
        a, h = row(A, j, start, stop), row(H, j, start, stop)
        for i in range(a.size):
            a[i] += b[start + i]
            h[i] = formula(a[i])
"""

FINISH = """
def finish(A, H, columns):
    start, stop = columns[0], columns[1]
    for j in range(A.shape[0]):
        a, h = row(A, j, start, stop), row(H, j, start, stop)
        for i in range(a.size):
            h[i] = formula(a[i], h[i])
"""

INNER = """
def inner(A, H, dA, columns):
    start, stop = columns[0], columns[1]
    for j in range(A.shape[0]):
        a, h, d = row(A, j, start, stop), row(H, j, start, stop), row(dA, j, start, stop)
        for i in range(a.size):
            d[i] = formula(a[i], h[i])
"""

SLOPE = """
def slope(dH, A, H, dA, columns):
    start, stop = columns[0], columns[1]
    for j in range(A.shape[0]):
        e, a = row(dH, j, start, stop), row(A, j, start, stop)
        h, d = row(H, j, start, stop), row(dA, j, start, stop)
        for i in range(a.size):
            d[i] = e[i] * formula(a[i], h[i]{applied})
"""

UPDATE = """
def update(theta, g{slots}, scalars):
    decay = _real(scalars[0])
{unpacked}
    for i in range(theta.size):
        theta[i]{elements} = formula(theta[i], g[i] + decay * theta[i]{elements}{scalars})
"""

# What else a step does: no formulas, only the way from the data to them and to the figures of the epoch.

TARGETS = """
def targets(table, y, rows, Y):
    for i in range(Y.shape[0]):
        t, o = row(table, i, 0, table.shape[1]), row(Y, i, 0, rows.size)
        for j in range(rows.size):
            o[j] = t[y[rows[j]]]
"""

OUTER = """
def outer(a, b, nothing, out):
    for j in range(b.size):
        for i in range(a.size):
            out[j, i] = a[i] * b[j] + nothing[0]
"""

KEEP = """
def keep(x, out):
    out[0] = x[0]
"""

CAST = """
def cast(x, out):
    for i in range(x.size):
        out[i] = x[i]
"""

CORRECT = """
def correct(P, y, rows, out):
    n = 0
    for j in range(rows.size):
        best = 0
        for i in range(1, P.shape[0]):
            if P[i, j] > P[best, j]:
                best = i
        n += best == y[rows[j]]
    out[0] = n
"""

CORRECT_LABELS = """
def correct_labels(P, Y, out):
    n = 0
    for j in range(Y.shape[0]):
        right = True
        for i in range(Y.shape[1]):
            right = right and (P[i, j] > 0.5) == (Y[j, i] > 0.5)
        n += right
    out[0] = n
"""

MASK = """
def mask(key, first, least, scale, out):
    at = key[0] + first[0] * GOLDEN
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = scale[0] if mixed(at) >= least[0] else zero
            at += GOLDEN
"""

CLIP = """
def clip(squares, longest, g):
    total = 0.0
    for square in squares:
        total += square
    norm = math.sqrt(total)
    if norm > longest[0]:
        factor = real(longest[0] / norm)
        for i in range(g.size):
            g[i] *= factor
"""

# Pictures (the formulas stand in `muslin.augmentation`). A picture is copied into a frame of zeros that is wide enough
# for each move; one that is only moved or mirrored needs the same four weights everywhere.

WARP = """
def warp(X, rows, ways, fields, shape, scale, share, out):
    h, w = shape[0], shape[1]
    frame = np.zeros((h + 2, 3 * w + 3), out.dtype)
    for n in range(share[0], share[1]):
        x, way, o = X[rows[n]], ways[n], out[n]
        upright = way[M00] == 1 and way[M01] == 0 and way[M10] == 0 and way[BEND] == 0
        moved = upright and abs(way[M11]) == 1
        mirrored = moved and way[M11] < 0
        for i in range(h):
            line, pixels = frame[i + 1, w + 1 : 2 * w + 1], x[i * w : i * w + w]
            if mirrored:
                for j in range(w):
                    line[j] = pixels[w - 1 - j]
            else:
                for j in range(w):
                    line[j] = pixels[j]
        if moved:
            down, right = math.floor(way[DOWN]), math.floor(way[RIGHT])
            f, g = way[DOWN] - down, way[RIGHT] - right
            w00, w01 = real((1.0 - f) * (1.0 - g)), real((1.0 - f) * g)
            w10, w11 = real(f * (1.0 - g)), real(f * g)
            right = min(max(right, -w - 1), w)
            first = w + 1 - right if mirrored else w + 1 + right
            second = first - 1 if mirrored else first + 1
            for i in range(h):
                above, below = min(max(i + down, -1), h) + 1, min(max(i + down + 1, -1), h) + 1
                a, b = frame[above, first : first + w], frame[above, second : second + w]
                c, d = frame[below, first : first + w], frame[below, second : second + w]
                line = o[i * w : i * w + w]
                for j in range(w):
                    line[j] = (w00 * a[j] + w01 * b[j] + w10 * c[j] + w11 * d[j]) * scale[0]
        else:
            field = fields[int(way[FIELD])]
            for i in range(h):
                di = i - 0.5 * (h - 1)
                for j in range(w):
                    dj, bend = j - 0.5 * (w - 1), field[i * w + j]
                    s = (way[M00] * di + way[M01] * dj) + (0.5 * (h - 1) + way[DOWN]) + way[BEND] * bend[0]
                    t = (way[M10] * di + way[M11] * dj) + (0.5 * (w - 1) + way[RIGHT]) + way[BEND] * bend[1]
                    above, left = math.floor(s), math.floor(t)
                    f, g = s - above, t - left
                    a, b = min(max(above, -1), h) + 1, min(max(above + 1, -1), h) + 1
                    c, d = min(max(left, -1), w) + w + 1, min(max(left + 1, -1), w) + w + 1
                    o[i * w + j] = (
                        real((1.0 - f) * (1.0 - g)) * frame[a, c] + real((1.0 - f) * g) * frame[a, d]
                        + real(f * (1.0 - g)) * frame[b, c] + real(f * g) * frame[b, d]
                    ) * scale[0]
"""

MIX = """
def mix(P, ways, shape, share, out):
    w = shape[1]
    for n in range(share[0], share[1]):
        p, q, o, way = P[n], P[n + 1 if n + 1 < P.shape[0] else 0], out[n], ways[n]
        left = real(way[LEFT])
        rest = one - left
        for i in range(o.size):
            o[i] = p[i] * left + q[i] * rest
        for i in range(int(way[TOP]), int(way[BOTTOM])):
            for j in range(int(way[START]), int(way[STOP])):
                o[i * w + j] = q[i * w + j]
"""

MIX_TARGETS = """
def mix_targets(table, y, rows, ways, share, Y):
    for j in range(Y.shape[1]):
        n = share[0] + j
        m, own = n + 1 if n + 1 < rows.size else 0, real(ways[n, OWN])
        rest = one - own
        for i in range(Y.shape[0]):
            Y[i, j] = table[i, y[rows[n]]] * own + table[i, y[rows[m]]] * rest
"""

# Batch normalization (the formulas stand in `muslin.normalization`), some units at a time, so that what is read twice
# stays in the processor's cache.

NORMALIZE = """
def normalize(A, gamma, N, mean, variance, columns):
    B = real(A.shape[0])
    total, squares, inverse = np.empty(UNITS, A.dtype), np.empty(UNITS, A.dtype), np.empty(UNITS, A.dtype)
    for start in range(columns[0], columns[1], UNITS):
        stop = min(start + UNITS, columns[1])
        units = stop - start
        total[:units] = A[0, start:stop]
        for j in range(1, A.shape[0]):
            a = A[j, start:stop]
            for i in range(a.size):
                total[i] += a[i]
        for i in range(units):
            total[i] /= B
        for j in range(A.shape[0]):
            a, n = A[j, start:stop], N[j, start:stop]
            for i in range(a.size):
                n[i] = a[i] - total[i]
            for i in range(a.size):
                squares[i] = n[i] * n[i] if j == 0 else squares[i] + n[i] * n[i]
        for i in range(units):
            squares[i] /= B
            inverse[i] = one / np.sqrt(squares[i] + epsilon)
        g = gamma[start:stop]
        for j in range(A.shape[0]):
            a, n = A[j, start:stop], N[j, start:stop]
            for i in range(a.size):
                x = n[i] * inverse[i]
                n[i] = x
                a[i] = g[i] * x
        mean[start:stop], variance[start:stop] = total[:units], squares[:units]
"""

NORMALIZED_DELTAS = """
def normalized_deltas(dA, gamma, N, variance, dgamma, db, columns):
    B = real(dA.shape[0])
    sums, along, factor = np.empty(UNITS, dA.dtype), np.empty(UNITS, dA.dtype), np.empty(UNITS, dA.dtype)
    for start in range(columns[0], columns[1], UNITS):
        stop = min(start + UNITS, columns[1])
        units = stop - start
        sums[:] = zero
        along[:] = zero
        for j in range(dA.shape[0]):
            d, n = dA[j, start:stop], N[j, start:stop]
            for i in range(d.size):
                sums[i] = d[i] if j == 0 else sums[i] + d[i]
            for i in range(d.size):
                along[i] = d[i] * n[i] if j == 0 else along[i] + d[i] * n[i]
        db[start:stop], dgamma[start:stop] = sums[:units], along[:units]
        for i in range(units):
            sums[i] /= B
            along[i] /= B
            factor[i] = gamma[start + i] * (one / np.sqrt(variance[start + i] + epsilon))
        for j in range(dA.shape[0]):
            d, n = dA[j, start:stop], N[j, start:stop]
            for i in range(d.size):
                d[i] = (d[i] - (sums[i] + n[i] * along[i])) * factor[i]
"""

NORMALIZE_AS_TRAINED = """
def normalize_as_trained(A, gamma, mean, variance):
    factor = np.empty_like(mean)
    for i in range(mean.size):
        factor[i] = gamma[i] * (one / np.sqrt(variance[i] + epsilon))
    for j in range(A.shape[0]):
        a = A[j]
        for i in range(a.size):
            a[i] = (a[i] - mean[i]) * factor[i]
"""

FOLLOW = """
def follow(running, value, factor, columns):
    for i in range(columns[0], columns[1]):
        running[i] += momentum * (factor[0] * value[i] - running[i])
"""

#: units that are normalized at a time: of a batch of 512, 128 KiB of each array
UNITS = 64

# What a prediction does: the product of a matrix and one vector, the largest magnitude, samples as rows again.

WEIGH = """
def weigh(W, h, a):
    last = W.shape[0] // 4 * 4
    for i in range(a.size):
        a[i] = 0.0
    for j in range(0, last, 4):
        h0, h1, h2, h3 = h[j], h[j + 1], h[j + 2], h[j + 3]
        for i in range(a.size):
            a[i] += W[j, i] * h0 + W[j + 1, i] * h1 + (W[j + 2, i] * h2 + W[j + 3, i] * h3)
    for j in range(last, W.shape[0]):
        for i in range(a.size):
            a[i] += W[j, i] * h[j]
"""

# The bits of a float without its sign, taken for a whole number, are in the order of the magnitudes, infinity and NaN
# behind all others (IEEE 754); the largest of whole numbers is found many at a time.

LARGEST = """
def largest(bits, out):
    most = out[0]
    for j in range(bits.shape[0]):
        x = row(bits, j, 0, bits.shape[1])
        for i in range(x.size):
            most = max(most, word(x[i] & magnitude))
    out[0] = most
"""

TURN = """
def turn(H, P, nan):
    n = 0
    for j in range(P.shape[0]):
        for i in range(P.shape[1]):
            P[j, i] = H[i, j]
            n += H[i, j] != H[i, j]
    nan[0] += n
"""


#: the loops without a formula, by name
BARE = {
    "weigh": WEIGH,
    "turn": TURN,
    "gather": GATHER,
    "targets": TARGETS,
    "outer": OUTER,
    "keep": KEEP,
    "cast": CAST,
    "correct": CORRECT,
    "correct_labels": CORRECT_LABELS,
}


class Pass(NamedTuple):
    """A loop (which takes the columns too) or NumPy's own function, and the names of the arrays that it takes; the last
    one is written."""

    function: Loop | np.ufunc
    operands: tuple[str, ...]


class CompiledRule(NamedTuple):
    """An optimizer's rule: the loop over θ, gradient, slots and a vector of scalars (float64), and what gives these
    scalars of (decay, keyword arguments of the rule)."""

    loop: Loop
    scalars: Callable


@cache
def bare(name: str) -> Loop:
    """The loop without a formula that has this name. Raises NotCertain where numba is switched off."""
    _switched_on()
    return Loop(BARE[name])


@cache
def largest(dtype: np.dtype) -> Loop:
    """The largest magnitude of a matrix and of what was found before, all as the bits of floats of that type."""
    _switched_on()
    word = np.dtype(f"u{dtype.itemsize}").type
    return Loop(LARGEST, {"word": word, "magnitude": word(np.iinfo(word).max >> 1)}, str(dtype))


@cache
def mask(dtype: np.dtype) -> Loop:
    """Dropout's masks: the key, the first unit's number, below what one is left out, the others' value; (B × n)."""
    _switched_on()
    names = {"mixed": jit(dropout.mixed), "GOLDEN": dropout.GOLDEN, "zero": dtype.type(0)}
    return Loop(MASK, names, f"{inspect.getsource(dropout)}{dtype}")


@cache
def clip(dtype: np.dtype) -> Loop:
    """What scales a part of the gradient: all summands of its squared norm, the longest it may be, and the part."""
    _switched_on()
    return Loop(CLIP, {"math": math, "real": dtype.type}, str(dtype))


#: the loops for pictures, by name
PICTURES = {"warp": WARP, "mix": MIX, "mix_targets": MIX_TARGETS}


@cache
def pictures(name: str, dtype: np.dtype) -> Loop:
    """The loop for pictures that has this name."""
    _switched_on()
    places = {name: place for name, place in vars(augmentation).items() if name.isupper() or name[1:].isdigit()}
    names = {"np": np, "math": math, "real": dtype.type, "one": dtype.type(1), **places}
    return Loop(PICTURES[name], names, f"{places}{dtype}")


#: the loops of batch normalization, by name
NORMALIZATION = {
    "normalize": NORMALIZE,
    "normalized_deltas": NORMALIZED_DELTAS,
    "normalize_as_trained": NORMALIZE_AS_TRAINED,
    "follow": FOLLOW,
}


@cache
def normalization(name: str, dtype: np.dtype) -> Loop:
    """The loop of batch normalization that has this name."""
    _switched_on()
    real = dtype.type
    names = {"np": np, "real": real, "zero": real(0), "one": real(1), "UNITS": UNITS}
    names |= {"epsilon": real(EPSILON), "momentum": real(MOMENTUM)}
    return Loop(NORMALIZATION[name], names, f"{EPSILON}{MOMENTUM}{UNITS}{dtype}")


def activate(formula: Callable, dtype: np.dtype, bindings: Bindings) -> list[Pass]:
    """[Pass, …]: what makes A + b and f(A) of A."""
    parsed = ParsedFormula(formula, bindings)
    _without_scalars(parsed)
    if parsed.ufunc is None:
        return [Pass(_loop(ACTIVATE, dtype, parsed, ranks=(2, 1, 2)), ("A", "b", "H"))]
    return [
        Pass(_loop(ACTIVATE, dtype, parsed, parsed.inner, ranks=(2, 1, 2)), ("A", "b", "H")),
        Pass(parsed.ufunc, ("H", "H")),
        Pass(_loop(FINISH, dtype, parsed, ranks=(2, 2)), ("A", "H")),
    ]


def slope(formula: Callable, dtype: np.dtype, bindings: Bindings) -> list[Pass]:
    """[Pass, …]: what makes dA of dH."""
    parsed = ParsedFormula(formula, bindings)
    _without_scalars(parsed)
    applied = ", d[i]" if parsed.ufunc else ""
    last = Pass(_loop(SLOPE, dtype, parsed, ranks=(2, 2, 2, 2), applied=applied), ("dH", "A", "H", "dA"))
    if parsed.ufunc is None:
        return [last]
    inner = _loop(INNER, dtype, parsed, parsed.inner, ranks=(2, 2, 2))
    return [Pass(inner, ("A", "H", "dA")), Pass(parsed.ufunc, ("dA", "dA")), last]


def update(formula: Callable, dtype: np.dtype, bindings: Bindings) -> CompiledRule:
    """The `CompiledRule` of an optimizer's rule."""
    parsed = ParsedFormula(formula, bindings)
    if parsed.ufunc:
        raise NotCertain("a rule with a function that only NumPy has vectorized")
    slots = parsed.arrays[2:]
    doubles = {name: f"scalars[{i}]" for i, name in enumerate(parsed.scalars, 1)}
    reals = {name: text if name in parsed.doubles else f"_real({text})" for name, text in doubles.items()}
    loop = _loop(
        UPDATE,
        dtype,
        parsed,
        ranks=[1] * (2 + len(slots)),
        more=[(np.dtype(float), 1)],
        slots="".join(f", {s}" for s in slots),
        elements="".join(f", {s}[i]" for s in slots),
        unpacked="\n".join(f"    {name} = {text}" for name, text in reals.items()),
        scalars="".join(f", {name}" for name in parsed.scalars),
    )
    return CompiledRule(loop, lambda decay, scalars: (decay, *parsed.once(**scalars)))


MAKERS = {"activate": activate, "slope": slope, "update": update}


def _switched_on():
    if nb.config.DISABLE_JIT:
        raise NotCertain("numba is switched off (NUMBA_DISABLE_JIT)")


def _without_scalars(parsed):
    if parsed.scalars:
        raise NotCertain(f"an activation has no scalars: {', '.join(parsed.scalars)}")


#: the type and dimensions of [start, stop]
COLUMNS = [(np.dtype(int), 1)]


def _loop(template, dtype, parsed, element=None, ranks=(), more=COLUMNS, **filling):
    """The template's loop around the function of one element (the formula's own if none is given), compiled.

    ranks: dimensions of its arrays; more: (dtype, dimensions) of further ones (else the columns).
    """
    _switched_on()
    constants = tuple((n, v if type(v) is np.float64 else dtype.type(v)) for n, v in parsed.constants.items())
    loop = _loop_of(template.format(**filling), element or parsed.source, constants, dtype)
    loop.entry(*((dtype, rank) for rank in ranks), *more)
    return loop


@cache
def _loop_of(source, element, constants, dtype):
    """By its text: a formula that is defined again and again is compiled once, and nothing of its module is kept."""
    space = dict(constants) | {"np": np, "_real": dtype.type}
    space["formula"] = jit(define(element, space | {"__name__": __name__}, __file__))
    return Loop(source, space, f"{element}{constants!r}{dtype}")
