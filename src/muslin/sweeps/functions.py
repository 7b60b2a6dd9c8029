"""A trial that is a function of the user's own, called in this process.

It is given the trial's configuration, a dictionary, and returns the metric, or a dictionary that holds it; a generator
yields one or the other after each epoch, and is closed where the trial is to be stopped early.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias

from muslin.errors import Diverged, InputError
from muslin.executors import Executor
from muslin.executors.executor import Message, Worker
from muslin.files import finite, of_the_disk, write_json, write_json_lines

#: a configuration → the metric, a dictionary that holds it, or an iterator of these
Function: TypeAlias = Callable[[dict[str, Any]], Any]


class Functions(Executor):
    """This process, one trial at a time."""

    def __init__(self, function: Function, metric: str):
        super().__init__()
        self.function, self.metric = function, metric

    @property
    def free(self) -> int:
        return 1 - len(self.busy)

    def give(self, item: Any, task: dict[str, Any]) -> None:
        self.call = Call(self.function, self.metric, task)
        self.busy[self.call] = item

    def next(self, timeout: float) -> tuple[Worker, Message]:
        return self.call, self.call.step()

    def stop(self) -> None:
        for _ in self.busy:
            self.call.close()


class Call:
    """One trial, a row at a time: what a worker process would tell of it."""

    def __init__(self, function: Function, metric: str, task: dict[str, Any]):
        self.function, self.metric, self.path = function, metric, Path(task["run"])
        self.config, self.rows = task["config"], list[dict[str, Any]]()
        self.values: Iterator[Any] | None = None
        self.stopped: str | None = None
        self.since, self.node = time.monotonic(), ""
        self.group: int | None = None
        self.code: int | None = None

    def step(self) -> dict[str, Any]:
        """The next message. What the function raises is this trial's failure, Ctrl-C the sweep's end."""
        try:
            return self._row()
        except (InputError, Diverged) as error:
            return {"failed": str(error), "fatal": of_the_disk(error)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}", "fatal": False}

    def _row(self) -> dict[str, Any]:
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

    def _done(self) -> dict[str, Any]:
        write_json_lines(self.path / "history.jsonl", [finite(row) for row in self.rows])
        last = {self.metric: self.rows[-1][self.metric]} if self.rows else {}
        summary = {"iterations": len(self.rows), **last}
        write_json(self.path / "summary.json", finite(summary))
        return {"done": summary, "stopped": self.stopped}

    def send(self, message: dict[str, Any]) -> None:
        self.stopped = message["stop"]

    def close(self) -> None:
        if isinstance(self.values, Generator):
            self.values.close()

    def kill(self) -> None:
        self.close()


def row(value: Any, metric: str) -> dict[str, Any]:
    """What a function returned or yielded as a row of figures. Raises InputError: it has not the metric, a number."""
    figures = value if isinstance(value, dict) else {metric: value}
    figure = figures.get(metric)
    if not isinstance(figure, Real) or isinstance(figure, bool):
        what = f"no {metric}" if metric not in figures else f"{metric} as {type(figure).__name__}"
        raise InputError(f"The function gave {what}; it is to give a number, or a dictionary with {metric}: a number.")
    numbers = {str(key): float(v) if isinstance(v, Real) else v for key, v in figures.items()}
    return numbers | {metric: float(figure) if math.isfinite(figure) else math.nan}
