"""How good a network is: on given samples, and on those of an epoch while it trains."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from muslin.inputs import as_labels, as_rows
from muslin.losses import targets


@dataclass
class Tally:
    """What is known of an epoch while it goes on."""

    samples: int = 0
    loss: float = 0.0
    correct: int = 0
    speed: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, samples: int, loss: float, correct: int) -> None:
        """A batch: its size, mean loss and number of right predictions."""
        self.samples += samples
        self.loss += samples * loss
        self.correct += correct

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    @property
    def so_far(self) -> tuple[int, float, float]:
        """Samples, their mean loss and the share of right predictions."""
        return self.samples, self.loss / self.samples, self.correct / self.samples

    def stop(self) -> None:
        """All batches of the epoch are done."""
        self.speed = self.samples / self.seconds

    def figures(self) -> dict[str, float]:
        _, loss, accuracy = self.so_far
        return {"loss": loss, "accuracy": accuracy}


def evaluate(
    network: Any, X: ArrayLike, y: ArrayLike, rows: ArrayLike | None = None
) -> tuple[float, float, np.ndarray]:
    """(mean loss, accuracy, predicted classes) of the network on ``X[rows]``, all rows by default.

    X: (N × n_0), y: (N,). Raises InputError for samples or labels that do not fit the network.
    """
    samples = network.samples(X)
    labels, numbers = as_labels(y, len(samples), network.sizes[-1]), as_rows(rows, len(samples))
    loss, accuracy, predicted = measure(network, samples, labels, numbers)
    if math.isnan(loss):
        network.predict_proba(samples)  # says which row
    return loss, accuracy, predicted


def validated(network: Any, samples: tuple[np.ndarray, np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """The figures of the validation samples (X, y, rows); none where there are none."""
    if samples is None:
        return {}
    loss, accuracy, _ = measure(network, *samples)
    return {"val_loss": loss, "val_accuracy": accuracy}


def measure(network: Any, X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[float, float, np.ndarray]:
    """What `evaluate` returns, of arrays that are checked: one pass in chunks, so that memory does not grow with N."""
    table = targets(network.sizes[-1], network.dtype)
    predicted, total = np.empty(len(rows), np.int64), 0.0
    done = 0
    for chunk, s in network.chunks(X, rows):
        total += float(network.batch_loss(s, table.take(y[chunk], axis=1)))
        predicted[done : done + len(chunk)] = s.H[network.L].argmax(axis=0)
        done += len(chunk)
    return total / len(rows), float((predicted == y[rows]).mean()), predicted


#: figure → how it is shown in a line
FIGURES = {
    "loss": "loss {:.4f}",
    "accuracy": "accuracy {:.2%}",
    "val_loss": "val_loss {:.4f}",
    "val_accuracy": "val_accuracy {:.2%}",
    "seconds": "({:.1f} s)",
}


def epoch_line(number: int, row: dict[str, Any]) -> str:
    """A row of a history as a line to be read. A program's run has figures of its own."""
    ours = [form.format(row[name]) for name, form in FIGURES.items() if row.get(name) is not None]
    words = ours if "loss" in row else [f"{name} {row[name]:.6g}" for name in numbers(row)]
    return "  ".join([f"epoch {number:>3}", *words])


def numbers(row: dict[str, Any]) -> list[str]:
    """The names of a row's figures."""
    return [key for key, value in row.items() if isinstance(value, int | float) and key != "epoch"]
