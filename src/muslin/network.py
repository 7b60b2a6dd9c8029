"""The feed-forward network, in the notation of the class.

Layers are numbered 1…L, layer k has n_k units, n_0 is the number of inputs. Samples are columns:

    H⁽⁰⁾ = X                              (n_0 × B)
    A⁽ᵏ⁾ = W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ + b⁽ᵏ⁾             (n_k × B),  W⁽ᵏ⁾ (n_k × n_{k−1}),  b⁽ᵏ⁾ (n_k × 1)
    H⁽ᵏ⁾ = f(A⁽ᵏ⁾),  Ŷ = H⁽ᴸ⁾ = softmax(A⁽ᴸ⁾)

Matrices are stored column by column (Fortran order): a column-major (n × B) is the row-major (B × n) that BLAS likes,
so the blackboard's equations are also the fast path. At the door (`fit`, `predict`) samples are rows, as elsewhere.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from muslin import activations, initializers, losses, model_file, optimizers, training
from muslin.engines import Engine, blas
from muslin.engines import engine as engine_named
from muslin.engines.prediction import Predictor
from muslin.errors import known
from muslin.inputs import as_dtype, as_finite, as_labels, as_samples, as_seed, as_sizes
from muslin.memory import Array, Parameters, Signals

#: samples that pass through the network at a time where it only predicts
CHUNK = 512


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

    activations: ClassVar = activations.ACTIVATIONS
    losses: ClassVar = losses.LOSSES
    initializers: ClassVar = initializers.INITIALIZERS
    optimizers: ClassVar = optimizers.OPTIMIZERS

    def __init__(
        self,
        sizes: ArrayLike,
        activation: str = "relu",
        initializer: str = "he",
        loss: str = "cross_entropy",
        seed: int = 0,
        dtype: DTypeLike = np.float32,
        engine: str = "auto",
        initializer_scale: float = 1.0,
    ):
        self.sizes = as_sizes(sizes)
        self.L = len(self.sizes) - 1
        self.activation = known(self.activations, "activation", activation)
        self.initializer = known(self.initializers, "initializer", initializer)
        self.loss = known(self.losses, "loss", loss)
        self.seed, self.dtype = as_seed(seed), as_dtype(dtype)
        self.initializer_scale = as_finite(initializer_scale, "initializer_scale")
        self.engine = engine_named(engine)
        self.function, self.slope = self.activations[self.activation]
        self.loss_function, self.delta_function = self.losses[self.loss]
        self._own(Parameters(self.sizes, self.dtype))
        initialize, rng = self.initializers[self.initializer], np.random.default_rng(self.seed)
        for W in self.weights.values():
            W[...] = initialize(rng, *W.shape) * self.initializer_scale

    @property
    def theta(self) -> Array:
        """The parameters θ as one vector: all W (column by column), then all b. Write into it: ``theta[...] = …``."""
        return self.parameters.theta

    def _own(self, parameters: Parameters) -> None:
        self.parameters, self.gradient = parameters, parameters.gradient
        self.weights, self.biases = parameters.weights, parameters.biases
        self.weight_gradients, self.bias_gradients = parameters.weight_gradients, parameters.bias_gradients
        self.predictor = Predictor(self, FeedForwardNeuralNetwork.forward)

    def twin(self) -> "FeedForwardNeuralNetwork":
        """The same network with parameters of its own, whatever its class."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._own(Parameters(self.sizes, self.dtype))
        twin.theta[...] = self.theta
        return twin

    # Forward and backward propagation

    def forward(self, s: Signals, engine: Engine | None = None) -> None:
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

    def backward(self, s: Signals, Y: Array) -> None:
        """Backward propagation after `forward`: fills ``weight_gradients`` and ``bias_gradients``.

        Y: targets, (n_L × B). Gradients are means over the batch.
        """
        self.deltas(s, Y)
        self.gradients(s)

    def deltas(self, s: Signals, Y: Array, freeze: int = 0, engine: Engine | None = None) -> None:
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

    def gradients(self, s: Signals, freeze: int = 0) -> None:
        """Fills ``weight_gradients`` and ``bias_gradients`` of the layers that are not frozen, after `deltas`.

        dW⁽ᵏ⁾ = dA⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ᵀ,      db⁽ᵏ⁾ = Σ dA⁽ᵏ⁾ over the batch
        """
        for k in range(freeze + 1, self.L + 1):
            np.matmul(s.dA[k], s.inputs[k - 1].T, out=self.weight_gradients[k])
            np.add.reduce(s.dA[k], axis=1, keepdims=True, out=self.bias_gradients[k])

    def batch_loss(self, s: Signals, Y: Array) -> Any:
        """The loss of the batch, summed over its samples, after `forward`.  Y: targets, (n_L × B)."""
        return self.loss_function(s.log_Y_hat, s.H[self.L], Y)

    # The door: samples are rows

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probability of each class.  X: (N × n_0), float or uint8 (scaled by 1/255) → (N × classes)."""
        if (P := self.predictor(X)) is not None:
            return P
        X = as_samples(X, self.sizes[0], self.dtype)
        P = np.empty((len(X), self.sizes[-1]), self.dtype)
        for rows, s in self.chunks(X, np.arange(len(X))):
            P[rows] = s.H[self.L].T
        return P

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable class of each sample, (N,)."""
        return self.predict_proba(X).argmax(axis=1)

    def chunks(self, X: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Signals]]:
        """Forward propagation of ``X[rows]``, some hundred at a time: yields (rows of the chunk, their signals)."""
        signals = Signals(self.sizes, min(CHUNK, len(rows)), self.dtype, backward=False)
        for i in range(0, len(rows), CHUNK):
            chunk = rows[i : i + CHUNK]
            s = signals.first(len(chunk))
            with blas.together():
                self.engine.gather(X, chunk, s.H[0].T)
                self.forward(s)
            yield chunk, s

    def loss_and_gradients(self, X: ArrayLike, y: ArrayLike) -> tuple[float, dict[int, Array], dict[int, Array]]:
        """Mean loss over the samples, and its gradients: (loss, {k: dW⁽ᵏ⁾}, {k: db⁽ᵏ⁾}), without weight decay.

        X: (N × n_0), y: labels (N,).  Raises InputError for shapes or labels that do not fit.
        """
        X = as_samples(X, self.sizes[0], self.dtype)
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

    fit = training.fit

    # Saving

    @property
    def config(self) -> dict[str, Any]:
        """What `FeedForwardNeuralNetwork(**config)` needs to make a network of this kind."""
        names = ("sizes", "activation", "initializer", "loss", "seed", "initializer_scale")
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype.name}

    save = model_file.save
    load: ClassVar[Any] = classmethod(model_file.load)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "engine": self.engine.name, "theta": self.theta}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["config"], engine=state["engine"])  # type: ignore[misc]
        self.theta[...] = state["theta"]

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        return f"<FeedForwardNeuralNetwork {shape}, {self.activation}, {self.theta.size:,} parameters>"
