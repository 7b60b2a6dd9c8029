"""Loops around formulas: numba compiles a template that a formula of one element is put into."""

import hashlib
from functools import cache

import numba as nb
import numpy as np
from numba.core.errors import NumbaError

from muslin.engines.formula import Split, define

# Loops around the function of one element. Samples are rows here: each matrix is given as its transpose.

GATHER = """
def gather(X, rows, columns, scale, out):
    start, stop = columns[0], columns[1]
    for j in range(rows.size):
        x, o = X[rows[j], start:stop], out[j, start:stop]
        for i in range(x.size):
            o[i] = x[i] * scale[0]
"""

ACTIVATE = """
def activate(A, b, H):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            a = A[j, i] + b[i]
            A[j, i] = a
            H[j, i] = formula(a)
"""

FINISH = """
def finish(A, H):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            H[j, i] = formula(A[j, i], H[j, i])
"""

INNER = """
def inner(A, H, dA):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            dA[j, i] = formula(A[j, i], H[j, i])
"""

SLOPE = """
def slope(dH, A, H, dA):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            dA[j, i] = dH[j, i] * formula(A[j, i], H[j, i]{applied})
"""

UPDATE = """
def update(theta, g{slots}, scalars):
    decay = scalars[0]
{unpacked}
    for i in range(theta.size):
        theta[i]{elements} = formula(theta[i], g[i] + decay * theta[i]{elements}{scalars})
"""

# What else a step does: no formulas, only the way from the data to them and to the figures of the epoch.

TARGETS = """
def targets(table, y, rows, Y):
    for j in range(rows.size):
        for i in range(Y.shape[0]):
            Y[i, j] = table[i, y[rows[j]]]
"""

VDOT = """
def vdot(a, b, out):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[i, j] * b[i, j]
    out[0] = total
"""

KEEP = """
def keep(x, out):
    out[0] = x[0]
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


@cache
def plain(name):
    """The loop without a formula that has this name."""
    return _loop({"gather": GATHER, "targets": TARGETS, "vdot": VDOT, "keep": KEEP, "correct": CORRECT}[name])


def gather(dtype):
    return plain("gather")


def activate(dtype, formula):
    """[(function, names of its arguments)]: what makes A + b and f(A) of A."""
    split = Split(formula)
    if split.ufunc is None:
        return [(_loop(ACTIVATE, dtype, split, ranks=(2, 1, 2)), "A b H")]
    first = _loop(ACTIVATE, dtype, split, split.inner, ranks=(2, 1, 2))
    return [(first, "A b H"), (split.ufunc, "H H"), (_loop(FINISH, dtype, split, ranks=(2, 2)), "A H")]


def slope(dtype, formula):
    """[(function, names of its arguments)]: what makes dA of dH."""
    split = Split(formula)
    applied = ", dA[j, i]" if split.ufunc else ""
    last = _loop(SLOPE, dtype, split, ranks=(2, 2, 2, 2), applied=applied), "dH A H dA"
    if split.ufunc is None:
        return [last]
    return [(_loop(INNER, dtype, split, split.inner, ranks=(2, 2, 2)), "A H dA"), (split.ufunc, "dA dA"), last]


def update(dtype, rule):
    """(loop over θ, gradient, slots and a vector of scalars; function that gives these scalars, decay first)."""
    split = Split(rule)
    if split.ufunc:
        raise ValueError("a rule with a function that only NumPy has vectorized")
    slots = split.arrays[2:]
    loop = _loop(
        UPDATE,
        dtype,
        split,
        ranks=[1] * (3 + len(slots)),
        slots="".join(f", {s}" for s in slots),
        elements="".join(f", {s}[i]" for s in slots),
        unpacked="\n".join(f"    {s} = scalars[{i}]" for i, s in enumerate(split.scalars, 1)),
        scalars="".join(f", {s}" for s in split.scalars),
    )
    return loop, lambda decay, scalars: (decay, *split.once(**scalars))


def _loop(template, dtype=None, split=None, element=None, ranks=None, **filling):
    """The template's loop around the function of one element (that of the split if none is given), compiled.

    ranks: dimensions of its arguments, to try it with. Raises ValueError where numba cannot compile it.
    """
    source = template.format(**filling)
    if split is None:
        return _jit(define(source, {"__name__": __name__}, __file__), source)
    element = element or split.source
    globals_ = split.globals | {name: dtype.type(value) for name, value in split.constants.items()}
    globals_["__name__"] = __name__  # numba's cache imports the module that a function says it is of
    globals_["formula"] = _jit(define(element, globals_, __file__))
    loop = _jit(define(source, globals_, __file__), f"{source}{element}{split.constants}{dtype}")
    try:
        loop(*(np.zeros((64,) if rank == 1 else (1, 1), dtype) for rank in ranks))
    except NumbaError as error:  # the formula uses what numba does not know
        raise ValueError("numba cannot compile the formula") from error
    return loop


def _jit(function, identity=None):
    """The function compiled by numba; kept on disk if its identity is told.

    Numba finds compiled code by the function's name and the date of the file. Here the name holds a digest of all that
    the code is made from, so that a formula that was edited is a new one, whichever file it stands in.
    """
    if identity is None:
        return nb.njit(error_model="numpy")(function)
    return kept(nb.njit, function, identity, error_model="numpy")


def kept(compile_, function, identity, *arguments, **options):
    function.__qualname__ += "_" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    try:
        return compile_(*arguments, cache=True, **options)(function)
    except RuntimeError:  # no folder to write to
        return compile_(*arguments, **options)(function)
