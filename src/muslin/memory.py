"""Where a network's numbers live: one vector of parameters, one of their gradient, and the signals of one batch.

Nothing here is ever replaced. Everyone writes into it, and every view stays a view.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from muslin.errors import InputError

Array = NDArray[np.floating[Any]]


class Views(dict[int, Array]):
    """{k: array} of views into one vector. Assigning to a key writes into the vector and leaves the view in place."""

    def __setitem__(self, k: int, value: Any) -> None:
        self[k][...] = value

    def update(self, other: Mapping[int, Any] | Iterable[tuple[int, Any]]) -> None:  # type: ignore[override]
        for k, value in dict(other).items():
            self[k] = value

    def __ior__(self, other: Mapping[int, Any] | Iterable[tuple[int, Any]]) -> Self:  # type: ignore[override, misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:  # a copy is no view any more
        return dict, (dict(self),)


class Parameters:
    """The parameters θ of all layers as one vector, every W (column by column), then every b, then every γ, and their
    gradient. Only hidden layers that are normalized have a γ.

    ``weight_slices[k]``, ``bias_slices[k]`` and ``gamma_slices[k]`` are where W⁽ᵏ⁾, b⁽ᵏ⁾ and γ⁽ᵏ⁾ lie in both vectors;
    ``weights[k]``, an (n_k × n_{k−1}), and ``biases[k]`` and ``gammas[k]``, (n_k × 1), are views of θ,
    ``weight_gradients[k]``, ``bias_gradients[k]`` and ``gamma_gradients[k]`` of the gradient. ``running_means[k]`` and
    ``running_variances[k]``, (n_k × 1), are what a normalized layer predicts with. γ and the running variances start
    at one, all else at zero.

    ``values`` is all that a trained network is: θ, and behind it ``running``, the means and variances.

    Raises InputError where there is not that much memory.
    """

    def __init__(self, sizes: list[int], dtype: np.dtype[Any], normalized: bool = False):
        shapes = {k: (sizes[k], sizes[k - 1]) for k in range(1, len(sizes))}
        columns = {k: (n, 1) for k, (n, _) in shapes.items()}
        hidden = {k: columns[k] for k in range(1, len(sizes) - 1)} if normalized else {}
        self.weight_slices = _slices(shapes, 0)
        self.n_weights = _end(self.weight_slices, 0)
        self.bias_slices = _slices(columns, self.n_weights)
        self.gamma_slices = _slices(hidden, _end(self.bias_slices, 0))
        n = _end(self.gamma_slices, _end(self.bias_slices, 0))
        means = _slices(hidden, n)
        variances = _slices(hidden, _end(means, n))
        try:
            self.values, self.gradient = np.zeros(_end(variances, n), dtype), np.zeros(n, dtype)
        except (MemoryError, ValueError) as error:
            raise InputError(
                f"A network of {n:,} parameters does not fit into memory; make its layers smaller."
            ) from error
        self.theta, self.running = self.values[:n], self.values[n:]
        self.weights = _views(self.theta, self.weight_slices, shapes)
        self.biases = _views(self.theta, self.bias_slices, columns)
        self.gammas = _views(self.theta, self.gamma_slices, hidden)
        self.weight_gradients = _views(self.gradient, self.weight_slices, shapes)
        self.bias_gradients = _views(self.gradient, self.bias_slices, columns)
        self.gamma_gradients = _views(self.gradient, self.gamma_slices, hidden)
        self.running_means = _views(self.values, means, hidden)
        self.running_variances = _views(self.values, variances, hidden)
        for k in hidden:
            self.gammas[k] = self.running_variances[k] = 1.0

    def above(self, freeze: int) -> tuple[slice, ...]:
        """Where the weights, the biases and the γ (if there are any) of all layers above the first ``freeze`` lie."""
        first, groups = freeze + 1, (self.weight_slices, self.bias_slices, self.gamma_slices)
        return tuple(slice(group[first].start, _end(group, 0)) for group in groups if first in group)


def _slices(shapes: dict[int, tuple[int, int]], at: int) -> dict[int, slice]:
    """Where arrays of these shapes lie in a vector, one behind the other from ``at`` on."""
    slices = {}
    for k, (n, m) in shapes.items():
        slices[k] = slice(at, at := at + n * m)
    return slices


def _end(slices: dict[int, slice], at: int) -> int:
    """Where the last of the slices ends; ``at`` if there is none."""
    return max((where.stop for where in slices.values()), default=at)


def _views(vector: Array, slices: dict[int, slice], shapes: dict[int, tuple[int, int]]) -> Views:
    return Views((k, vector[where].reshape(shapes[k], order="F")) for k, where in slices.items())


class Owner:
    """Has `Parameters`, and what is theirs as its own.

    All are in the vector ``theta``: every W, then every b, then every γ. ``weights[k]``, ``biases[k]`` and
    ``gammas[k]`` are views into it; ``weight_gradients[k]``, ``bias_gradients[k]`` and ``gamma_gradients[k]`` are into
    ``gradient``.
    """

    @property
    def theta(self) -> Array:
        """The parameters θ as one vector: all W (column by column), all b, all γ. Write into it: ``theta[...] = …``."""
        return self.parameters.theta

    def _own(self, p: Parameters) -> None:
        self.parameters, self.gradient = p, p.gradient
        self.weights, self.biases, self.gammas = p.weights, p.biases, p.gammas
        self.weight_gradients, self.bias_gradients = p.weight_gradients, p.bias_gradients
        self.gamma_gradients = p.gamma_gradients


class Signals:
    """What flows through the network for one batch: A, H, dA, dH, each {k: (n_k × B)}, Fortran order.

    A and H of layer L are in C order: softmax goes down columns, and NumPy is quick where it takes all columns at once.
    ``inputs[k]`` is what layer k + 1 is given: H⁽ᵏ⁾ itself or, with dropout, H⁽ᵏ⁾ ∘ mask⁽ᵏ⁾. Of the layers k that are
    ``normalized`` by the batch, ``N[k]`` is A⁽ᵏ⁾ normalized, ``means[k]`` and ``variances[k]``, (n_k × 1), are those of
    the batch. ``Z`` is what the output function leaves for the loss, ``weights`` those of the samples, (1 × B), if
    they have any. Made once and used for every batch; ``first(n)`` is the same memory for a batch of n columns.
    """

    NAMES = ("A", "H", "dA", "dH", "N", "masks", "inputs")
    A: dict[int, Array]
    N: dict[int, Array]
    means: dict[int, Array]
    variances: dict[int, Array]
    H: dict[int, Array]
    dA: dict[int, Array]
    dH: dict[int, Array]
    masks: dict[int, Array]
    inputs: dict[int, Array]
    Z: Array
    weights: Array | None = None

    def __init__(
        self,
        sizes: list[int],
        batch: int,
        dtype: np.dtype[Any],
        dropout: bool = False,
        backward: bool = True,
        normalized: Collection[int] = (),
    ):
        def arrays(layers: range, last: Any = "F") -> dict[int, Array]:
            return {k: np.zeros((sizes[k], batch), dtype, order=last if k == L else "F") for k in layers}

        L = len(sizes) - 1
        hidden = range(1, len(sizes) - 1)
        self.batch = batch
        self.A, self.H = arrays(range(1, len(sizes)), "C"), arrays(range(len(sizes)), "C")
        self.dA, self.dH = (arrays(range(1, len(sizes))), arrays(hidden)) if backward else ({}, {})
        self.N = {k: array for k, array in arrays(hidden).items() if k in normalized}
        self.means, self.variances = ({k: np.zeros((sizes[k], 1), dtype) for k in self.N} for _ in range(2))
        self.masks = arrays(hidden) if dropout else {}
        self.inputs = self.H | (arrays(hidden) if dropout else {})
        self.first: Callable[[int], Signals] = cache(self._first)

    def _first(self, n: int) -> "Signals":
        if n == self.batch:
            return self
        return self.map(lambda array: array[:, :n], n)

    def map(self, function: Callable[[Array], Any], batch: int) -> "Signals":
        """The signals of a batch that are made of these: ``function`` of each array."""
        signals = object.__new__(Signals)
        signals.batch, signals.means, signals.variances = batch, self.means, self.variances
        for name in self.NAMES:
            setattr(signals, name, {k: function(array) for k, array in getattr(self, name).items()})
        return signals
