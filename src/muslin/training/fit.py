"""The training loop."""

import math
import time
from numbers import Real
from types import SimpleNamespace

import numpy as np

from muslin.engines.player import trainer
from muslin.errors import InputError, known, unknown
from muslin.network import as_labels, as_samples, checked_seed
from muslin.schedules import SCHEDULES, warm_up
from muslin.training.callbacks import Callback, Checkpoint, Diagnostics, EachEpoch, EarlyStopping
from muslin.training.metrics import measure
from muslin.training.state import State, load_checkpoint
from muslin.training.step import PROVIDED, Step, signature


def fit(
    network,
    X,
    y,
    *,
    optimizer="adam",
    learning_rate=1e-3,
    epochs=10,
    batch_size=32,
    weight_decay=0.0,
    shuffle=True,
    validation_data=None,
    callbacks=(),
    schedule="constant",
    warmup=0.0,
    dropout=0.0,
    label_smoothing=0.0,
    clip_norm=None,
    patience=None,
    monitor=None,
    diagnostics=False,
    freeze=0,
    seed=None,
    rows=None,
    checkpoint=None,
    resume=False,
    **hyperparameters,
):
    """Train the network; returns its history, a list with one dictionary an epoch.

    X, y              samples (N × n_0), float or uint8, and their labels (N,)
    optimizer         a key of ``network.optimizers``; its own hyperparameters (``beta1=…``) are further arguments
    learning_rate     η, multiplied in each step by ``schedule`` (a key of `muslin.schedules.SCHEDULES`), after a
                      straight line up during the first ``warmup`` epochs
    epochs            passes over the data, in batches of ``batch_size`` (the last one may be smaller)
    weight_decay      λ of the L2 penalty ½λ‖W‖²; the losses that are reported leave it out
    shuffle           a new order each epoch, derived from (seed, epoch); else the order given
    validation_data   (X, y) or (X, y, rows): val_loss and val_accuracy after each epoch
    callbacks         `Callback` objects, or functions of the state called after each epoch
    dropout           probability with which a hidden unit is left out. Srivastava et al., JMLR 2014 (inverted form)
    label_smoothing   s: see `muslin.losses.targets`; for cross-entropy
    clip_norm         the whole gradient is scaled down to this norm where it is longer. Pascanu et al., arXiv:1211.5063
    patience          early stopping: epochs without a better ``monitor`` (default: val_loss, or loss without validation
                      data) before training ends; the best epoch's parameters are put back
    diagnostics       record gradient norms and dead units: see `Diagnostics`
    freeze            the weights and biases of the first ``freeze`` layers stay as they are
    seed              of the order and of dropout; default: the network's
    rows              train on these rows of X only (no copy is made)
    checkpoint        file written after each epoch; with ``resume`` training goes on from it, bit for bit as if never
                      interrupted (same data, settings, engine and number of threads)

    Raises InputError for settings and data that cannot be, `Diverged` when the loss or a parameter is no longer finite.
    """
    X = as_samples(X, network.sizes[0])
    y = as_labels(y, len(X), network.sizes[-1])
    rows = _rows(rows, len(X), "rows")
    optimizer = known(network.optimizers, "optimizer", optimizer)
    schedule = known(SCHEDULES, "schedule", schedule)
    validation = _validation(validation_data, network)
    check(network, y, rows, optimizer, locals(), hyperparameters, validation is not None)
    if freeze not in range(network.L):
        raise InputError(f"freeze is {freeze!r}; it must be a number of layers from 0 to {network.L - 1}.")
    epochs, batch_size, freeze, clip_norm = int(epochs), int(batch_size), int(freeze), clip_norm and float(clip_norm)
    learning_rate, weight_decay, warmup, dropout = map(float, (learning_rate, weight_decay, warmup, dropout))
    hyperparameters = {name: float(value) for name, value in hyperparameters.items()}
    seed = network.seed if seed is None else checked_seed(seed)
    factor = warm_up(SCHEDULES[schedule], warmup)
    steps = -(-len(rows) // batch_size)
    rule = network.optimizers[optimizer]
    step = Step(
        network,
        X,
        y,
        rule,
        batch_size,
        weight_decay=weight_decay,
        dropout=dropout,
        label_smoothing=label_smoothing,
        clip_norm=clip_norm,
        freeze=freeze,
        **hyperparameters,
    )
    state = State(network, optimizer, step.slots)
    callbacks = [c if isinstance(c, Callback) else EachEpoch(c) for c in callbacks]
    if diagnostics:
        callbacks.insert(0, Diagnostics(X, y, rows))
    if patience is not None:
        callbacks.append(EarlyStopping(patience, monitor or ("val_loss" if validation else "loss")))
    if checkpoint:
        callbacks.append(Checkpoint(checkpoint))
    if resume:
        if not checkpoint:
            raise InputError("resume needs checkpoint, the file to go on from.")
        load_checkpoint(state, checkpoint)
    on_step = [c.on_step for c in callbacks if type(c).on_step is not Callback.on_step]

    def rate(step):
        return learning_rate * factor((step + 0.5) / steps, epochs)

    for callback in callbacks:
        callback.on_begin(state)
    silent = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # Diverged says it better
    with silent, trainer(step, one_by_one=bool(on_step)) as train:
        while state.epoch < epochs and not state.stopped:
            started, loss, correct = time.perf_counter(), 0.0, 0
            order = rows[epoch_order(seed, state.epoch, len(rows))] if shuffle else rows
            rng = dropout_rng(seed, state.epoch)
            for start in range(0, len(rows), train.stride):
                for batch in train(order[start : start + train.stride], state, rate, rng):
                    loss, correct = loss + batch[0] * batch[1], correct + batch[2]
                    for call in on_step:
                        call(state, *batch)
                done = min(start + train.stride, len(rows))
                for callback in callbacks:
                    callback.on_progress(state, done, loss / done, correct / done)
            step.check(state)
            speed = len(rows) / (time.perf_counter() - started)
            state.epoch += 1
            figures = {"epoch": state.epoch, "loss": loss / len(rows), "accuracy": correct / len(rows)}
            if validation:
                figures["val_loss"], figures["val_accuracy"], _ = measure(network, *validation)
            seconds = time.perf_counter() - started
            state.history.append(
                figures | {"learning_rate": rate(state.step - 1), "seconds": seconds, "samples_per_second": speed}
            )
            state.history.engine_note = train.note
            for callback in callbacks:
                state.stopped = callback.on_epoch(state) or state.stopped
    for callback in callbacks:
        callback.on_end(state)
    return state.history


def _rows(rows, n, name):
    """The row numbers as an array; all n rows if there are none given."""
    if rows is None:
        return _all(n)
    array = np.asarray(rows)
    if array.ndim != 1 or array.dtype.kind not in "ui" or not array.size or array.min() < 0 or array.max() >= n:
        raise InputError(f"{name} must be a list of row numbers from 0 to {n - 1}, at least one.")
    return array


def _validation(data, network):
    """(X, y, rows) of the validation data, checked; None if there are none."""
    if data is None:
        return None
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise InputError("validation_data must be (X, y) or (X, y, rows).")
    X, y, rows = (*data, None)[:3]
    X = as_samples(X, network.sizes[0])
    return X, as_labels(y, len(X), network.sizes[-1]), _rows(rows, len(X), "validation_data's rows")


def epoch_order(seed, epoch, n):
    """The order of the n samples in an epoch: a permutation that depends on (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(_all(n))


def _all(n):
    return np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)


def dropout_rng(seed, epoch):
    return np.random.default_rng([seed, epoch, 1])


def _whole(v):
    return v >= 1 and v == int(v)


#: setting → (test, what is right)
RULES = {
    "learning_rate": (lambda v: 0 < v < math.inf, "a positive number"),
    "epochs": (_whole, "a whole number from 1"),
    "batch_size": (_whole, "a whole number from 1"),
    "weight_decay": (lambda v: 0 <= v < math.inf, "a number from 0"),
    "warmup": (lambda v: 0 <= v < math.inf, "a number of epochs from 0"),
    "dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "label_smoothing": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clip_norm": (lambda v: v is None or 0 < v < math.inf, "a positive number, or None"),
    "patience": (lambda v: v is None or _whole(v), "a whole number of epochs from 1, or None"),
}


def check(network, y, rows, optimizer, settings, hyperparameters, validated):
    """Raises InputError for the first of fit's settings that cannot be. ``validated``: there are validation data."""
    for name, (right, wanted) in RULES.items():
        try:
            fine = right(settings[name])
        except (TypeError, ValueError, OverflowError):
            fine = False
        if not fine:
            raise InputError(f"{name} is {settings[name]!r}; it must be {wanted}.")
    s = SimpleNamespace(**settings)
    if s.batch_size > len(rows):
        n = len(rows)
        raise InputError(f"batch_size is {s.batch_size}, more than the {n} training samples; it must be 1 to {n}.")
    if s.warmup >= s.epochs:
        raise InputError(f"warmup is {s.warmup} of {s.epochs} epochs; it must be fewer than epochs.")
    if s.label_smoothing and network.loss != "cross_entropy":
        raise InputError("label_smoothing is for the loss cross_entropy; it must be 0 with another loss.")
    recorded = ["loss", "accuracy", *(["val_loss", "val_accuracy"] if validated else [])]
    if s.monitor not in (None, *recorded):
        raise unknown("figure to monitor", s.monitor, recorded)
    if s.monitor is not None and s.patience is None:
        raise InputError("monitor is the figure that early stopping watches; it needs patience too.")
    own = {name: v for name, v in signature(network.optimizers[optimizer])[1].items() if name not in PROVIDED}
    if missing := [name for name, default in own.items() if default is None and name not in hyperparameters]:
        raise InputError(f"The optimizer {optimizer} needs {', '.join(missing)}, which has no default.")
    for name, value in hyperparameters.items():
        if name not in own:
            takes = f"takes {', '.join(own)}" if own else "has no hyperparameters"
            raise InputError(f"fit has no setting {name!r}, and the optimizer {optimizer} {takes}.")
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
            raise InputError(f"{name} is {value!r}; it must be a number from 0.")
        if name.startswith(("beta", "momentum")) and value >= 1:
            raise InputError(f"{name} is {value!r}; it must be below 1.")
    labels = y[rows]
    if (labels == labels[0]).all():
        raise InputError(f"y holds the one class {labels[0]}; training needs samples of at least two.")
