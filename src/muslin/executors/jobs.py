"""A list of tasks, done to its end by whichever executor."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from muslin.errors import InputError
from muslin.executors.executor import Executor, Message, Worker

#: worker deaths after which a task is given up
TRIES = 3


class Jobs:
    """``over(key, message)`` is called with the last message of each task, see executor.py; ``epochs(key, n)`` with so
    many epochs of it that are new."""

    def __init__(
        self,
        tasks: dict[str, dict[str, Any]],
        executor: Executor,
        over: Callable[[str, dict[str, Any]], Any] = lambda key, message: None,
        epochs: Callable[[str, int], Any] = lambda key, n: None,
    ):
        self.tasks, self.executor, self.over, self.epochs = tasks, executor, over, epochs
        self.waiting = [*tasks]
        self.deaths = Counter[str]()
        self.rows, self.most = Counter[str](), Counter[str]()  # of each task: told of, now and ever
        self.ended: dict[str, dict[str, Any]] = {}

    def run(self) -> dict[str, dict[str, Any]]:
        """Do the tasks, {key: task}, in their order. Returns {key: message} of their ends: done, or failed.

        Raises InputError where a failure is not the task's own.
        """
        try:
            while self.waiting or self.executor.busy:
                while self.waiting and self.executor.free > 0:
                    key = self.waiting.pop(0)
                    self.executor.give(key, self.tasks[key])
                worker, message = self.executor.next(timeout=1)
                if worker:
                    self._handle(worker, message)
        finally:
            self.executor.stop()
        return self.ended

    def _handle(self, worker: Worker, message: Message) -> None:
        if message is None:
            key = self.executor.done(worker, dead=True)
            if key is not None:
                self._died(key)
        elif "row" in message:
            worker.send({"stop": None})
            key = self.executor.busy[worker]
            self._told(key, self.rows[key] + 1)
        elif "begin" in message:
            self._told(self.executor.busy[worker], len(message["begin"]))
        elif message.get("fatal"):
            raise InputError(message["failed"])
        elif "group" not in message:
            self._over(self.executor.done(worker), message)

    def _told(self, key: str, rows: int) -> None:
        """A task has so many rows; fewer than before where it began anew."""
        self.rows[key], before = rows, self.most[key]
        self.most[key] = max(before, rows)
        self.epochs(key, self.most[key] - before)

    def _died(self, key: str) -> None:
        self.deaths[key] += 1
        if self.deaths[key] < TRIES:
            self.waiting.insert(0, key)
        else:
            self._over(key, {"failed": f"its worker died {TRIES} times; see workers.log"})

    def _over(self, key: str, message: dict[str, Any]) -> None:
        self.ended[key] = message
        self.over(key, message)
