"""How a formula meets arrays. One formula, two engines.

The numpy engine calls a formula with whole arrays. The numba engine compiles the *same* function into one loop over
the elements: no temporaries, one pass over memory, and the same results to the bit. Matrix products are no formula's
business: they stay `np.matmul`.
"""

import hashlib
import importlib.util

import numpy as np

from muslin.errors import InputError, unknown
from muslin.split import Split, define

#: elements that the numpy engine gives to a formula at a time: its temporaries stay in the processor's cache
BLOCK = 16_384


class NumpyEngine:
    """Formulas on whole arrays, as NumPy evaluates them. Matrices are (n × B) in Fortran order, b and db (n × 1)."""

    name = "numpy"

    def gather(self, X, rows, out):
        """out[j] ← X[rows[j]], as floats; uint8 is scaled by 1/255.  X: (N × n), out: (len(rows) × n)."""
        if X.dtype == np.uint8:
            np.multiply(X.take(rows, axis=0), out.dtype.type(1 / 255), out=out)
        else:
            out[...] = X[rows]

    def activate(self, function, A, b, H):
        """A ← A + b;  H ← f(A)."""
        A += b
        H[...] = function(A)

    def slope(self, slope, dH, A, H, dA, db):
        """dA ← dH ∘ f′(A);  db ← Σ dA over the batch."""
        np.multiply(dH, slope(A, H), out=dA)
        np.add.reduce(dA, axis=1, keepdims=True, out=db)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        """One optimizer step in place: θ, slots ← rule(θ, g + decay·θ, slots, scalars), block by block."""
        for i in range(0, theta.size, BLOCK):
            block = slice(i, i + BLOCK)
            gradient = g[block] + decay * theta[block] if decay else g[block]
            new = rule(theta[block], gradient, *(s[block] for s in slots), **scalars)
            for array, value in zip((theta, *slots), new if slots else (new,), strict=True):
                array[block] = value


class NumbaEngine(NumpyEngine):
    """The same formulas, compiled. One that cannot be compiled stays with NumPy."""

    name = "numba"

    def __init__(self):
        self._made = {}

    def gather(self, X, rows, out):
        if X.flags.c_contiguous and X.dtype in (np.uint8, np.float32, np.float64):
            scale = out.dtype.type(1 / 255 if X.dtype == np.uint8 else 1)
            self._get(_gather, out.dtype)(X, rows, scale, out)
        else:
            super().gather(X, rows, out)

    def activate(self, function, A, b, H):
        run = self._get(_activate, A.dtype, function)
        run(A.T, b[:, 0], H.T) if run else super().activate(function, A, b, H)

    def slope(self, slope, dH, A, H, dA, db):
        run = self._get(_slope, A.dtype, slope)
        run(dH.T, A.T, H.T, dA.T, db[:, 0]) if run else super().slope(slope, dH, A, H, dA, db)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        run = self._get(_update, theta.dtype, rule)
        run(theta, g, slots, scalars, decay) if run else super().update(rule, theta, g, slots, scalars, decay)

    def _get(self, make, dtype, *formula):
        key = make, dtype, *formula
        if key not in self._made:
            try:
                self._made[key] = make(dtype, *map(Split, formula))
            except ValueError:
                self._made[key] = None
        return self._made[key]


# What the numba engine runs. A formula with a function that only NumPy has vectorized becomes two loops around it.


def _gather(dtype):
    return _loop(GATHER, dtype)


def _activate(dtype, split):
    if split.ufunc is None:
        return _loop(ACTIVATE, dtype, split, ranks=(2, 1, 2))
    first = _loop(ACTIVATE, dtype, split, split.inner, ranks=(2, 1, 2))
    second = _loop(FINISH, dtype, split, ranks=(2, 2))

    def run(A, b, H):
        first(A, b, H)
        split.ufunc(H, out=H)
        second(A, H)

    return run


