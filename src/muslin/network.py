"""The feed-forward network, in the notation of the class.

Layers are numbered 1…L, layer k has n_k units, n_0 is the number of inputs. Samples are columns:

    H⁽⁰⁾ = X                              (n_0 × B)
    A⁽ᵏ⁾ = W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ + b⁽ᵏ⁾             (n_k × B),  W⁽ᵏ⁾ (n_k × n_{k−1}),  b⁽ᵏ⁾ (n_k × 1)
    H⁽ᵏ⁾ = f(A⁽ᵏ⁾),  Ŷ = H⁽ᴸ⁾ = softmax(A⁽ᴸ⁾)

Matrices are stored column by column (Fortran order): a column-major (n × B) is the row-major (B × n) that BLAS likes,
so the blackboard's equations are also the fast path. At the door (`fit`, `predict`) samples are rows, as elsewhere.
"""

import math
from functools import cache
from numbers import Integral, Real

import numpy as np

from muslin import activations, initializers, losses, optimizers
from muslin.engines import blas
from muslin.engines import engine as make_engine
from muslin.errors import InputError, known
from muslin.files import damaged, read_tensors, write_tensors

#: samples that pass through the network at a time where it only predicts
CHUNK = 512


class Views(dict):
    """{k: array} of views into one vector. Assigning to a key writes into the vector and leaves the view in place."""

    def __setitem__(self, k, value):
        self[k][...] = value

    def update(self, other):
        for k, value in dict(other).items():
            self[k] = value

    def __ior__(self, other):
        self.update(other)
        return self

    def __reduce__(self):  # a copy is no view any more
        return dict, (dict(self),)


