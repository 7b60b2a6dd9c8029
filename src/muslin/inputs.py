"""What may come in at the door: samples, labels, row numbers, sizes and seeds, checked and brought into one form."""

import math
import sys
import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from muslin.errors import InputError

#: how many times larger or smaller than in training samples may be before that is said
FACTOR = 100
#: rows by which features are compared; features from which on they may be pixels; a range that is no large one
ROWS, MANY, MODEST = 1000, 49, 10.0
#: mean or deviation of a target from which on a network has a long way to it
FAR = 30.0
#: the largest number that is taken for one of uint8 scaled by 1/255
SCALED = 2.0


class Scale(NamedTuple):
    """What a network was trained on: uint8, which the door scales by 1/255, or other numbers, taken as they are; and
    the largest magnitude that it saw."""

    uint8: bool
    largest: float

    @classmethod
    def of(cls, X: np.ndarray) -> Self:
        return cls(X.dtype == np.uint8, 1.0 if X.dtype == np.uint8 else _largest(X))

    def limits(self, n: int) -> tuple[float, float]:
        """(most, least): `check` has nothing to say of n samples that are no uint8, if no magnitude is above ``most``
        and one is at least ``least``."""
        most = SCALED if self.uint8 else FACTOR * self.largest
        return most, self.largest / FACTOR if n >= FACTOR else 0.0

    def check(self, X: np.ndarray, other: "Scale") -> None:
        """Raises InputError where one of X, which is of the ``other`` scale, and the training samples is uint8 and the
        other is not of that scale; warns where both are other numbers and of very different sizes."""
        if self.uint8 and other.largest > SCALED:
            raise InputError(
                f"X holds {X.dtype} up to {other.largest:.4g}, but the network was trained on uint8, which is scaled "
                "by 1/255; give uint8, or divide by 255."
            )
        if other.uint8 and self.largest > SCALED:
            raise InputError(
                "X holds uint8, which is scaled by 1/255, but the network was trained on numbers up to "
                f"{self.largest:.4g} as they are; give floats of that scale."
            )
        larger = other.largest > FACTOR * self.largest > 0
        if not other.uint8 and (larger or (len(X) >= FACTOR and 0 < other.largest * FACTOR < self.largest)):
            warnings.warn(
                f"X holds numbers up to {other.largest:.4g}, but the network was trained on numbers up to "
                f"{self.largest:.4g}; they must be of the same scale.",
                stacklevel=_caller(),
            )


