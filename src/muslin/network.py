"""The feed-forward network, in the notation of the class.

Layers are numbered 1…L, layer k has n_k units, n_0 is the number of inputs. Samples are columns:

    H⁽⁰⁾ = X                              (n_0 × B)
    A⁽ᵏ⁾ = W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ + b⁽ᵏ⁾             (n_k × B),  W⁽ᵏ⁾ (n_k × n_{k−1}),  b⁽ᵏ⁾ (n_k × 1)
    H⁽ᵏ⁾ = f(A⁽ᵏ⁾),  Ŷ = H⁽ᴸ⁾ = o(A⁽ᴸ⁾),  o: softmax, or another of `muslin.outputs`

With batch normalization (see `muslin.normalization`) a hidden layer is A⁽ᵏ⁾ = γ⁽ᵏ⁾ ∘ N(W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾) + b⁽ᵏ⁾.

Matrices are stored column by column (Fortran order): a column-major (n × B) is the row-major (B × n) that BLAS likes,
so the blackboard's equations are also the fast path. At the door (`fit`, `predict`) samples are rows, as elsewhere.
"""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from muslin import activations, engines, initializers, losses, normalization, optimizers, outputs, training
from muslin.engines.prediction import Predictor
from muslin.errors import known
from muslin.inputs import Scale, as_dtype, as_finite, as_probabilities, as_samples, as_seed, as_sizes
from muslin.memory import Array, Owner, Parameters, Signals
from muslin.model_file import Storable
from muslin.outputs import Answers


