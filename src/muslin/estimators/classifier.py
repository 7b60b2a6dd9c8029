"""A classifier for scikit-learn's pipelines and searches."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import Interval, Real, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from muslin.estimators.base import Muslin

#: the classifier's name of a loss → ours
LOSS = {"log_loss": "cross_entropy", "squared_error": "mean_squared_error"}


class MuslinClassifier(ClassifierMixin, Muslin):
    """A feed-forward network for classes, two or more, and for several labels at once.

    Every parameter of `sklearn.neural_network.MLPClassifier`, with its name, default and meaning; and more:

    activation        also leaky_relu, elu, gelu, silu, sin
    solver            also every other optimizer of muslin: nadam, adamw, rmsprop, …; alpha is adamw's decoupled decay
    loss              log_loss, or squared_error (the Brier score)
    dropout           probability with which a hidden unit is left out in training
    schedule, warmup  of the learning rate; epochs in which it rises from 0
    initializer       "auto" draws as scikit-learn does; or one of muslin's: he, xavier, …
    clip_norm         a longer gradient is scaled down to this norm
    label_smoothing   of several classes: the share of a target that all classes get alike
    class_weight      {label: weight} or "balanced"
    callbacks         `muslin.training.Callback` objects
    engine            "auto", "numpy" or "numba"

    ``fit`` takes a validation set, too: ``X_val`` and ``y_val``, whose score and loss after each epoch are in
    ``validation_scores_`` and ``validation_loss_curve_``, and by which early_stopping then goes.

    Attributes are those of MLPClassifier, and ``network_``, the `muslin.FeedForwardNeuralNetwork`. ``loss_`` and
    ``loss_curve_`` leave the L2 penalty out (but not L-BFGS's). Of a sample weight counts its ratio to the mean of all.
    A fitted estimator that is pickled goes on with ``partial_fit`` as if it had not been.

    Raises ValueError for what cannot be, and where training diverges.
    """

    _parameter_constraints: ClassVar = {
        **Muslin._parameter_constraints,
        "loss": [StrOptions({*LOSS})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        loss: str = "log_loss",
        dropout: float = 0.0,
        schedule: str = "constant",
        warmup: float = 0.0,
        initializer: str = "auto",
        clip_norm: float | None = None,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, float] | str | None = None,
        callbacks: Iterable[Any] | None = None,
        engine: str = "auto",
    ):
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
        self.loss = loss
        self.dropout = dropout
        self.schedule = schedule
        self.warmup = warmup
        self.initializer = initializer
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.engine = engine

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Train on X (N × features) and y, labels (N,) of any type or 0 and 1 (N × labels).

        sample_weight: (N,); X_val, y_val: a validation set.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val))

    @available_if(lambda self: self._stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch more on these samples. classes: all that there are, in the first call. A chunk may have any of
        them, and any number of samples."""
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
            self.classes_ = self._label_binarizer.classes_
        return self._fit(X, y, sample_weight, (None, None), incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each sample, (N,), or 0 and 1 (N × labels)."""
        return self._labels(self._respond(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of ``classes_``, (N × classes)."""
        P = self._respond(X)
        return np.hstack([1 - P, P]) if P.shape[1] == 1 else P

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    # What the base asks

    def _y_options(self) -> dict[str, Any]:
        return {}

    def _encode(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        """Class numbers (N,) of several classes; of two, and of labels, 0 and 1 (N × outputs)."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if first and not incremental:
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y), incremental)
        if self._label_binarizer.y_type_ == "multiclass":
            return np.searchsorted(self.classes_, y).astype(np.int64)
        return np.asarray(self._label_binarizer.transform(y), np.float64)

    def _check_classes(self, classes: np.ndarray, incremental: bool) -> None:
        if not incremental and {*classes} != {*self.classes_}:
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _output(self, Y: np.ndarray) -> tuple[str, int, str]:
        """(output, number of units, loss)."""
        if Y.ndim == 1:
            return "softmax", len(self.classes_), LOSS[self.loss]
        return "sigmoid", Y.shape[1], LOSS[self.loss]

    def _strata(self, Y: np.ndarray) -> Any:
        return Y.astype(bool) if Y.ndim == 2 and Y.shape[1] == 1 else None

    def _weighted(self, weights: Any, y: Any, Y: np.ndarray) -> Any:
        if self.class_weight is None:
            return weights
        of_classes = compute_sample_weight(self.class_weight, y)
        return of_classes if weights is None else weights * of_classes

    def _labels(self, P: np.ndarray) -> np.ndarray:
        return self._label_binarizer.inverse_transform(P.ravel() if P.shape[1] == 1 else P)

    def _score(self, samples: Any, weights: np.ndarray) -> float:
        P = self.network_.respond(samples.X[samples.rows])
        true = samples.y[samples.rows]
        right = P.argmax(axis=1) == true if true.ndim == 1 else ((P > 0.5) == (true > 0.5)).all(axis=1)
        return accuracy_score(np.ones(len(right)), right, sample_weight=weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
