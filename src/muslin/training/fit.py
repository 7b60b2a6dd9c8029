"""The training loop."""

from __future__ import annotations  # help(fit) says ArrayLike, and not what that is made of

from collections.abc import Iterable
from dataclasses import asdict
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from muslin.engines.player import trainer
from muslin.errors import InputError
from muslin.inputs import Scale, hint_of_scales, hint_of_targets
from muslin.training.augmentation import Augmentation
from muslin.training.batches import Batches, Samples, fingerprint
from muslin.training.callbacks import Callback, Callbacks, Checkpoint, Diagnostics, EarlyStopping, OnEpoch
from muslin.training.lbfgs import learn_by_lbfgs
from muslin.training.metrics import RIGHT, Tally, validated
from muslin.training.progress import progress
from muslin.training.settings import TrainingSettings, takes_options
from muslin.training.state import History, State, load_checkpoint
from muslin.training.step import Step
from muslin.training.weights import sample_weights


@takes_options
def fit(
    network: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation_data: tuple | None = None,
    rows: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Any = None,
    image_shape: tuple[int, int] | None = None,
    callbacks: Iterable[Callback | OnEpoch] = (),
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    verbose: bool = False,
    **options: Any,
) -> History:
    """Train the network; returns its history, a list with one dictionary an epoch.

    X, y              samples (N × n_0), float or uint8, and what they are: class numbers (N,), or labels, numbers or
                      counts (N × n_L), as the network's output says them
    validation_data   (X, y) or (X, y, rows): val_loss and val_accuracy (or other figures) after each epoch
    rows              train on these rows of X only (no copy is made)
    sample_weight     (N,): how much each sample counts in loss and gradient, beside the mean of all
    class_weight      how much each class counts, {class number: weight} (others 1), or "balanced": N / (K · samples of
                      the class); multiplies sample_weight. Validation figures are without weights
    image_shape       (height, width) of the pictures that samples are, for ``shift`` and the like (default: square)
    callbacks         `Callback` objects, or functions of the state called after each epoch
    checkpoint        file written after each epoch; with ``resume`` training goes on from it, bit for bit as if never
                      interrupted (same engine and number of threads). Data and options must be the same, but that
                      ``epochs`` may be more and ``patience`` another
    verbose           print a line an epoch, and a bar where standard output is a terminal
    {options}

    The optimizer's own hyperparameters (``beta1=…``) are further arguments. The losses that are reported leave the L2
    penalty out. Dropout is Srivastava et al., JMLR 2014 (inverted form), the clipping of the gradient's norm Pascanu et
    al., arXiv:1211.5063. After early stopping the best epoch's parameters are put back.

    Raises InputError for options and data that cannot be, `Diverged` when the loss or a parameter is no longer finite.
    """
    data = Samples.checked(network, X, y, rows)
    validation = data.validation(network, validation_data)
    settings = TrainingSettings.read(options, network.optimizers, network.seed)
    settings.check(network, data.labels, validation is not None)
    weights = sample_weights(network, data, sample_weight, class_weight)
    pictures = Augmentation.of(settings, network.sizes[0], image_shape)
    state = State(network, settings.optimizer, {}, settings=asdict(settings))
    if settings.full_batch and (checkpoint or resume):
        raise InputError(f"{settings.optimizer} cannot go on from a checkpoint; leave out checkpoint and resume.")
    if not settings.full_batch:
        rule = network.optimizers[settings.optimizer]
        step = Step(network, data.X, data.y, rule, settings, weights, pictures)
        state.slots = step.slots
    with progress(verbose, settings.epochs, len(data.rows)) as shown:
        told = _callbacks([*callbacks, shown], settings, data, validation, checkpoint)
        if checkpoint or resume:
            _go_on(state, data, validation, checkpoint, resume, weights)
        if network.hints and network.scale is None:
            _hint(network, data, pictures=image_shape is not None or np.ndim(X) > 2)
        network.scale = Scale.of(data.X)
        told.on_begin(state)
        silent = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # Diverged says it better
        with silent:
            if settings.full_batch:
                learn_by_lbfgs(state, settings, data, validation, weights, told)
            else:
                with trainer(step, told.watches_steps) as train_on:
                    learn(train_on, step, state, settings, data.rows, validation, told)
        told.on_end(state)
    return state.history


def learn(
    train_on: Any,
    step: Step,
    state: State,
    settings: TrainingSettings,
    rows: np.ndarray,
    validation: Any,
    told: Callbacks,
) -> None:
    """The loop: epoch after epoch, batch after batch, until it is enough or a callback returns a reason to stop."""
    batches = Batches(rows, settings)
    rate = state.rate(batches.rate)
    while state.epoch < settings.epochs and not state.stopped:
        tally = Tally(state.network.target in RIGHT)
        for some in batches.epoch(state.epoch, train_on.stride):
            for batch in train_on(some, state, rate):  # forward, backward, update: the order of `Step.take`
                tally.add(*batch)
                told.on_step(state, *batch)
            told.on_progress(state, *tally.so_far)
        step.check_parameters(state)
        tally.stop()
        figures = tally.figures() | validated(state.network, validation) | {"learning_rate": rate(state.step - 1)}
        state.end_epoch(figures | tally.pace(), train_on.note)
        told.on_epoch(state)


def _callbacks(callbacks, settings, data, validation, checkpoint):
    """Ours around the caller's: what adds figures comes before them, what acts on figures after them."""
    before = [Diagnostics(*data)] if settings.diagnostics else []
    monitor = settings.monitor or ("val_loss" if validation else "loss")
    after = [EarlyStopping(settings.patience, monitor)] if settings.patience else []
    after += [Checkpoint(checkpoint)] if checkpoint else []
    return Callbacks([*before, *callbacks, *after])


def _hint(network, data, pictures):
    """A word, at the first fit, where the numbers that were given make it hard to learn."""
    if not pictures:
        hint_of_scales(data.X)
    if network.target == "numbers":
        hint_of_targets(data.y)


def _go_on(state, data, validation, checkpoint, resume, weights):
    """What the checkpoint must know of the data; with ``resume``, go on from it."""
    if not checkpoint:
        raise InputError("resume needs checkpoint, the file to go on from.")
    state.data = data.fingerprints() | {
        f"validation {name}": print_ for name, print_ in (validation.fingerprints() if validation else {}).items()
    }
    if weights is not None:
        state.data["weights"] = fingerprint(weights)
    if resume:
        load_checkpoint(state, checkpoint)
