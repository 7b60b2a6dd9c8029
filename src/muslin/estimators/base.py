"""What both estimators share: their parameters, and training with them."""

import math
import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from muslin.engines.player import trainer
from muslin.errors import Diverged
from muslin.estimators.progress import Progress, first_figures
from muslin.inputs import hint_of_scales, hint_of_targets
from muslin.network import FeedForwardNeuralNetwork
from muslin.schedules import SCHEDULES
from muslin.training.batches import Samples
from muslin.training.callbacks import Callbacks
from muslin.training.fit import learn
from muslin.training.lbfgs import Objective, lbfgs
from muslin.training.settings import TrainingSettings
from muslin.training.state import State
from muslin.training.step import Step

#: scikit-learn's names → ours
ACTIVATION = {"logistic": "sigmoid"}
#: our names of outputs → scikit-learn's
OUT_ACTIVATION = {"sigmoid": "logistic", "exponential": "exp"}
#: steps below which it is not worth while to record one
FEW_STEPS = 500


class Muslin(BaseEstimator):
    """See `MuslinClassifier` and `MuslinRegressor`."""

    _parameter_constraints: ClassVar = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"logistic", *FeedForwardNeuralNetwork.activations})],
        "solver": [StrOptions({"lbfgs", *FeedForwardNeuralNetwork.optimizers})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions({*SCHEDULES})],
        "warmup": [Interval(Real, 0, None, closed="left")],
        "initializer": [StrOptions({"auto", *FeedForwardNeuralNetwork.initializers})],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "callbacks": ["array-like", None],
        "engine": [StrOptions({"auto", "numpy", "numba"})],
    }

    # Training

    def _fit(self, X: Any, y: Any, weights: Any, validation: tuple[Any, Any], incremental: bool = False) -> Self:
        first = not hasattr(self, "network_") or not (self.warm_start or incremental)
        X, Y = self._validated(X, y, first, incremental)
        weights = None if weights is None else _check_sample_weight(weights, X, dtype=np.float64)
        weights = self._weighted(weights, y, Y)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        random = check_random_state(self.random_state)
        if first:
            self._initialize(X, Y, random, any(v is not None for v in validation))
            hint_of_scales(X)
            if self.network_.target == "numbers":
                hint_of_targets(Y)
        train, valid = self._split(X, Y, random, weights, validation)
        if first:
            self._seed = int(random.randint(np.iinfo(np.int32).max))
        if self.solver == "lbfgs":
            self._fit_lbfgs(train, weights)
        else:
            self._fit_stochastic(train, valid, weights, incremental)
        if not np.isfinite(self.network_.theta).all():
            raise ValueError(NOT_FINITE)
        return self

    def _validated(self, X: Any, y: Any, first: bool, incremental: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=first,
            **self._y_options(),
        )
        return _dense(X), self._encode(y, first, incremental)

    def _initialize(self, X: np.ndarray, Y: np.ndarray, random: Any, validated: bool) -> None:
        output, units, loss = self._output(Y)
        sizes = [X.shape[1], *np.ravel(self.hidden_layer_sizes).tolist(), units]
        if any(n <= 0 for n in sizes[1:-1]):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes[1:-1]}.")
        self.network_ = network = FeedForwardNeuralNetwork(
            sizes,
            ACTIVATION.get(self.activation) or self.activation,
            "zeros" if self.initializer == "auto" else self.initializer,
            loss,
            0 if self.initializer == "auto" else int(random.randint(np.iinfo(np.int32).max)),
            X.dtype,
            self.engine,
            output=output,
        )
        if self.initializer == "auto":
            _draw(network, random, 2.0 if self.activation == "logistic" else 6.0)
        self.n_outputs_, self.n_layers_ = units, len(sizes)
        self.out_activation_ = OUT_ACTIVATION.get(output, output)
        self._memory: dict[str, Any] | None = None
        first_figures(self, validated or self.early_stopping, self.early_stopping)

    def _split(self, X, Y, random, weights, validation):
        """(training samples, validation samples or None)."""
        every, (X_val, y_val) = np.arange(len(X)), validation
        if X_val is not None and y_val is not None:
            X_val, y_val = validate_data(
                self, X_val, y_val, accept_sparse=["csr", "csc"], multi_output=True, dtype=X.dtype, reset=False
            )
            Y_val = self._encode(y_val, False, True)
            return Samples(X, Y, every), (Samples(_dense(X_val), Y_val, np.arange(len(Y_val))), None)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val are given together, or neither.")
        if not self.early_stopping or self.solver == "lbfgs":
            return Samples(X, Y, every), None
        rows, rows_val = train_test_split(
            every, random_state=random, test_size=self.validation_fraction, stratify=self._strata(Y)
        )
        if len(rows_val) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return Samples(X, Y, rows), (Samples(X, Y, rows_val), None if weights is None else weights[rows_val])

    def _fit_stochastic(self, train: Samples, valid: Any, weights: Any, incremental: bool) -> None:
        network, memory = self.network_, self._memory if incremental else None
        mean = 1.0 if weights is None else float(weights[train.rows].mean())
        if not mean > 0:
            raise ValueError("The sample weights of the training samples are all zero.")
        settings = self._settings(train, mean, (memory or {"epoch": 0})["epoch"], incremental)
        scaled = None if weights is None else (weights / mean).astype(network.dtype)[:, None]
        step = Step(network, train.X, train.y, network.optimizers[settings.optimizer], settings, scaled)
        state = State(network, settings.optimizer, step.slots)
        if memory:
            state.epoch, state.step, state.rate_factor = memory["epoch"], memory["step"], memory["rate_factor"]
            for name, slot in memory["slots"].items():
                state.slots[name][...] = slot
        if not incremental:
            self.n_iter_ = 0
        score = self._scorer(valid) if valid else None
        progress = Progress(self, settings, score, self.early_stopping and valid is not None, incremental)
        progress.samples = len(train.rows)
        told = Callbacks([progress, *(self.callbacks or ())])
        steps = (settings.epochs - state.epoch) * math.ceil(len(train.rows) / settings.batch_size)
        reason = "there are few steps" if steps < FEW_STEPS else None
        try:
            with np.errstate(all="ignore"), trainer(step, told.watches_steps, reason) as train_on:
                told.on_begin(state)
                learn(train_on, step, state, settings, train.rows, valid and valid[0], told)
                told.on_end(state)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        except Diverged as error:
            self._diverged(error, progress.best_theta)
        self._memory = {
            "epoch": state.epoch,
            "step": state.step,
            "rate_factor": state.rate_factor,
            "slots": dict(state.slots),
        }
        if not incremental and not state.stopped and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _diverged(self, error: Diverged, best: np.ndarray | None) -> None:
        """With early stopping, back to the best epoch; else there is nothing to go back to."""
        if best is None:
            raise ValueError(f"{NOT_FINITE} {error}") from error
        self.network_.parameters.values[...] = best
        self.validation_scores_.append(float("nan"))
        warnings.warn(f"{error} The parameters of the best epoch are kept.", ConvergenceWarning, stacklevel=4)

    def _settings(self, train: Samples, mean: float, epoch: int, incremental: bool) -> TrainingSettings:
        n = len(train.rows)
        batch = min(200, n) if self.batch_size == "auto" else int(np.clip(self.batch_size, 1, n))
        if self.batch_size != "auto" and self.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=4
            )
        optimizer, hyperparameters = self._rule()
        values = {
            "optimizer": optimizer,
            "learning_rate": self.learning_rate_init,
            "schedule": self.schedule,
            "warmup": 0.0 if incremental else self.warmup,
            "epochs": epoch + 1 if incremental else self.max_iter,
            "batch_size": batch,
            "shuffle": self.shuffle,
            "weight_decay": self.alpha if optimizer == "adamw" else self.alpha / (batch * mean),
            "dropout": self.dropout,
            "label_smoothing": getattr(self, "label_smoothing", 0.0),
            "clip_norm": self.clip_norm,
            "seed": self._seed,
        }
        return TrainingSettings.read(values | hyperparameters, self.network_.optimizers, self._seed)

    def _rule(self) -> tuple[str, dict[str, float]]:
        """The optimizer, and of its hyperparameters those that have a parameter here."""
        from muslin.optimizers import hyperparameters

        name = self.solver
        if name == "sgd" and self.momentum > 0:
            name = "nag" if self.nesterovs_momentum else "momentum"
        values = {"momentum": self.momentum, "beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        own = hyperparameters(self.network_.optimizers[name])
        return name, {key: value for key, value in values.items() if key in own}

    def _scorer(self, valid: Any) -> Any:
        samples, weights = valid
        key = "val_accuracy" if hasattr(self, "classes_") else "val_r2"
        if weights is None:
            return lambda state: float(state.history[-1][key])
        return lambda state: float(self._score(samples, weights))

    def _fit_lbfgs(self, train: Samples, weights: Any) -> None:
        mean = 1.0 if weights is None else float(weights.mean())
        scaled = None if weights is None else weights / mean
        decay = self.alpha / (len(train.X) * mean)
        objective = Objective(self.network_, train.X, train.y, train.rows, scaled, decay)
        try:
            result = lbfgs(objective, max_iter=self.max_iter, max_fun=self.max_fun, tol=self.tol)
        except Diverged as error:
            self._diverged(error, None)
        self.n_iter_, self.loss_ = min(result.nit, self.max_iter), float(result.fun)
        if (not result.success and result.nit >= self.max_iter) or result.nfev >= self.max_fun:
            warnings.warn(
                f"lbfgs failed to converge after {result.nit} iteration(s) (max_iter={self.max_iter}): "
                f"{result.message}",
                ConvergenceWarning,
                stacklevel=4,
            )

    # What is known of it

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_{k−1} × n_k): views, as scikit-learn has them."""
        return [W.T for W in self._fitted("coefs_").weights.values()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_k,): views."""
        return [b[:, 0] for b in self._fitted("intercepts_").biases.values()]

    def _fitted(self, name: str) -> FeedForwardNeuralNetwork:
        try:
            return self.__dict__["network_"]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.") from None

    def _respond(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        return self.network_.respond(_dense(X))

    def _stochastic(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers; lbfgs is not stochastic.")
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


def _dense(X: Any) -> np.ndarray:
    return np.ascontiguousarray(X.toarray() if sparse.issparse(X) else X)


def _draw(network: FeedForwardNeuralNetwork, random: Any, factor: float) -> None:
    """The initial parameters that scikit-learn draws: uniform within ±√(factor / (fan in + fan out)), biases too.
    Glorot & Bengio, AISTATS 2010."""
    for k, W in network.weights.items():
        n_out, n_in = W.shape
        bound = np.sqrt(factor / (n_in + n_out))
        network.weights[k] = random.uniform(-bound, bound, (n_in, n_out)).T
        network.biases[k] = random.uniform(-bound, bound, n_out)[:, None]
