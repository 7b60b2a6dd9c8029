"""A training run on the terminal: a line an epoch, and below it a bar with rate, time left and running figures."""

import math
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from muslin.report.terminal import epoch
from muslin.training import Callback


def _accuracy(share):
    """As text; none of numbers, which have no accuracy."""
    return "" if math.isnan(share) else f" accuracy {share:.2%}"


class TrainingProgress(Callback):
    """Draws on the console if it is a terminal; says nothing in a pipe."""

    def __init__(self, console, epochs, samples):
        self.epochs, self.samples = epochs, samples
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=min(24, max(4, console.width - 74))),  # the line fits into 80 columns
            TextColumn("{task.fields[rate]:>7,.0f} samples/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left loss {task.fields[loss]:.4f}{task.fields[accuracy]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            auto_refresh=False,
        )
        self.shown = 0.0

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *error):
        self.progress.stop()

    def on_begin(self, state):
        facts = {"epoch": state.epoch + 1, "epochs": self.epochs, "rate": 0, "loss": 0, "accuracy": ""}
        self.task = self.progress.add_task("", total=self.epochs * self.samples, **facts)
        self.progress.update(self.task, completed=state.epoch * self.samples)
        self.started = time.perf_counter()

    def on_progress(self, state, done, loss, accuracy):
        now = time.perf_counter()
        if now - self.shown > 0.1:
            self.shown = now
            self.progress.update(
                self.task,
                completed=state.epoch * self.samples + done,
                epoch=state.epoch + 1,
                rate=done / (now - self.started),
                loss=loss,
                accuracy=_accuracy(accuracy),
                refresh=True,
            )

    def on_epoch(self, state):
        row = state.history[-1]
        facts = {
            "loss": row["loss"],
            "accuracy": _accuracy(row.get("accuracy", math.nan)),
            "rate": row["samples_per_second"],
        }
        self.progress.update(self.task, completed=state.epoch * self.samples, epoch=state.epoch, **facts)
        if not self.progress.disable:
            self.progress.console.print(epoch(state.epoch, row))
        self.started = time.perf_counter()
