"""A regressor for scikit-learn's pipelines and searches."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from muslin.estimators.base import Muslin

#: the regressor's name of a loss → (output, loss) of ours
LOSS = {
    "squared_error": ("identity", "half_squared_error"),
    "poisson": ("exponential", "poisson"),
    "absolute_error": ("identity", "mean_absolute_error"),
    "huber": ("identity", "huber"),
}


class MuslinRegressor(RegressorMixin, Muslin):
    """A feed-forward network for numbers, one or several a sample.

    Every parameter of `sklearn.neural_network.MLPRegressor`, with its name, default and meaning; and more:

    loss              also absolute_error and huber (δ = 1)

    activation, solver, dropout, schedule, warmup, initializer, clip_norm, callbacks, engine, a validation set, and the
    attributes are as of `muslin.estimators.MuslinClassifier`. y is taken as it is: scale it where it is far from 1, by
    `sklearn.compose.TransformedTargetRegressor`.
    """

    _parameter_constraints: ClassVar = {**Muslin._parameter_constraints, "loss": [StrOptions({*LOSS})]}

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | ArrayLike = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        schedule: str = "constant",
        warmup: float = 0.0,
        initializer: str = "auto",
        clip_norm: float | None = None,
        callbacks: Iterable[Any] | None = None,
        engine: str = "auto",
    ):
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.schedule = schedule
        self.warmup = warmup
        self.initializer = initializer
        self.clip_norm = clip_norm
        self.callbacks = callbacks
        self.engine = engine

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Train on X (N × features) and y, numbers (N,) or (N × outputs).

        sample_weight: (N,); X_val, y_val: a validation set.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val))

    @available_if(lambda self: self._stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch more on these samples, of any number."""
        return self._fit(X, y, sample_weight, (None, None), incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The number of each sample, (N,), or numbers (N × outputs)."""
        Y = self._respond(X)
        return Y[:, 0] if Y.shape[1] == 1 else Y

    # What the base asks

    def _y_options(self) -> dict[str, Any]:
        return {"y_numeric": True}

    def _encode(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        Y = np.asarray(y, np.float64).reshape(len(y), -1)
        if self.loss == "poisson" and (Y < 0).any():
            raise ValueError("y has negative values; the loss poisson is for counts.")
        return Y

    def _output(self, Y: np.ndarray) -> tuple[str, int, str]:
        output, loss = LOSS[self.loss]
        return output, Y.shape[1], loss

    def _strata(self, Y: np.ndarray) -> None:
        return None

    def _weighted(self, weights: Any, y: Any, Y: np.ndarray) -> Any:
        return weights

    def _score(self, samples: Any, weights: np.ndarray) -> float:
        Y = self.network_.respond(samples.X[samples.rows])
        return r2_score(samples.y[samples.rows], Y, sample_weight=weights) if np.isfinite(Y).all() else np.nan
