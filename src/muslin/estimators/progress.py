"""What scikit-learn's networks do after each epoch: curves, and when to stop or to slow down."""

import math
from typing import Any

import numpy as np

from muslin.training.callbacks import Callback


class Progress(Callback):
    """Keeps the estimator's curves and counts epochs without progress, as its MLP does.

    score: function of the state that gives the validation score, or None where there is no validation set.
    """

    def __init__(self, estimator: Any, settings: Any, score: Any, early_stopping: bool, incremental: bool):
        self.estimator, self.settings, self.score = estimator, settings, score
        self.early_stopping, self.incremental = early_stopping, incremental
        self.rate = "constant" if estimator.solver == "adam" else estimator.learning_rate  # as theirs has it
        self.samples = 0  # of an epoch
        self.best_theta: np.ndarray | None = None

    def on_epoch(self, state: Any) -> str | None:
        model, figures = self.estimator, state.history[-1]
        model.n_iter_ += 1
        model.t_ += self.samples
        model.loss_ = figures["loss"]
        model.loss_curve_.append(model.loss_)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        if self.score:
            self._validate(state, figures)
        if self.early_stopping:
            self._judge(-model.validation_scores_[-1], -self._best_score, state)
        else:
            self._judge(model.loss_, model.best_loss_, state)
        if self.rate == "invscaling":
            state.rate_factor = (model.t_ + 1) ** -model.power_t
        if model._no_improvement_count > model.n_iter_no_change:
            return self._enough(state)
        return None

    def _validate(self, state: Any, figures: dict[str, float]) -> None:
        model = self.estimator
        model.validation_loss_curve_.append(figures["val_loss"])
        model.validation_scores_.append(self.score(state))
        self._best_score = model.best_validation_score_
        if model.verbose:
            print(f"Validation score: {model.validation_scores_[-1]:f}")

    def _judge(self, value: float, best: float, state: Any) -> None:
        """Smaller is better."""
        model = self.estimator
        short = value > best - model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if short else 0
        if self.early_stopping:
            if -value > model.best_validation_score_:
                model.best_validation_score_, self.best_theta = -value, state.network.parameters.values.copy()
        elif value < best:
            model.best_loss_ = value

    def _enough(self, state: Any) -> str | None:
        """The rate that is adaptive is divided by 5 until there is nothing left of it; any other ends training."""
        model = self.estimator
        if self.rate == "adaptive" and state.rate_factor * model.learning_rate_init > 1e-6:
            state.rate_factor /= 5.0
            model._no_improvement_count = 0
            if model.verbose:
                print(f"Setting learning rate to {state.rate_factor * model.learning_rate_init:f}")
            return None
        what = "Validation score" if self.early_stopping else "Training loss"
        tol, epochs = model.tol, model.n_iter_no_change
        return f"{what} did not improve more than tol={tol:f} for {epochs} consecutive epochs."

    def on_end(self, state: Any) -> None:
        if self.best_theta is not None:
            state.network.parameters.values[...] = self.best_theta


def first_figures(model: Any, validated: bool, early_stopping: bool) -> None:
    """The attributes of an estimator before its first epoch."""
    model.n_iter_, model.t_, model._no_improvement_count = 0, 0, 0
    model.loss_curve_ = []
    model.validation_scores_ = [] if validated else None
    model.validation_loss_curve_ = [] if validated else None
    model.best_validation_score_ = -math.inf if validated else None
    model.best_loss_ = None if early_stopping else math.inf