def hint_of_scales(X: np.ndarray) -> None:
    """Warns where features, X (N × n_0), differ in scale by more than `FACTOR`: the network then learns from the large
    ones only, or not at all. Pictures have pixels that hardly ever change: uint8, and many features of a modest range
    or of whole numbers up to 255, are none to warn of."""
    some = X[:: max(1, len(X) // ROWS)]
    ranges = np.ptp(some, axis=0)
    changing = np.flatnonzero(ranges > 0)
    if X.dtype == np.uint8 or len(changing) < 2:
        return
    large, small = changing[ranges[changing].argmax()], changing[ranges[changing].argmin()]
    if ranges[large] <= FACTOR * ranges[small] or (len(ranges) >= MANY and _of_pixels(some, ranges[large])):
        return
    warnings.warn(
        f"Features of X differ in scale: that of column {large} is {ranges[large]:.3g} from least to greatest, that of "
        f"column {small} {ranges[small]:.3g}. Networks learn better from features of about the same scale, such as "
        "scikit-learn's StandardScaler makes.",
        stacklevel=_caller(),
    )


def hint_of_targets(Y: np.ndarray) -> None:
    """Warns where numbers to be predicted, Y (N × outputs), are far from those that a network says at first."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = Y.mean(axis=0), Y.std(axis=0)
    center = np.abs(mean)
    worst = int(np.maximum(center, spread).argmax())
    if max(center[worst], spread[worst]) <= FAR:
        return
    warnings.warn(
        f"y has the mean {mean[worst]:.3g} and the deviation {spread[worst]:.3g}, and networks begin near 0: it "
        "takes them long to get there. Learn (y − mean) / deviation, or with scikit-learn use "
        "TransformedTargetRegressor.",
        stacklevel=_caller(),
    )


def _of_pixels(X: np.ndarray, largest: float) -> bool:
    return largest <= MODEST or bool(X.min() >= 0 and X.max() <= 255 and (np.round(X) == X).all())


def _caller() -> int:
    """How many frames above the one that warns the caller of this package is."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("muslin."):
        frame, level = frame.f_back, level + 1
    return level


def as_samples(X: Any, n_inputs: int, dtype: DTypeLike = np.float64, scale: Scale | None = None) -> np.ndarray:
    """X as an (N × n_inputs) array, float or uint8; images (N × height × width) are flattened.

    scale: of the samples that the network was trained on; see `Scale.check`.

    Raises InputError: not numeric, another width, no sample, masked values, or one that is not finite in ``dtype``.
    """
    X = _array(X, "X", f"(samples, {n_inputs})")
    if X.dtype == bool or X.dtype.kind not in "uif":
        raise InputError(f"X holds {X.dtype}; it must hold numbers (float or uint8).")
    if X.ndim > 1 and len(X) == 0:
        raise InputError("X is empty; at least one sample is needed.")
    shape, X = X.shape, X.reshape(len(X), -1) if X.ndim > 2 else X
    if X.ndim != 2 or X.shape[1] != n_inputs:
        raise InputError(f"X has the shape {shape}; it must be (samples, {n_inputs}).")
    own, most = Scale.of(X), float(np.finfo(dtype).max)
    if not own.largest <= most:
        row, column = np.argwhere(~(np.abs(X) <= most))[0]
        value = X[row, column]
        words = f"the network computes in {np.dtype(dtype)}, whose largest number is {most:.2e}"
        words = words if np.isfinite(value) else "every value must be finite"
        raise InputError(f"X holds {value} in row {row}, column {column}; {words}.")
    if scale is not None:
        scale.check(X, own)
    return X


def as_probabilities(P: np.ndarray) -> np.ndarray:
    """Raises InputError where a row is no number: its sample overflowed within the network."""
    if np.isnan(P.sum()):
        broken = np.isnan(P).any(axis=1)
        raise InputError(
            f"Row {int(broken.argmax())} of X leaves the finite numbers within the network: the sample is too large "
            "for its parameters, or they are not finite."
        )
    return P


def _largest(X: np.ndarray) -> float:
    """The largest magnitude; NaN where there is one."""
    low, high = X.min(), X.max()
    return max(abs(float(low)), abs(float(high))) if low == low else math.nan


def as_labels(y: Any, n_samples: int, classes: int) -> np.ndarray:
    """y as an integer (N,) array. Raises InputError: not integers, another length, a label outside 0…classes − 1."""
    y = _array(y, "y", "(samples,)")
    if y.dtype == np.uint64:
        y = y.astype(np.int64)  # NumPy takes no rows by uint64
    if y.ndim != 1 or y.dtype.kind not in "ui":
        raise InputError(f"y is {y.dtype} of shape {y.shape}; it must be one integer label a sample.")
    if len(y) != n_samples:
        raise InputError(f"X has {n_samples} samples and y {len(y)} labels; they must be as many.")
    wrong = (y < 0) | (y >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(f"y holds the label {y[row]} in row {row}; labels must lie between 0 and {classes - 1}.")
    return y


def as_targets(y: Any, n_samples: int, n_outputs: int, target: str, dtype: Any) -> np.ndarray:
    """What the samples are to be: class numbers (N,) or, of "labels", "numbers" and "counts", (N × n_outputs) of the
    dtype; one output may come as (N,).

    Raises InputError: another shape, or a value that the kind of target cannot have.
    """
    if target == "class":
        return as_labels(y, n_samples, n_outputs)
    y = _array(y, "y", f"(samples, {n_outputs})")
    if y.dtype.kind not in "buif":
        raise InputError(f"y holds {y.dtype}; it must hold numbers.")
    shape, Y = y.shape, y[:, None] if y.ndim == 1 and n_outputs == 1 else y
    if Y.ndim != 2 or Y.shape[1] != n_outputs:
        raise InputError(f"y has the shape {shape}; it must be (samples, {n_outputs}), a row of {target} a sample.")
    if len(Y) != n_samples:
        raise InputError(f"X has {n_samples} samples and y {len(Y)} rows; they must be as many.")
    with np.errstate(over="ignore"):
        Y = np.ascontiguousarray(Y, dtype)
    low, high, right = BOUNDS[target]
    wrong = ~(np.isfinite(Y) & (low <= Y) & (high >= Y))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(f"y holds {Y[row, column]} in row {row}, column {column}; {target} must be {right}.")
    return Y


#: kind of target → least, greatest, in words
BOUNDS = {
    "labels": (0, 1, "0 or 1, or a probability between"),
    "numbers": (-math.inf, math.inf, "finite"),
    "counts": (0, math.inf, "finite and not negative"),
}


def as_weights(weights: Any, n_samples: int) -> np.ndarray:
    """Weights of samples as float64 (N,). Raises InputError: another shape, or one that is negative or not finite."""
    w = _array(weights, "sample_weight", f"({n_samples},)")
    if w.shape != (n_samples,) or w.dtype.kind not in "buif":
        raise InputError(
            f"sample_weight is {w.dtype} of shape {w.shape}; it must be one number a sample, ({n_samples},)."
        )
    w = w.astype(np.float64)
    wrong = ~(np.isfinite(w) & (w >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(f"sample_weight is {w[row]} in row {row}; weights must be finite and not negative.")
    return w


def as_rows(rows: Any, n: int, name: str = "rows") -> np.ndarray:
    """The row numbers as an array; of None all n. Raises InputError: none at all, or one outside 0…n − 1."""
    if rows is None:
        return every_row(n)
    array = _array(rows, name, "(rows,)")
    if array.ndim != 1 or array.dtype.kind not in "ui" or not array.size or array.min() < 0 or array.max() >= n:
        raise InputError(f"{name} must be a list of row numbers from 0 to {n - 1}, at least one.")
    return array


def every_row(n: int) -> np.ndarray:
    """0…n − 1, in half of the memory where that is enough."""
    return np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)


def as_sizes(sizes: Any) -> list[int]:
    """[n_0, …, n_L] as integers. Raises InputError: fewer than two, or one that is no positive whole number."""
    try:
        sizes = [int(n) if n == int(n) else 0 for n in sizes]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) < 2 or min(sizes) < 1:
        raise InputError("sizes must be a list of at least two positive whole numbers, such as [784, 128, 10].")
    return sizes


def as_seed(seed: Any) -> int:
    """Raises InputError: no whole number from 0."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"seed is {seed!r}; it must be a whole number from 0.")
    return int(seed)


def as_dtype(dtype: Any) -> np.dtype:
    """Raises InputError: neither float32 nor float64."""
    try:
        precision = np.dtype(dtype)
    except TypeError:
        precision = None
    if precision not in (np.float32, np.float64):
        raise InputError(f"dtype is {dtype!r}; it must be float32 or float64.")
    return precision


def as_finite(value: Any, name: str) -> float:
    """Raises InputError: no number, or not a finite one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}; it must be a finite number.")
    return float(value)


def _array(value: Any, name: str, shape: str) -> np.ndarray:
    """The value as an array in the machine's own byte order."""
    if (masked := np.ma.count_masked(value) if np.ma.isMaskedArray(value) else 0) > 0:
        raise InputError(
            f"{name} has {masked:,} masked values; leave out their rows, or fill them in: {name}.filled(…)."
        )
    try:
        array = np.asarray(value)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    except ValueError as error:
        raise InputError(f"{name} is no array: its rows differ in length; it must be of shape {shape}.") from error
