"""How good a network is: on given samples, and on those of an epoch while it trains."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from muslin.inputs import as_probabilities, as_rows, as_targets
from muslin.losses import target_columns


@dataclass
class Tally:
    """What is known of an epoch while it goes on; counts: whether a prediction can be right or wrong."""

    counts: bool = True
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
        return self.samples, self.loss / self.samples, self.correct / self.samples if self.counts else math.nan

    def stop(self) -> None:
        """All batches of the epoch are done."""
        self.speed = self.samples / self.seconds

    def pace(self) -> dict[str, float]:
        """Seconds until now, with what came after the batches; and samples a second of the batches alone."""
        return {"seconds": self.seconds, "samples_per_second": self.speed}

    def figures(self) -> dict[str, float]:
        _, loss, accuracy = self.so_far
        return {"loss": loss, "accuracy": accuracy} if self.counts else {"loss": loss}


# How many of a batch are right: of Ŷ (n_L × B) and the targets of its samples


def right_classes(Y_hat: np.ndarray, y: np.ndarray) -> int:
    """y: (B,) class numbers."""
    return int(np.count_nonzero(Y_hat.argmax(axis=0) == y))


def right_labels(Y_hat: np.ndarray, y: np.ndarray) -> int:
    """Samples of which every label is right.  y: (B × n_L)."""
    return int(np.count_nonzero(((Y_hat > 0.5) == (y.T > 0.5)).all(axis=0)))


#: kind of target → what counts the right ones; of numbers none is right or wrong
RIGHT: dict[str, Callable[[np.ndarray, np.ndarray], int]] = {"class": right_classes, "labels": right_labels}


# Figures of Ŷ (N × n_L) and the targets


def _accuracy(Y_hat: np.ndarray, y: np.ndarray) -> dict[str, float]:
    return {"accuracy": float((Y_hat.argmax(axis=1) == y).mean())}


def _labels(Y_hat: np.ndarray, Y: np.ndarray) -> dict[str, float]:
    """accuracy: samples of which every label is right; f1: 2tp/(2tp + fp + fn), the mean over the labels (0 for one
    that is neither there nor predicted)."""
    said, true = Y_hat > 0.5, Y > 0.5
    both, either = (said & true).sum(axis=0), said.sum(axis=0) + true.sum(axis=0)
    return {
        "accuracy": float((said == true).all(axis=1).mean()),
        "f1": float((2 * both / np.maximum(either, 1)).mean()),
    }


def _numbers(Y_hat: np.ndarray, Y: np.ndarray) -> dict[str, float]:
    """r2: 1 − Σe²/Σ(y − ȳ)², the mean over the outputs, and of one that never changes 1 or 0; mae: mean |e|; rmse:
    √ of the mean e²."""
    E, Y = Y_hat.astype(np.float64) - Y, Y.astype(np.float64)
    rest, all_ = (E * E).sum(axis=0), ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
    r2 = np.where(all_ > 0, 1 - rest / np.where(all_ > 0, all_, 1.0), rest == 0)
    return {"r2": float(r2.mean()), "mae": float(np.abs(E).mean()), "rmse": float(np.sqrt((E * E).mean()))}


#: kind of target → its figures, beside the loss; the first is the one to tell
FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "class": _accuracy,
    "labels": _labels,
    "numbers": _numbers,
    "counts": _numbers,
}
#: figures that have the unit of the target
ERRORS = ("mae", "rmse")
#: kind of target → the names of its figures
NAMES = {"class": ("accuracy",), "labels": ("accuracy", "f1")} | dict.fromkeys(
    ("numbers", "counts"), ("r2", "mae", "rmse")
)


def confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many samples of each class (row) were taken for each (column); y, predicted: (N,) class numbers."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (y, predicted), 1)
    return counts


def evaluate(
    network: Any, X: ArrayLike, y: ArrayLike, rows: ArrayLike | None = None
) -> tuple[float, float, np.ndarray]:
    """(mean loss, accuracy, predictions) of the network on ``X[rows]``, all rows by default; R² of numbers in place of
    the accuracy.

    X: (N × n_0), y: (N,) or (N × n_L). Raises InputError for samples or targets that do not fit the network.
    """
    figures, Y_hat = measure(network, X, y, rows)
    return figures["loss"], figures[NAMES[network.target][0]], network.outputs[network.output].predict(Y_hat)


def validated(network: Any, samples: tuple[np.ndarray, np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """The figures of the validation samples (X, y, rows), val_loss, …; none where there are none."""
    if samples is None:
        return {}
    return {f"val_{name}": value for name, value in _measure(network, *samples)[0].items()}


def measure(
    network: Any, X: ArrayLike, y: ArrayLike, rows: ArrayLike | None = None
) -> tuple[dict[str, float], np.ndarray]:
    """({"loss": …} and the `FIGURES` of the network's kind of target, Ŷ (N × n_L)) on ``X[rows]``; see `evaluate`."""
    samples = network.samples(X)
    y = as_targets(y, len(samples), network.sizes[-1], network.target, network.dtype)
    figures, Y_hat = _measure(network, samples, y, as_rows(rows, len(samples)))
    as_probabilities(Y_hat)  # says which row is not finite
    return figures, Y_hat


def measure_calibrated(network: Any, X: ArrayLike, y: ArrayLike) -> tuple[dict[str, float], np.ndarray]:
    """As `measure`; of classes with the expected calibration error, "ece"."""
    figures, Y_hat = measure(network, X, y)
    return figures | ({"ece": calibration(Y_hat, np.asarray(y))["ece"]} if network.target == "class" else {}), Y_hat


def _measure(network: Any, X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """One pass in chunks, so that of the network's signals memory does not grow with N."""
    Y_hat, total, done = np.empty((len(rows), network.sizes[-1]), network.dtype), 0.0, 0
    for chunk, s in network.chunks(X, rows):
        total += float(network.batch_loss(s, target_columns(y[chunk], network.sizes[-1], network.dtype)))
        Y_hat[done : done + len(chunk)] = s.H[network.L].T
        done += len(chunk)
    figures = FIGURES[network.target](Y_hat, y[rows])
    in_units = {name: figures[name] * network.unit for name in ERRORS if name in figures}
    return {"loss": total / len(rows)} | figures | in_units, Y_hat


#: bins of the reliability diagram, as in the paper
BINS = 15


def calibration(P: np.ndarray, y: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """How often the network is right, beside how sure it is.  P: (N × classes) probabilities, y: (N,) classes.

    The samples are put into ``bins`` of equal width by the probability of the class that is predicted. Returns
    {"ece", "samples", "bins": [{"low", "high", "samples", "sure", "right"}]}, empty bins left out; the expected
    calibration error is Σ (samples of the bin / N) · |right − sure| (Guo et al. 2017, arXiv:1706.04599, equation 3).
    """
    sure, right = P.max(axis=1).astype(np.float64), P.argmax(axis=1) == y
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)  # a bin has its upper end
    counts = np.bincount(place, minlength=bins)
    some = np.flatnonzero(counts)
    means = [np.bincount(place, values, bins)[some] / counts[some] for values in (sure, right)]
    ece = float(np.sum(counts[some] * np.abs(means[0] - means[1])) / len(y))
    rows = [
        {"low": i / bins, "high": (i + 1) / bins, "samples": int(counts[i]), "sure": float(s), "right": float(r)}
        for i, s, r in zip(some.tolist(), *means, strict=True)
    ]
    return {"ece": ece, "samples": len(y), "bins": rows}


#: figure → how it is shown in a line
FORMS = {
    "loss": "loss {:.4f}",
    "accuracy": "accuracy {:.2%}",
    "val_loss": "val_loss {:.4f}",
    "val_accuracy": "val_accuracy {:.2%}",
    "val_f1": "val_f1 {:.4f}",
    "val_r2": "val_r2 {:.4f}",
    "seconds": "({:.1f} s)",
}


def epoch_line(number: int, row: dict[str, Any]) -> str:
    """A row of a history as a line to be read. A program's run has figures of its own."""
    ours = [form.format(row[name]) for name, form in FORMS.items() if row.get(name) is not None]
    words = ours if "loss" in row else [f"{name} {row[name]:.6g}" for name in numbers(row)]
    return "  ".join([f"epoch {number:>3}", *words])


def numbers(row: dict[str, Any]) -> list[str]:
    """The names of a row's figures."""
    return [key for key, value in row.items() if isinstance(value, int | float) and key != "epoch"]