class FeedForwardNeuralNetwork:
    """A classifier of fully connected layers with softmax at its output.

    sizes        [n_0, n_1, …, n_L]: inputs, units of each hidden layer, classes
    activation   of the hidden layers; a key of ``activations``
    initializer  of the weights; a key of ``initializers``. Multiplied by ``initializer_scale``. Biases start at zero.
    loss         a key of ``losses``
    seed         of the initial weights and, unless ``fit`` is given another, of everything random in training
    dtype        float32 or float64
    engine       "auto", "numpy" or "numba" (see `muslin.engines`)

    All parameters live in the vector ``theta``: every W, then every b. ``weights[k]`` and ``biases[k]`` are views into
    it, and so are ``weight_gradients[k]`` and ``bias_gradients[k]`` into ``gradient``. Theta is written into, never
    replaced. The four tables are class attributes: add a row, and its name can be used everywhere.

    Raises InputError for sizes, names or a dtype that cannot be.
    """

    activations = activations.ACTIVATIONS
    losses = losses.LOSSES
    initializers = initializers.INITIALIZERS
    optimizers = optimizers.OPTIMIZERS

    def __init__(
        self,
        sizes,
        activation="relu",
        initializer="he",
        loss="cross_entropy",
        seed=0,
        dtype=np.float32,
        engine="auto",
        initializer_scale=1.0,
    ):
        self.sizes = _checked_sizes(sizes)
        self.L = len(self.sizes) - 1
        self.activation = known(self.activations, "activation", activation)
        self.initializer = known(self.initializers, "initializer", initializer)
        self.loss = known(self.losses, "loss", loss)
        self.seed, self.dtype = checked_seed(seed), _checked_dtype(dtype)
        self.initializer_scale = _checked_scale(initializer_scale)
        self.engine = make_engine(engine)
        self.function, self.slope = self.activations[self.activation]
        self.loss_function, self.delta_function = self.losses[self.loss]
        self._make_views()
        initialize, rng = self.initializers[self.initializer], np.random.default_rng(self.seed)
        for W in self.weights.values():
            W[...] = initialize(rng, *W.shape) * self.initializer_scale

    def _make_views(self):
        pairs = list(zip(self.sizes[1:], self.sizes[:-1], strict=True))
        self.n_weights = sum(n * m for n, m in pairs)
        n = self.n_weights + sum(self.sizes[1:])
        try:
            self._theta, self.gradient = np.zeros(n, self.dtype), np.zeros(n, self.dtype)
        except (MemoryError, ValueError) as error:
            raise InputError(
                f"A network of {n:,} parameters does not fit into memory; make its layers smaller."
            ) from error
        self.weights, self.biases = _views(self._theta, pairs)
        self.weight_gradients, self.bias_gradients = _views(self.gradient, pairs)

    @property
    def theta(self):
        """The parameters θ as one vector: all W (column by column), then all b. Write into it: ``theta[...] = …``."""
        return self._theta

    # Forward and backward propagation

    def forward(self, s, engine=None):
        """Forward propagation of the columns of ``s.H[0]``: fills ``s.A``, ``s.H``; Ŷ is ``s.H[L]``.

        engine: who applies the formulas (see `muslin.engines.contract`), the network's own if none is given.
        """
        engine = engine or self.engine
        np.matmul(self.weights[1], s.H[0], out=s.A[1])
        for k in range(1, self.L):
            engine.activate(self.function, s.A[k], self.biases[k], s.H[k])
            if s.masks:
                np.multiply(s.H[k], s.masks[k], out=s.inputs[k])
            np.matmul(self.weights[k + 1], s.inputs[k], out=s.A[k + 1])
        s.A[self.L] += self.biases[self.L]
        s.log_Y_hat = activations.log_softmax(s.A[self.L])
        np.exp(s.log_Y_hat, out=s.H[self.L])

    def backward(self, s, Y):
        """Backward propagation after `forward`: fills ``weight_gradients`` and ``bias_gradients``.

        Y: targets, (n_L × B). Gradients are means over the batch.
        """
        self.deltas(s, Y)
        self.gradients(s)

    def deltas(self, s, Y, freeze=0, engine=None):
        """Fills ``s.dA``, the loss's slope at each A, from the last layer down to the first that is not frozen.

        dA⁽ᴸ⁾ = ∂loss/∂A⁽ᴸ⁾
        dH⁽ᵏ⁻¹⁾ = W⁽ᵏ⁾ᵀ dA⁽ᵏ⁾,      dA⁽ᵏ⁻¹⁾ = dH⁽ᵏ⁻¹⁾ ∘ f′(A⁽ᵏ⁻¹⁾)
        """
        engine = engine or self.engine
        np.divide(self.delta_function(s.H[self.L], Y), s.batch, out=s.dA[self.L])
        for k in range(self.L, freeze + 1, -1):
            np.matmul(self.weights[k].T, s.dA[k], out=s.dH[k - 1])
            if s.masks:
                s.dH[k - 1] *= s.masks[k - 1]
            engine.slope(self.slope, s.dH[k - 1], s.A[k - 1], s.H[k - 1], s.dA[k - 1])

    def gradients(self, s, freeze=0):
        """Fills ``weight_gradients`` and ``bias_gradients`` of the layers that are not frozen, after `deltas`.

        dW⁽ᵏ⁾ = dA⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ᵀ,      db⁽ᵏ⁾ = Σ dA⁽ᵏ⁾ over the batch
        """
        for k in range(freeze + 1, self.L + 1):
            np.matmul(s.dA[k], s.inputs[k - 1].T, out=self.weight_gradients[k])
            np.add.reduce(s.dA[k], axis=1, keepdims=True, out=self.bias_gradients[k])

    def batch_loss(self, s, Y):
        """The loss of the batch, summed over its samples, after `forward`.  Y: targets, (n_L × B)."""
        return self.loss_function(s.log_Y_hat, s.H[self.L], Y)

    # The door: samples are rows

    def predict_proba(self, X):
        """Probability of each class.  X: (N × n_0), float or uint8 (scaled by 1/255) → (N × classes)."""
        X = as_samples(X, self.sizes[0])
        P = np.empty((len(X), self.sizes[-1]), self.dtype)
        for rows, s in self.chunks(X, np.arange(len(X))):
            P[rows] = s.H[self.L].T
        return P

    def predict(self, X):
        """The most probable class of each sample, (N,)."""
        return self.predict_proba(X).argmax(axis=1)

    def chunks(self, X, rows):
        """Forward propagation of ``X[rows]``, some hundred at a time: yields (rows of the chunk, their signals)."""
        signals = Signals(self.sizes, min(CHUNK, len(rows)), self.dtype, backward=False)
        for i in range(0, len(rows), CHUNK):
            chunk = rows[i : i + CHUNK]
            s = signals.first(len(chunk))
            with blas.together():
                self.engine.gather(X, chunk, s.H[0].T)
                self.forward(s)
            yield chunk, s

    def loss_and_gradients(self, X, y):
        """Mean loss over the samples, and its gradients: (loss, {k: dW⁽ᵏ⁾}, {k: db⁽ᵏ⁾}), without weight decay.

        X: (N × n_0), y: labels (N,).  Raises InputError for shapes or labels that do not fit.
        """
        X = as_samples(X, self.sizes[0])
        y = as_labels(y, len(X), self.sizes[-1])
        s = Signals(self.sizes, len(X), self.dtype)
        Y = losses.targets(self.sizes[-1], self.dtype).take(y, axis=1)
        with blas.together():
            self.engine.gather(X, np.arange(len(X)), s.H[0].T)
            self.forward(s)
            self.backward(s, Y)
        return (
            float(self.batch_loss(s, Y)) / len(X),
            {k: dW.copy() for k, dW in self.weight_gradients.items()},
            {k: db.copy() for k, db in self.bias_gradients.items()},
        )

    def fit(self, X, y, **settings):
        """Train on the samples X (N × n_0) with labels y (N,); see `muslin.training.fit` for every setting.

        Returns the history, a list with one dictionary an epoch.
        """
        from muslin.training import fit

        return fit(self, X, y, **settings)

    # Saving

    @property
    def config(self):
        """What `FeedForwardNeuralNetwork(**config)` needs to make a network of this kind."""
        names = ("sizes", "activation", "initializer", "loss", "seed", "initializer_scale")
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype.name}

    def save(self, path):
        """Write weights, biases and config to a safetensors file, whole or not at all."""
        tensors = {f"weights.{k}": np.ascontiguousarray(W) for k, W in self.weights.items()}
        tensors |= {f"biases.{k}": np.ascontiguousarray(b) for k, b in self.biases.items()}
        write_tensors(path, tensors, {"muslin": self.config})

    @classmethod
    def load(cls, path, engine="auto"):
        """The network that `save` wrote. Raises InputError where the file is missing, damaged or none of ours."""
        tensors, metadata = read_tensors(path, "model file")
        try:
            network = cls(**metadata["muslin"], engine=engine)
            for name, views in (("weights", network.weights), ("biases", network.biases)):
                for k, view in views.items():
                    if tensors[f"{name}.{k}"].shape != view.shape:
                        raise KeyError(f"{name}.{k}")
                    view[...] = tensors[f"{name}.{k}"]
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (KeyError, TypeError) as error:
            raise InputError(damaged(path, "model file")) from error
        return network

    def __getstate__(self):
        return {"config": self.config, "engine": self.engine.name, "theta": self._theta}

    def __setstate__(self, state):
        self.__init__(**state["config"], engine=state["engine"])
        self._theta[...] = state["theta"]

    def __repr__(self):
        shape = "-".join(map(str, self.sizes))
        return f"<FeedForwardNeuralNetwork {shape}, {self.activation}, {self._theta.size:,} parameters>"


