"""A list of tasks, done to its end by whichever executor."""

from collections import Counter

from muslin.errors import InputError

#: worker deaths after which a task is given up
TRIES = 3


class Jobs:
    """``hear(key, message)`` is called with every message of the task of that key; see executor.py."""

    def __init__(self, tasks, executor, hear=lambda key, message: None):
        self.tasks, self.executor, self.hear = tasks, executor, hear
        self.waiting, self.deaths, self.ended = [*tasks], Counter(), {}

    def run(self):
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

    def _handle(self, worker, message):
        if message is None:
            key = self.executor.done(worker, dead=True)
            if key is not None:
                self._died(key)
        elif "row" in message:
            worker.send({"stop": None})
            self.hear(self.executor.busy.get(worker), message)
        elif "begin" in message:
            self.hear(self.executor.busy.get(worker), message)
        elif message.get("fatal"):
            raise InputError(message["failed"])
        elif "group" not in message:
            self._over(self.executor.done(worker), message)

    def _died(self, key):
        self.deaths[key] += 1
        if self.deaths[key] < TRIES:
            self.waiting.insert(0, key)
        else:
            self._over(key, {"failed": f"its worker died {TRIES} times; see workers.log"})

    def _over(self, key, message):
        self.ended[key] = message
        self.hear(key, message)
