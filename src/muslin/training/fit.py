"""The training loop."""

import inspect
import math
import time
from itertools import pairwise

import numpy as np

from muslin.errors import Diverged, InputError, lookup
from muslin.losses import targets
from muslin.network import Signals, as_labels, as_samples
from muslin.schedules import SCHEDULES, warm_up
from muslin.training.callbacks import Callback, Checkpoint, Diagnostics, EachEpoch, EarlyStopping
from muslin.training.metrics import evaluate
from muslin.training.state import State, load_checkpoint


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
    seed              of the order and of dropout; default: the network's
    rows              train on these rows of X only (no copy is made)
    checkpoint        file written after each epoch; with ``resume`` training goes on from it, bit for bit as if never
                      interrupted (same data, settings, engine and number of threads)

    Raises InputError for settings and data that cannot be, `Diverged` when the loss or a parameter is no longer finite.
    """
    X = as_samples(X, network.sizes[0])
    y = as_labels(y, len(X), network.sizes[-1])
    rows = np.arange(len(X)) if rows is None else np.asarray(rows)
    rule = lookup(network.optimizers, "optimizer", optimizer)
    check_settings(locals())
    seed = network.seed if seed is None else seed
    factor = warm_up(lookup(SCHEDULES, "schedule", schedule), warmup)
    steps = -(-len(rows) // batch_size)
    step = Step(network, rule, batch_size, weight_decay, dropout, label_smoothing, clip_norm, hyperparameters)
    state = State(network, optimizer, step.slots)
    callbacks = [c if isinstance(c, Callback) else EachEpoch(c) for c in callbacks]
    if diagnostics:
        callbacks.insert(0, Diagnostics(X, y, rows))
    if patience is not None:
        callbacks.append(EarlyStopping(patience, monitor or ("val_loss" if validation_data else "loss")))
    if checkpoint:
        callbacks.append(Checkpoint(checkpoint))
    if resume:
        load_checkpoint(state, checkpoint)
    if validation_data:
        X_val, y_val, rows_val = (*validation_data, None)[:3]
        X_val = as_samples(X_val, network.sizes[0])
        y_val = as_labels(y_val, len(X_val), network.sizes[-1])
    on_step = [c.on_step for c in callbacks if type(c).on_step is not Callback.on_step]

    for callback in callbacks:
        callback.on_begin(state)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # Diverged says it better
        while state.epoch < epochs:
            started, loss, correct = time.perf_counter(), 0.0, 0
            order, rng = rows[epoch_order(seed, state.epoch, len(rows))] if shuffle else rows, dropout_rng(seed, state.epoch)
            for start, stop in pairwise([*range(0, len(rows), batch_size), len(rows)]):
                batch = order[start:stop]
                rate = learning_rate * factor((state.step + 0.5) / steps, epochs)
                batch_loss, batch_correct = step(X, y, batch, state, rate, rng)
                loss, correct = loss + batch_loss * len(batch), correct + batch_correct
                for call in on_step:
                    call(state, len(batch), batch_loss, batch_correct)
            step.check(state)
            trained = time.perf_counter()
            figures = {"epoch": state.epoch + 1, "loss": loss / len(rows), "accuracy": correct / len(rows)}
            if validation_data:
                figures["val_loss"], figures["val_accuracy"], _ = evaluate(network, X_val, y_val, rows_val)
            seconds = time.perf_counter() - started
            figures |= {"learning_rate": rate, "seconds": seconds, "samples_per_second": len(rows) / (trained - started)}
            state.history.append(figures)
            state.epoch += 1
            if any([callback.on_epoch(state) for callback in callbacks]):
                break
    for callback in callbacks:
        callback.on_end(state)
    return state.history


def epoch_order(seed, epoch, n):
    """The order of the n samples in an epoch: a permutation that depends on (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(n)


def dropout_rng(seed, epoch):
    return np.random.default_rng([seed, epoch, 1])


class Step:
    """One step of training: a batch forward, backward, and the optimizer's rule. All memory is made beforehand."""

    def __init__(self, network, rule, batch_size, weight_decay, dropout, label_smoothing, clip_norm, hyperparameters):
        self.network, self.rule, self.dropout, self.clip_norm = network, rule, dropout, clip_norm
        self.signals = Signals(network.sizes, batch_size, network.dtype, dropout=dropout > 0)
        self.table = targets(network.sizes[-1], network.dtype, label_smoothing)
        slots, scalars = signature(rule)
        self.slots = {name: np.zeros_like(network.theta) for name in slots}
        self.scalars = scalars | hyperparameters
        self.asked = [name for name in ("learning_rate", "t", "loss") if name in scalars]
        self.parts = self._parts(weight_decay, decoupled="weight_decay" in scalars)

    def _parts(self, decay, decoupled):
        """(θ, g, slots, decay added to the gradient, scalars) of each part of θ that is updated alike."""
        network, w = self.network, self.network.n_weights
        parts = [(slice(None, w), decay), (slice(w, None), 0.0)] if decay else [(slice(None), 0.0)]
        return [
            (
                network.theta[part],
                network.gradient[part],
                [slot[part] for slot in self.slots.values()],
                0.0 if decoupled else decay,
                self.scalars | ({"weight_decay": decay} if decoupled else {}),
            )
            for part, decay in parts
        ]

    def __call__(self, X, y, batch, state, learning_rate, rng):
        """Train on the rows ``batch`` of X; returns the batch's mean loss and its number of right predictions."""
        network, s, labels = self.network, self.signals.first(len(batch)), y[batch]
        Y = self.table[labels].T
        network.engine.gather(X, batch, s.H[0].T)
        for mask in s.masks.values():
            np.greater_equal(rng.random(mask.T.shape, mask.dtype).T, self.dropout, out=mask)
            mask /= 1.0 - self.dropout
        network.forward(s)
        losses = network.batch_loss(s, Y)
        loss = float(np.add.reduce(losses)) / len(batch)
        if not math.isfinite(loss):
            raise diverged(network, state, s)
        network.backward(s, Y)
        if self.clip_norm:
            norm = math.sqrt(float(np.dot(network.gradient, network.gradient)))
            if norm > self.clip_norm:
                network.gradient *= self.clip_norm / norm
        state.step += 1
        now = {"learning_rate": learning_rate, "t": state.step, "loss": loss}
        now = {name: now[name] for name in self.asked}
        for theta, g, slots, decay, scalars in self.parts:
            network.engine.update(self.rule, theta, g, slots, scalars | now, decay)
        return loss, int(np.count_nonzero(s.H[network.L].argmax(axis=0) == labels))

    def check(self, state):
        if not np.isfinite(self.network.theta).all():
            raise diverged(self.network, state, self.signals)


def diverged(network, state, s):
    """The error that says in which layer the numbers first left the finite ones."""
    layer = next((k for k in s.A if not np.isfinite(network.weights[k]).all() or not np.isfinite(s.A[k]).all()), network.L)
    return Diverged(
        f"Training diverged in epoch {state.epoch + 1}, step {state.step + 1}: the numbers of layer {layer} are no longer "
        "finite. Try a learning rate ten times smaller, clip_norm 1, or another initializer."
    )


def signature(rule):
    """(names of an optimizer rule's slots, {name: default} of its scalars; None where the loop gives the value)."""
    parameters = inspect.signature(rule).parameters.values()
    slots = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][2:]
    return slots, {p.name: None if p.default is p.empty else p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


#: setting → (test, what is right)
RULES = {
    "learning_rate": (lambda v: 0 < v < math.inf, "a positive number"),
    "epochs": (lambda v: v == int(v) and v >= 1, "a whole number from 1"),
    "batch_size": (lambda v: v == int(v) and v >= 1, "a whole number from 1"),
    "weight_decay": (lambda v: 0 <= v < math.inf, "a number from 0"),
    "warmup": (lambda v: 0 <= v < math.inf, "a number of epochs from 0"),
    "dropout": (lambda v: 0 <= v < 1, "at least 0 and below 1"),
    "clip_norm": (lambda v: v is None or 0 < v < math.inf, "a positive number, or None"),
}


def check_settings(s):
    """Raises InputError for the first of fit's settings that cannot be."""
    for name, (right, wanted) in RULES.items():
        try:
            fine = right(s[name])
        except (TypeError, ValueError, OverflowError):
            fine = False
        if not fine:
            raise InputError(f"{name} is {s[name]!r}; it must be {wanted}.")
    n = len(s["rows"])
    if s["batch_size"] > n:
        raise InputError(f"batch_size is {s['batch_size']}, more than the {n} training samples; it must be 1 to {n}.")
    if s["warmup"] >= s["epochs"]:
        raise InputError(f"warmup is {s['warmup']} of {s['epochs']} epochs; it must be fewer than epochs.")
    if s["label_smoothing"] and s["network"].loss != "cross_entropy":
        raise InputError("label_smoothing is for the loss cross_entropy; it must be 0 with another loss.")
    if s["resume"] and not s["checkpoint"]:
        raise InputError("resume needs checkpoint, the file to go on from.")
    known = [name for name, default in signature(s["rule"])[1].items() if default is not None]
    for name, value in s["hyperparameters"].items():
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "has no hyperparameters"
            raise InputError(f"fit has no setting {name!r}, and the optimizer {s['optimizer']} {takes}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise InputError(f"{name} is {value!r}; it must be a number from 0.")
        if name.startswith(("beta", "momentum")) and value >= 1:
            raise InputError(f"{name} is {value!r}; it must be below 1.")
    labels = s["y"][s["rows"]]
    if (labels == labels[0]).all():
        raise InputError(f"y holds the one class {labels[0]}; training needs samples of at least two.")
