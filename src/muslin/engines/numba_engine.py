"""The same formulas, compiled into loops over the elements: no temporaries, one pass over memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from muslin.engines.contract import GATHERED
from muslin.engines.formula import Bindings, NotCertain
from muslin.engines.numpy_engine import NumpyEngine
from muslin.normalization import NORMALIZATIONS, Normalization


class NumbaEngine(NumpyEngine):
    """The `muslin.engines.contract.Engine` that compiles. A formula of which it is not certain that the loop gives
    NumPy's numbers stays with NumPy; `why_not` says why."""

    name = "numba"

    def __init__(self) -> None:
        #: formula → {(kind, dtype): (what it read, its loops or why there are none)}
        self._compiled: WeakKeyDictionary[Callable, dict[Any, Any]] = WeakKeyDictionary()

    def gather(self, X: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        if _in_rows(X, rows, written=[out]) and _within(X, rows) and (loop := _gather()):
            loop(X, rows, all_columns(X.shape[1]), scale(X.dtype, out.dtype), out)
        else:
            super().gather(X, rows, out)

    def augment(self, how: Any, X: np.ndarray, rows: np.ndarray, ways: np.ndarray, out: np.ndarray) -> None:
        if not (_in_rows(X, rows, ways, written=[out]) and _within(X, rows) and _gather()):
            super().augment(how, X, rows, ways, out)
            return
        from muslin.engines import templates

        P, shape, share = np.empty_like(out) if how.mixes else out, np.array(how.shape), all_columns(len(rows))
        warp = templates.pictures("warp", out.dtype)
        warp(X, rows, ways, how.fields, shape, scale(X.dtype, out.dtype), share, P)
        if how.mixes:
            templates.pictures("mix", out.dtype)(P, ways, shape, share, out)

    def activate(self, function: Callable, A: np.ndarray, b: np.ndarray, H: np.ndarray) -> None:
        arrays = {"A": A.T, "b": b[:, 0], "H": H.T}
        if self.why_not("activate", function, A.dtype) or not _in_rows(arrays["b"], written=[A.T, H.T]):
            super().activate(function, A, b, H)
        else:
            _run(self.compiled("activate", function, A.dtype), arrays, len(A))

    def slope(self, slope: Callable, dH: np.ndarray, A: np.ndarray, H: np.ndarray, dA: np.ndarray) -> None:
        arrays = {"dH": dH.T, "A": A.T, "H": H.T, "dA": dA.T}
        if self.why_not("slope", slope, A.dtype) or not _in_rows(dH.T, A.T, H.T, written=[dA.T]):
            super().slope(slope, dH, A, H, dA)
        else:
            _run(self.compiled("slope", slope, A.dtype), arrays, len(A))

    def update(
        self,
        rule: Callable,
        theta: np.ndarray,
        g: np.ndarray,
        slots: Sequence[np.ndarray],
        scalars: Mapping[str, float],
        decay: float = 0.0,
    ) -> None:
        alike = len({vector.shape for vector in (theta, g, *slots)}) == 1
        if self.why_not("update", rule, theta.dtype) or not (alike and _in_rows(g, written=[theta, *slots])):
            super().update(rule, theta, g, slots, scalars, decay)
        else:
            compiled = self.compiled("update", rule, theta.dtype)
            compiled.loop(theta, g, *slots, np.array(compiled.scalars(decay, scalars)))

    def normalize(
        self,
        how: Normalization,
        A: np.ndarray,
        gamma: np.ndarray,
        N: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
    ) -> None:
        if loop := _loop("normalize", how, A):
            loop(A.T, gamma[:, 0], N.T, mean[:, 0], variance[:, 0], all_columns(len(A)))
        else:
            super().normalize(how, A, gamma, N, mean, variance)

    def normalized_deltas(
        self,
        how: Normalization,
        dA: np.ndarray,
        gamma: np.ndarray,
        N: np.ndarray,
        variance: np.ndarray,
        dgamma: np.ndarray,
        db: np.ndarray,
    ) -> None:
        if loop := _loop("normalized_deltas", how, dA):
            loop(dA.T, gamma[:, 0], N.T, variance[:, 0], dgamma[:, 0], db[:, 0], all_columns(len(dA)))
        else:
            super().normalized_deltas(how, dA, gamma, N, variance, dgamma, db)

    def normalize_as_trained(
        self, how: Normalization, A: np.ndarray, gamma: np.ndarray, mean: np.ndarray, variance: np.ndarray
    ) -> None:
        if loop := _loop("normalize_as_trained", how, A):
            loop(A.T, gamma[:, 0], mean[:, 0], variance[:, 0])
        else:
            super().normalize_as_trained(how, A, gamma, mean, variance)

    def compiled(self, kind: str, formula: Callable, dtype: np.dtype) -> Any:
        """The loops of a formula: a list of `Pass` of an activation or slope, a `CompiledRule` of an optimizer's rule.

        kind: "activate", "slope" or "update". Raises NotCertain, which says why there are none.
        """
        answer = self._answer(kind, formula, dtype)
        if isinstance(answer, str):
            raise NotCertain(answer)
        return answer

    def why_not(self, kind: str, formula: Callable, dtype: np.dtype) -> str | None:
        """Why a formula is not compiled; None where it is."""
        answer = self._answer(kind, formula, dtype)
        return answer if isinstance(answer, str) else None

    def bindings(self, kind: str, formula: Callable, dtype: np.dtype) -> Bindings:
        """What `compiled` loops hold as long as: what they take from the formula's module. Raises NotCertain."""
        self.compiled(kind, formula, dtype)
        return self._compiled[formula][kind, dtype][0]

    def _answer(self, kind, formula, dtype):
        if not isinstance(formula, FunctionType):
            return f"{formula!r} is no plain function"
        of_formula = self._compiled.setdefault(formula, {})
        bindings, answer = of_formula.get((kind, dtype), (None, None))
        if bindings is None or bindings.changed():
            bindings = Bindings(formula)
            answer = _compile(kind, formula, dtype, bindings)
            of_formula[kind, dtype] = bindings, answer
        return answer


def _compile(kind, formula, dtype, bindings):
    try:
        from muslin.engines import templates

        return templates.MAKERS[kind](formula, dtype, bindings)
    except Exception as error:  # whatever numba, its cache or the formula raise: NumPy can do it
        return f"{formula.__name__} is not compiled: {error or type(error).__name__}"


def _loop(name, how, A):
    """The compiled loop of batch normalization for A (n × B); None where NumPy has to do it."""
    if how is not NORMALIZATIONS["batch"] or len(A) == 1 or not A.flags.f_contiguous:  # of one row NumPy sums pairwise
        return None
    try:
        from muslin.engines import templates

        return templates.normalization(name, A.dtype)
    except NotCertain:
        return None


@cache
def _gather():
    try:
        from muslin.engines import templates

        return templates.bare("gather")
    except NotCertain:
        return None


@cache
def all_columns(n: int) -> np.ndarray:
    return np.array([0, n])


@cache
def scale(stored: np.dtype, dtype: np.dtype) -> np.ndarray:
    """What a stored number is multiplied by, as a vector of one."""
    return np.array([1 / 255 if stored == np.uint8 else 1], dtype)


def _in_rows(*arrays, written):
    """Whether loops can read and write these: they look at nothing, NumPy does."""
    return all(array.flags.c_contiguous for array in (*arrays, *written)) and all(a.flags.writeable for a in written)


def _within(X, rows):
    """Whether the rows can be gathered, and are there."""
    known = X.dtype in GATHERED and rows.dtype.kind in "iu"
    return known and (rows.size == 0 or (rows.min() >= 0 and rows.max() < len(X)))


def _run(passes, arrays, n):
    for function, names in passes:
        columns = () if isinstance(function, np.ufunc) else (all_columns(n),)
        function(*(arrays[name] for name in names), *columns)
