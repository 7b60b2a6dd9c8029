"""How a formula meets arrays. One formula, two engines.

The numpy engine calls a formula with whole arrays. The numba engine compiles the *same* function into one loop over
the elements: no temporaries, one pass over memory, and the same results to the bit. Matrix products are no formula's
business: they stay `np.matmul`.
"""

import importlib.util
from functools import cache

import numpy as np

from muslin.errors import InputError, unknown

#: what the numba engine gathers itself, where it lies row by row
GATHERED = (np.uint8, np.float32, np.float64)

#: elements that the numpy engine gives to a formula at a time: its temporaries stay in the processor's cache
BLOCK = 32_768


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

    def slope(self, slope, dH, A, H, dA):
        """dA ← dH ∘ f′(A)."""
        np.multiply(dH, slope(A, H), out=dA)

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
        if X.flags.c_contiguous and X.dtype in GATHERED:
            self.made("gather", out.dtype)(X, rows, _range(X.shape[1]), scale(X.dtype, out.dtype), out)
        else:
            super().gather(X, rows, out)

    def activate(self, function, A, b, H):
        if steps := self.made("activate", A.dtype, function):
            _run(steps, {"A": A.T, "b": b[:, 0], "H": H.T})
        else:
            super().activate(function, A, b, H)

    def slope(self, slope, dH, A, H, dA):
        if steps := self.made("slope", A.dtype, slope):
            _run(steps, {"dH": dH.T, "A": A.T, "H": H.T, "dA": dA.T})
        else:
            super().slope(slope, dH, A, H, dA)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        if made := self.made("update", theta.dtype, rule):
            loop, once = made
            loop(theta, g, *slots, np.array(once(decay, scalars), theta.dtype))
        else:
            super().update(rule, theta, g, slots, scalars, decay)

    def made(self, kind, dtype, *formula):
        """What `muslin.engines.templates` makes of a formula; None if it cannot."""
        from muslin.engines import templates

        key = kind, dtype, *formula
        if key not in self._made:
            try:
                self._made[key] = getattr(templates, kind)(dtype, *formula)
            except ValueError:
                self._made[key] = None
        return self._made[key]


@cache
def _range(n):
    return np.array([0, n])


@cache
def scale(stored, dtype):
    """What a stored number is multiplied by, as a vector of one."""
    return np.array([1 / 255 if stored == np.uint8 else 1], dtype)


def _run(steps, arrays):
    for function, names in steps:
        function(*(arrays[name] for name in names.split()))


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