class Signals:
    """What flows through the network for one batch: A, H, dA, dH, each {k: (n_k × B)}, Fortran order.

    A and H of layer L are in C order: softmax goes down columns, and NumPy is quick where it takes all columns at once.
    ``inputs[k]`` is what layer k + 1 is given: H⁽ᵏ⁾ itself or, with dropout, H⁽ᵏ⁾ ∘ mask⁽ᵏ⁾. Made once and used for
    every batch; ``first(n)`` is the same memory for a batch of n columns.
    """

    NAMES = ("A", "H", "dA", "dH", "masks", "inputs")

    def __init__(self, sizes, batch, dtype, dropout=False, backward=True):
        def arrays(layers, last="F"):
            return {k: np.zeros((sizes[k], batch), dtype, order=last if k == L else "F") for k in layers}

        L = len(sizes) - 1
        hidden = range(1, len(sizes) - 1)
        self.batch = batch
        self.A, self.H = arrays(range(1, len(sizes)), "C"), arrays(range(len(sizes)), "C")
        self.dA, self.dH = (arrays(range(1, len(sizes))), arrays(hidden)) if backward else ({}, {})
        self.masks = arrays(hidden) if dropout else {}
        self.inputs = self.H | (arrays(hidden) if dropout else {})
        self.first = cache(self._first)

    def _first(self, n):
        if n == self.batch:
            return self
        return self.map(lambda array: array[:, :n], n)

    def map(self, function, batch):
        """The signals of a batch that are made of these: ``function`` of each array."""
        made = object.__new__(Signals)
        made.batch = batch
        for name in self.NAMES:
            setattr(made, name, {k: function(array) for k, array in getattr(self, name).items()})
        return made


