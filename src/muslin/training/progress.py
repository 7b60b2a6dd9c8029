"""A training run on the terminal: a line an epoch, and below it a bar with rate, time left and running figures."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any, Self

from muslin.training.callbacks import Callback
from muslin.training.metrics import epoch_line
from muslin.training.state import State


def progress(verbose: bool, epochs: int, samples: int) -> AbstractContextManager[Callback]:
    """What `fit` shows on standard output; nothing unless ``verbose``."""
    if not verbose:
        return nullcontext(Callback())
    from rich.console import Console

    return TrainingProgress(Console(highlight=False, soft_wrap=True, markup=False, emoji=False), epochs, samples)


def _in_notebook(console: Any) -> bool:
    """Whether a bar can be drawn in a notebook: rich does it by ipywidgets."""
    return console.is_jupyter and find_spec("ipywidgets") is not None


def _accuracy(share):
    """As text; none of numbers, which have no accuracy."""
    return "" if math.isnan(share) else f" accuracy {share:.2%}"


class TrainingProgress(Callback):
    """A line an epoch and, where the console is a terminal, the bar."""

    def __init__(self, console: Any, epochs: int, samples: int):
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs, self.samples = epochs, samples
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=min(24, max(4, console.width - 74))),  # the line fits into 80 columns
            TextColumn("{task.fields[rate]:>7,.0f} samples/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left loss {task.fields[loss]:.4f}{task.fields[accuracy]}"),
            console=console,
            transient=True,
            disable=not (console.is_terminal or _in_notebook(console)),
            auto_refresh=False,
        )
        self.shown = 0.0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def on_begin(self, state: State) -> None:
        facts: dict[str, Any] = {"epoch": state.epoch + 1, "epochs": self.epochs, "rate": 0, "loss": 0, "accuracy": ""}
        self.task = self.progress.add_task("", total=self.epochs * self.samples, **facts)
        self.progress.update(self.task, completed=state.epoch * self.samples)
        self.started = time.perf_counter()

    def on_progress(self, state: State, done: int, loss: float, correct: float) -> None:
        now = time.perf_counter()
        if now - self.shown > 0.1:
            self.shown = now
            self.progress.update(
                self.task,
                completed=state.epoch * self.samples + done,
                epoch=state.epoch + 1,
                rate=done / (now - self.started),
                loss=loss,
                accuracy=_accuracy(correct),
                refresh=True,
            )

    def on_epoch(self, state: State) -> None:
        row = state.history[-1]
        facts = {
            "loss": row["loss"],
            "accuracy": _accuracy(row.get("accuracy", math.nan)),
            "rate": row["samples_per_second"],
        }
        self.progress.update(self.task, completed=state.epoch * self.samples, epoch=state.epoch, **facts)
        self.progress.console.print(epoch_line(state.epoch, row))
        self.started = time.perf_counter()
