"""What an executor is: tasks go in, and what becomes of each comes out as messages, one after the other.

A task is a dictionary that JSON can hold: ``function`` names what is called at the other end ("module:name", see
worker.py), ``run`` is the directory that it makes, and the rest is the function's own. Who works at one says:

    {"begin": [rows]}      rows that there are already, in place of what was told before
    {"row": {…}}           one more; it is answered with send({"stop": reason or None})
    {"group": number}      the process group of a program, which ends with its worker
    {"done": …, "stopped": reason or None}    or
    {"failed": reason, "fatal": bool}         fatal: no other task would fare better, such as on a full disk
    None                   the worker is dead
"""

import queue
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Message = dict[str, Any] | None


class Worker(Protocol):
    """Who is at work at a task. ``since``: when it began, on the monotonic clock; ``node``: where, "" for here."""

    since: float
    node: str
    group: int | None

    @property
    def code(self) -> int | None:
        """The exit code of one that is dead, as far as it is known."""

    def send(self, message: dict[str, Any]) -> None: ...

    def kill(self) -> None: ...


W = TypeVar("W", bound=Worker)


class Executor(ABC, Generic[W]):
    """``busy`` is {worker: item}; the item is whatever `give` was told that the task is for."""

    ahead = False  # whether tasks may wait for a worker, so that no worker has to wait for a task

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[tuple[W | None, Message]] = queue.SimpleQueue()
        self.busy: dict[W, Any] = {}

    @property
    @abstractmethod
    def free(self) -> int:
        """How many more tasks may be given now."""

    @abstractmethod
    def give(self, item: Any, task: dict[str, Any]) -> None: ...

    def done(self, worker: W, dead: bool = False) -> Any:
        """The worker is free again, or gone. Returns the item that it had, or None."""
        return self.busy.pop(worker, None)

    @abstractmethod
    def stop(self) -> None:
        """End everything, now."""

    @property
    def waits(self) -> bool:
        """Whether a message waits to be read."""
        return not self.messages.empty()

    def next(self, timeout: float) -> tuple[W | None, Message]:
        """(worker, message), or (None, None) if there is none in time."""
        try:
            return self.messages.get(timeout=timeout)
        except queue.Empty:
            return None, None

    def nodes(self) -> dict[str, tuple[int, int]]:
        """{node: (tasks at work, room for tasks)}; {} where there is only this machine."""
        return {}


def executor(
    tasks: float,
    log: str | Path,
    workers: int | None = None,
    cluster: str | None = None,
    file: str | Path | None = None,
    **more: Any,
) -> Executor[Any]:
    """What can do so many ``tasks``: processes of this machine or, with its address, a cluster. ``workers`` is the most
    tasks at a time; without it, as many as there are cores (here 8 at most).

    Raises InputError: there is no cluster at the address, a package is missing, its ``file`` is not right.
    """
    if cluster is None:
        from muslin.executors.processes import Processes, cores

        return Processes(int(max(1, min(workers or min(cores(), 8), tasks))), log)
    from muslin.executors.cluster import Cluster

    return Cluster(cluster, workers, log, file, **more)
