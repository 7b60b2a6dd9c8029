"""What is compared: the contestants and their trainings."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muslin import datasets
from muslin.engines import blas
from muslin.errors import InputError
from muslin.network import FeedForwardNeuralNetwork
from muslin.runs import Run, need_test
from muslin.runs.settings import Settings
from muslin.training import Callback, evaluate
from muslin.training.callbacks import OnEpoch
from muslin.training.transfer import transplant

#: what one training of one contestant gave
Cell = dict[str, Any]

#: contestant → (starts from the trained network, keeps the values of its first layers)
CONTESTANTS = {"scratch": (False, False), "fine_tuned": (True, False), "frozen": (True, True)}

#: what is not taken from the run: early stopping would give each contestant a budget of its own
ALIKE = {"validation": 0, "stratify": False, "patience": None, "monitor": None, "diagnostics": False, "data_dir": None}


@dataclass(frozen=True)
class Transfer:
    """A trained network, the data set that it goes to, and how it is trained there; made by `plan`.

    source       the trained network
    file         where it is saved
    data         the new data set
    settings     of every training; the seed is the source's
    freeze       K, the number of layers that the contestant ``frozen`` keeps
    keep_head    start from the trained network's last layer, too
    min_steps    a small fraction is trained for more than ``settings.epochs``, until it has this many steps
    facts        all that a cell depends on, beside fraction, seed and contestant
    """

    source: FeedForwardNeuralNetwork
    data: datasets.Dataset
    settings: Settings
    freeze: int
    keep_head: bool
    min_steps: int
    file: Path
    facts: dict[str, Any]

    def seeds(self, n: int) -> list[int]:
        """n seeds. The source's own is left out: with it, a new head would be the one that the source began with."""
        return [seed for seed in range(n + 1) if seed != self.settings.seed][:n]

    def rows(self, fraction: float, seed: int) -> np.ndarray:
        """The rows of that fraction of the training samples, of each class in proportion to its size."""
        y = self.data.y_train
        return np.arange(len(y)) if fraction == 1 else datasets.split(y, fraction, seed=seed, stratify=True)[1]

    def budget(self, samples: int) -> tuple[int, int]:
        """(epochs, steps) that each contestant has on this many samples."""
        batches = math.ceil(samples / self.settings.batch_size)
        epochs = max(self.settings.epochs, math.ceil(self.min_steps / batches))
        return epochs, epochs * batches

    def cell(self, fraction: float, seed: int, contestant: str, callbacks: Iterable[Callback | OnEpoch] = ()) -> Cell:
        """Train and test one contestant; returns its figures.  Raises what `muslin.training.fit` does."""
        rows, (trained, frozen) = self.rows(fraction, seed), CONTESTANTS[contestant]
        epochs, steps = self.budget(len(rows))
        own = {"seed": seed, "epochs": epochs, "batch_size": min(self.settings.batch_size, len(rows))}
        settings, data = self.settings.model_copy(update=own), self.data
        network = settings.network(data.X_train.shape[1], len(data.class_names))
        if trained:
            transplant(self.source, network, layers=network.L if self.keep_head else network.L - 1)
        training = settings.training() | settings.weights | ({"freeze": self.freeze} if frozen else {})
        with blas.threads(settings.threads):
            history = network.fit(data.X_train, data.y_train, rows=rows, callbacks=callbacks, **training)
            X_test, y_test = need_test(data)
            test_loss, test_accuracy, _ = evaluate(network, X_test, y_test)
        of = {"fraction": fraction, "seed": seed, "contestant": contestant}
        budget = {"samples": len(rows), "epochs": epochs, "steps": steps, "seconds": sum(history["seconds"])}
        figures = {"loss": history[-1]["loss"], "accuracy": history[-1]["accuracy"]}
        return (
            of
            | budget
            | figures
            | {"test_loss": test_loss, "test_accuracy": test_accuracy, "test_samples": len(y_test)}
        )


def plan(
    run: Run, data: datasets.Dataset, freeze: int = 1, keep_head: bool = False, min_steps: int = 2000, **changes: Any
) -> Transfer:
    """The transfer of a run's network to a data set.  ``changes``: settings that are not to be the run's own.

    freeze: by default the first layer alone, for the nearer to the output, the less general is what a layer has learned
    (Yosinski et al. 2014, arXiv:1411.1792). keep_head is for data of the same classes; others mean nothing to it.
    Raises InputError where the network does not suit the data, or has no such layers.
    """
    need_test(data)
    _check(run, data, freeze, keep_head)
    settings = Settings.read(run.settings.model_dump(), ALIKE, {"dataset": data.name}, changes)
    own: dict[str, Any] = {"freeze": freeze, "keep_head": keep_head, "min_steps": min_steps}
    file = run.path / "model.safetensors"
    sums = {"model": hashlib.sha256(file.read_bytes()).hexdigest(), "data_checksums": data.checksums}
    return Transfer(run.network, data, settings, **own, file=file, facts=settings.model_dump() | own | sums)


def _check(run: Run, data: datasets.Dataset, freeze: int, keep_head: bool) -> None:
    inputs, *hidden, classes = run.network.sizes
    new_inputs, new_classes = data.X_train.shape[1], len(data.class_names)
    if inputs != new_inputs:
        raise InputError(
            f"The network of {run.path} has {inputs} inputs, the samples of {data.name} have {new_inputs}; "
            "its weights can go only to a data set with as many."
        )
    if not hidden:
        raise InputError(f"The network of {run.path} has no hidden layer; there is nothing to transfer.")
    if keep_head and classes != new_classes:
        raise InputError(
            f"The network of {run.path} has {classes} classes, {data.name} has {new_classes}; it needs a new head."
        )
    if not 1 <= freeze <= len(hidden):
        raise InputError(f"freeze is {freeze}; it must be 1 to {len(hidden)}, the number of hidden layers to freeze.")