class FeedForwardNeuralNetwork(Owner, Answers, Storable):
    """Fully connected layers that say a class (softmax), labels (sigmoid), numbers (identity) or counts (exponential).

    sizes        [n_0, n_1, …, n_L]: inputs, units of each hidden layer, classes or labels or numbers
    activation   of the hidden layers; a key of ``activations``
    initializer  of the weights; a key of ``initializers``. Multiplied by ``initializer_scale``. Biases start at zero.
    normalization  of the hidden layers; a key of ``normalizations``
    output       of the last layer; a key of ``outputs``
    loss         a key of ``losses`` that goes with the output (default: the usual one)
    seed         of the initial weights and, unless ``fit`` is given another, of everything random in training
    dtype        float32 or float64
    engine       "auto", "numpy" or "numba" (see `muslin.engines`)

    All parameters live in the vector ``theta``, of which ``weights[k]``, ``biases[k]`` and ``gammas[k]`` are views (see
    `muslin.memory.Owner`): it is written into, never replaced. The tables are class attributes: add a row, and its name
    can be used everywhere.

    Raises InputError for sizes, names or a dtype that cannot be.
    """

    activations: ClassVar = activations.ACTIVATIONS
    normalizations: ClassVar = normalization.NORMALIZATIONS
    outputs: ClassVar = outputs.OUTPUTS
    losses: ClassVar = losses.LOSSES
    initializers: ClassVar = initializers.INITIALIZERS
    optimizers: ClassVar = optimizers.OPTIMIZERS
    #: what an error of 1 is in the unit of the target, in which figures are told: of a standardized one its deviation
    unit: float = 1.0
    hints: bool = True  #: whether `fit` says so where the features differ much in scale

    def __init__(
        self,
        sizes: ArrayLike,
        activation: str = "relu",
        initializer: str = "he",
        loss: str | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
        engine: str = "auto",
        initializer_scale: float = 1.0,
        output: str = "softmax",
        normalization: str = "none",
    ):
        self.sizes = as_sizes(sizes)
        self.L = len(self.sizes) - 1
        self.activation = known(self.activations, "activation", activation)
        self.initializer = known(self.initializers, "initializer", initializer)
        self.normalization = known(self.normalizations, "normalization", normalization)
        self.normalizer: Any = self.normalizations[self.normalization]
        self.output = known(self.outputs, "output", output)
        self.output_function, self.target, usual = self.outputs[self.output][:3]
        self.loss = known(self.losses, "loss", loss or usual)
        self.seed, self.dtype = as_seed(seed), as_dtype(dtype)
        self.initializer_scale = as_finite(initializer_scale, "initializer_scale")
        self.engine_name = engines.as_name(engine)
        self.scale: Scale | None = None  # of the samples that it was trained on
        self.function, self.slope = self.activations[self.activation]
        self.loss_function, self.delta_function = losses.pair(self.losses, self.loss, self.output)
        self._own(Parameters(self.sizes, self.dtype, self.normalizer is not None))
        initialize, rng = self.initializers[self.initializer], np.random.default_rng(self.seed)
        for W in self.weights.values():
            W[...] = initialize(rng, *W.shape) * self.initializer_scale

    @cached_property
    def engine(self) -> engines.Engine:
        """Who applies the formulas; looked for when it is first asked for, since numba takes a second to load."""
        return engines.engine(self.engine_name)

    def _own(self, p: Parameters) -> None:
        super()._own(p)
        self.predictor = Predictor(self, FeedForwardNeuralNetwork.forward)

    # Forward and backward propagation

    def forward(self, s: Signals, engine: engines.Engine | None = None) -> None:
        """Forward propagation of the columns of ``s.H[0]``: fills ``s.A``, ``s.H``; Ŷ is ``s.H[L]``.

        engine: who applies the formulas (see `muslin.engines.contract`), the network's own if none is given.
        """
        engine = engine or self.engine
        np.matmul(self.weights[1], s.H[0], out=s.A[1])
        for k in range(1, self.L):
            if self.normalizer:
                self._normalize(k, s, engine)
            engine.activate(self.function, s.A[k], self.biases[k], s.H[k])
            if s.masks:
                np.multiply(s.H[k], s.masks[k], out=s.inputs[k])
            np.matmul(self.weights[k + 1], s.inputs[k], out=s.A[k + 1])
        s.A[self.L] += self.biases[self.L]
        s.Z = self.output_function(s.A[self.L], s.H[self.L])

    def _normalize(self, k: int, s: Signals, engine: engines.Engine) -> None:
        """A⁽ᵏ⁾ ← γ⁽ᵏ⁾ ∘ N(A⁽ᵏ⁾): by the batch where the layer trains, else by what ran along when it did."""
        if k in s.N:
            engine.normalize(self.normalizer, s.A[k], self.gammas[k], s.N[k], s.means[k], s.variances[k])
        else:
            running = self.parameters.running_means[k], self.parameters.running_variances[k]
            engine.normalize_as_trained(self.normalizer, s.A[k], self.gammas[k], *running)

    def remember(self, s: Signals, engine: engines.Engine | None = None) -> None:
        """The means and variances of a batch into those that run along, after `forward`."""
        engine, p = engine or self.engine, self.parameters
        for k in s.N:
            engine.follow(p.running_means[k], s.means[k], 1.0)
            engine.follow(p.running_variances[k], s.variances[k], s.batch / (s.batch - 1))

    def backward(self, s: Signals, Y: Array) -> None:
        """Backward propagation after `forward`: fills ``weight_gradients``, ``bias_gradients``, ``gamma_gradients``.

        Y: targets, (n_L × B). Gradients are means over the batch.
        """
        self.deltas(s, Y)
        self.gradients(s)

    def deltas(self, s: Signals, Y: Array, freeze: int = 0, engine: engines.Engine | None = None) -> None:
        """Fills ``s.dA``, the loss's slope at each A, from the last layer down to the first that is not frozen.

        dA⁽ᴸ⁾ = ∂loss/∂A⁽ᴸ⁾
        dH⁽ᵏ⁻¹⁾ = W⁽ᵏ⁾ᵀ dA⁽ᵏ⁾,      dA⁽ᵏ⁻¹⁾ = dH⁽ᵏ⁻¹⁾ ∘ f′(A⁽ᵏ⁻¹⁾)
        """
        engine = engine or self.engine
        np.divide(self.delta_function(s.H[self.L], Y), s.batch, out=s.dA[self.L])
        if s.weights is not None:
            s.dA[self.L] *= s.weights
        for k in range(self.L, freeze + 1, -1):
            np.matmul(self.weights[k].T, s.dA[k], out=s.dH[k - 1])
            if s.masks:
                s.dH[k - 1] *= s.masks[k - 1]
            engine.slope(self.slope, s.dH[k - 1], s.A[k - 1], s.H[k - 1], s.dA[k - 1])
            if k - 1 in s.N:
                gradients = self.gamma_gradients[k - 1], self.bias_gradients[k - 1]
                operands = s.dA[k - 1], self.gammas[k - 1], s.N[k - 1], s.variances[k - 1]
                engine.normalized_deltas(self.normalizer, *operands, *gradients)

    def gradients(self, s: Signals, freeze: int = 0) -> None:
        """Fills ``weight_gradients`` and ``bias_gradients`` of the layers that are not frozen, after `deltas`.

        dW⁽ᵏ⁾ = dA⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ᵀ,      db⁽ᵏ⁾ = Σ dA⁽ᵏ⁾ over the batch (of a normalized layer `deltas` has it)
        """
        for k in range(freeze + 1, self.L + 1):
            np.matmul(s.dA[k], s.inputs[k - 1].T, out=self.weight_gradients[k])
            if k not in s.N:
                np.add.reduce(s.dA[k], axis=1, keepdims=True, out=self.bias_gradients[k])

    def batch_loss(self, s: Signals, Y: Array) -> Any:
        """The loss of the batch, summed over its samples, after `forward`.  Y: targets, (n_L × B)."""
        terms = self.loss_function(s.Z, s.H[self.L], Y)
        return np.sum(terms if s.weights is None else terms * s.weights)

    # The door: samples are rows

    def respond(self, X: ArrayLike) -> Array:
        """Ŷ of each sample.  X: (N × n_0), float or uint8 (scaled by 1/255) → (N × n_L)."""
        P = self.predictor(X)
        return as_probabilities(training.responses(self, self.samples(X))) if P is None else P

    def samples(self, X: ArrayLike) -> np.ndarray:
        """X checked: see `muslin.inputs.as_samples`."""
        return as_samples(X, self.sizes[0], self.dtype, self.scale)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The accuracy: the share of samples X (N × n_0) whose most probable class is their label in y (N,)."""
        return training.evaluate(self, X, y)[1]

    chunks = training.chunks
    loss_and_gradients = training.loss_and_gradients
    fit = training.fit
