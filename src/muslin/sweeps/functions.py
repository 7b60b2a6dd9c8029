"""A trial that is a function of the user's own, called in this process.

It is given the trial's configuration, a dictionary, and returns the metric, or a dictionary that holds it; a generator
yields one or the other after each epoch, and is closed where the trial is to be stopped early.
"""

import math
import time
from collections.abc import Iterator
from numbers import Real
from pathlib import Path

from muslin.errors import Diverged, InputError
from muslin.executors import Executor
from muslin.files import finite, of_the_disk, write_json, write_json_lines


class Functions(Executor):
    """This process, one trial at a time."""

    def __init__(self, function, metric):
        super().__init__()
        self.function, self.metric = function, metric

    @property
    def free(self):
        return 1 - len(self.busy)

    def give(self, item, task):
        self.busy[Call(self.function, self.metric, task)] = item

    def next(self, timeout):
        worker = next(iter(self.busy))
        return worker, worker.step()

    def stop(self):
        for worker in self.busy:
            worker.close()


class Call:
    """One trial, a row at a time: what a worker process would tell of it."""

    def __init__(self, function, metric, task):
        self.function, self.metric, self.path = function, metric, Path(task["run"])
        self.config, self.rows, self.values, self.stopped = task["config"], [], None, None
        self.since, self.group, self.node, self.code = time.monotonic(), None, "", None

    def step(self):
        """The next message. What the function raises is this trial's failure, Ctrl-C the sweep's end."""
        try:
            return self._row()
        except (InputError, Diverged) as error:
            return {"failed": str(error), "fatal": of_the_disk(error)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}", "fatal": False}

    def _row(self):
        if self.stopped:
            self.close()
            return self._done()
        if self.values is None:
            write_json(self.path / "config.json", {"name": self.path.name, "config": self.config})
            result = self.function(dict(self.config))
            self.values = result if isinstance(result, Iterator) else iter([result])
        value = next(self.values, self)
        if value is self:
            return self._done()
        self.rows.append(row(value, self.metric))
        return {"row": self.rows[-1]}

    def _done(self):
        write_json_lines(self.path / "history.jsonl", [finite(row) for row in self.rows])
        last = {self.metric: self.rows[-1][self.metric]} if self.rows else {}
        summary = {"iterations": len(self.rows), **last}
        write_json(self.path / "summary.json", finite(summary))
        return {"done": summary, "stopped": self.stopped}

    def send(self, message):
        self.stopped = message["stop"]

    def close(self):
        if hasattr(self.values, "close"):
            self.values.close()

    def kill(self):
        self.close()


def row(value, metric):
    """What a function returned or yielded as a row of figures. Raises InputError: it has not the metric, a number."""
    figures = value if isinstance(value, dict) else {metric: value}
    figure = figures.get(metric)
    if not isinstance(figure, Real) or isinstance(figure, bool):
        what = f"no {metric}" if metric not in figures else f"{metric} as {type(figure).__name__}"
        raise InputError(f"The function gave {what}; it is to give a number, or a dictionary with {metric}: a number.")
    numbers = {str(key): float(v) if isinstance(v, Real) else v for key, v in figures.items()}
    return numbers | {metric: float(figure) if math.isfinite(figure) else math.nan}