def _slope(dtype, split):
    second = _loop(SLOPE, dtype, split, ranks=(2, 2, 2, 2, 1), applied=", dA[j, i]" if split.ufunc else "")
    if split.ufunc is None:
        return second
    first = _loop(INNER, dtype, split, split.inner, ranks=(2, 2, 2))

    def run(dH, A, H, dA, db):
        first(A, H, dA)
        split.ufunc(dA, out=dA)
        second(dH, A, H, dA, db)

    return run


def _update(dtype, split):
    slots = split.arrays[2:]
    if split.ufunc:
        raise ValueError("a rule with a function that only NumPy has vectorized")
    loop = _loop(
        UPDATE,
        dtype,
        split,
        ranks=[1] * (2 + len(slots)) + [0] * (1 + len(split.scalars)),
        slots="".join(f", {s}" for s in slots),
        elements="".join(f", {s}[i]" for s in slots),
        scalars="".join(f", {s}" for s in split.scalars),
    )

    def run(theta, g, slots, scalars, decay):
        loop(theta, g, *slots, dtype.type(decay), *map(dtype.type, split.once(**scalars)))

    return run


GATHER = """
def gather(X, rows, scale, out):
    for j in range(rows.size):
        x, o = X[rows[j]], out[j]
        for i in range(x.size):
            o[i] = x[i] * scale
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
def slope(dH, A, H, dA, db):
    db[:] = 0
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            d = dH[j, i] * formula(A[j, i], H[j, i]{applied})
            dA[j, i] = d
            db[i] += d
"""

UPDATE = """
def update(theta, g{slots}, decay{scalars}):
    for i in range(theta.size):
        theta[i]{elements} = formula(theta[i], g[i] + decay * theta[i]{elements}{scalars})
"""


def _loop(template, dtype, split=None, element=None, ranks=None, **filling):
    """The template's loop around the function of one element (that of the split if none is given), compiled.

    ranks: dimensions of its arguments, to try it with. Raises ValueError where numba cannot compile it.
    """
    from numba.core.errors import NumbaError

    source = template.format(**filling)
    if split is None:
        return _jit(define(source, {"__name__": __name__}, __file__), source)
    element = element or split.source
    globals_ = split.globals | {name: dtype.type(value) for name, value in split.constants.items()}
    globals_["__name__"] = __name__  # numba's cache imports the module that a function says it is of
    globals_["formula"] = _jit(define(element, globals_, __file__))
    loop = _jit(define(source, globals_, __file__), f"{source}{element}{split.constants}{dtype}")
    try:
        loop(*(np.zeros((1,) * rank, dtype)[()] for rank in ranks))
    except NumbaError as error:  # the formula uses what numba does not know
        raise ValueError("numba cannot compile the formula") from error
    return loop


def _jit(function, identity=None):
    """The function compiled by numba; kept on disk if its identity is told.

    Numba finds compiled code by the function's name and the date of the file. Here the name holds a digest of all that
    the code is made from, so that a formula that was edited is a new one, whichever file it stands in.
    """
    from numba import njit

    if identity is None:
        return njit(error_model="numpy")(function)
    function.__qualname__ += "_" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    try:
        return njit(error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder to write to
        return njit(error_model="numpy")(function)


ENGINES = {"numpy": NumpyEngine, "numba": NumbaEngine}
_made = {}


def engine(name="auto"):
    """The engine of that name; "auto" is numba where it is installed, else numpy. One of each is made and shared.

    Raises InputError: an unknown name, or numba asked for and not installed.
    """
    installed = importlib.util.find_spec("numba") is not None
    name = str(name).lower()
    if name == "auto":
        name = "numba" if installed else "numpy"
    if name not in ENGINES:
        raise unknown("engine", name, ["auto", *ENGINES])
    if name == "numba" and not installed:
        raise InputError("The numba engine needs numba: pip install 'muslin[fast]' (or choose the numpy engine).")
    return _made.setdefault(name, ENGINES[name]())