def as_samples(X, n_inputs):
    """X as an (N × n_inputs) array, float or uint8; images (N × height × width) are flattened.

    Raises InputError: not numeric, another width, no sample, NaN or infinity.
    """
    X = _array(X, "X", f"(samples, {n_inputs})")
    if X.dtype == bool or X.dtype.kind not in "uif":
        raise InputError(f"X holds {X.dtype}; it must hold numbers (float or uint8).")
    if X.ndim > 1 and len(X) == 0:
        raise InputError("X is empty; at least one sample is needed.")
    shape, X = X.shape, X.reshape(len(X), -1) if X.ndim > 2 else X
    if X.ndim != 2 or X.shape[1] != n_inputs:
        raise InputError(f"X has the shape {shape}; it must be (samples, {n_inputs}).")
    if X.dtype.kind == "f" and not (np.isfinite(X.min()) and np.isfinite(X.max())):
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise InputError(f"X holds {X[row, column]} in row {row}, column {column}; every value must be finite.")
    return X


def as_labels(y, n_samples, classes):
    """y as an integer (N,) array. Raises InputError: not integers, another length, a label outside 0…classes − 1."""
    y = _array(y, "y", "(samples,)")
    if y.ndim != 1 or y.dtype.kind not in "ui":
        raise InputError(f"y is {y.dtype} of shape {y.shape}; it must be one integer label a sample.")
    if len(y) != n_samples:
        raise InputError(f"X has {n_samples} samples and y {len(y)} labels; they must be as many.")
    wrong = (y < 0) | (y >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(f"y holds the label {y[row]} in row {row}; labels must lie between 0 and {classes - 1}.")
    return y


def _views(vector, pairs):
    """{k: (n_k × n_{k−1})} and {k: (n_k × 1)}: views into the vector, all matrices first."""
    matrices, columns, at = Views(), Views(), 0
    for k, (n, m) in enumerate(pairs, 1):
        dict.__setitem__(matrices, k, vector[at : at + n * m].reshape((n, m), order="F"))
        at += n * m
    for k, (n, _) in enumerate(pairs, 1):
        dict.__setitem__(columns, k, vector[at : at + n].reshape(n, 1))
        at += n
    return matrices, columns


def _array(value, name, shape):
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} is no array: its rows differ in length; it must be of shape {shape}.") from error


def _checked_sizes(sizes):
    try:
        sizes = [int(n) if n == int(n) else 0 for n in sizes]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) < 2 or min(sizes) < 1:
        raise InputError("sizes must be a list of at least two positive whole numbers, such as [784, 128, 10].")
    return sizes


def checked_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"seed is {seed!r}; it must be a whole number from 0.")
    return int(seed)


def _checked_dtype(dtype):
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked not in (np.float32, np.float64):
        raise InputError(f"dtype is {dtype!r}; it must be float32 or float64.")
    return checked


def _checked_scale(scale):
    if isinstance(scale, bool) or not isinstance(scale, Real) or not math.isfinite(scale):
        raise InputError(f"initializer_scale is {scale!r}; it must be a finite number.")
    return float(scale)
