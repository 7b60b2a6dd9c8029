"""A cluster of Dask's as an executor: tasks of ours are tasks of Dask's, which knows who is there, who is free and who
died, and gives what a dead node had to another one.

What is ours here: the events of a task put in the order of a worker's messages; run directories that come back where
there is no shared disk; and after a loss of the scheduler, everything once more.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from muslin import __version__
from muslin.errors import InputError, note, visible
from muslin.executors import places
from muslin.executors.executor import Executor, Message
from muslin.files import write_bytes

if TYPE_CHECKING:
    from distributed import Future

#: seconds: between two looks at who is there; for a connection; without a scheduler until it is given up
LOOK, CONNECT, PATIENCE = 1.0, 10, 600
#: words a second that all nodes together say on how far their tasks are
WORDS = 500
#: nodes that are named to a person
NAMED = 8


class Task:
    """A task at the cluster: who does it, and what may be said to whom; a worker as executors have them."""

    def __init__(self, cluster: "Cluster", task: dict[str, Any]):
        self.cluster, self.task, self.key = cluster, task, ""
        self.future: Future | None = None
        self.address: str | None = None
        self.code: int | None = None
        self.group: int | None = None
        self.row: int | None = None  # the number of the last row, and what was said to it
        self.answer: dict[str, Any] = {}
        self.node, self.since = "", float("inf")

    def send(self, message: dict[str, Any]) -> None:
        if "end" in message:
            self.cluster.tell(self, message)
        elif self.row is not None:
            self.answer = message | {"answers": self.row}
            self.cluster.tell(self, self.answer)

    def kill(self) -> None:
        self.cluster.forget(self)
        self.cluster.messages.put((self, None))


class Cluster(Executor[Task]):
    """``asks``: whether the parent is to answer every row, for it may stop a task.

    Raises InputError: there is no scheduler, a package is missing, the ``file`` of the nodes is not right.
    """

    def __init__(
        self,
        where: str,
        most: int | None = None,
        log: str | Path = "workers.log",
        file: str | Path | None = None,
        asks: bool = False,
    ):
        super().__init__()
        self.most, self.log, self.asks = most, Path(log), asks
        self.topic, self.numbers = f"muslin-{secrets.token_hex(8)}", count()
        self.tasks: dict[str, Task] = {}
        self.room: Counter[str] = Counter()  # threads of each node
        self.workers = 0  # of Dask's
        self.client: Any = None  # a Client of Dask's
        self.lost: float | None = None  # when the scheduler was
        self.proof = self.log.parent.absolute() / f".{self.topic}"  # who sees this file shares the disk
        self.place = places.Place(where, file)
        try:
            self._connect(CONNECT)
            self.proof.touch()
        except BaseException:
            self.stop()
            raise

    def _connect(self, timeout: float) -> None:
        from muslin.executors import node

        self.node, self.client = node, self.place.client(timeout)
        self.client.subscribe_topic(self.topic, self._event)
        try:
            self.client.register_plugin(node.Watch(self.topic))
        except OSError:
            raise
        except Exception as error:  # of the node's
            raise InputError(f"A node of {self.place.address} cannot run muslin: {visible(str(error))}.") from error
        self._look()

    def _look(self) -> None:
        """Who is there."""
        self.looked, there = time.monotonic(), self.client.scheduler_info(n_workers=-1)["workers"]
        if self.workers and not there and self.place.maximum == 0:
            note(f"every node of {self.place.address} is gone; waiting for one.")
        self.workers, self.room = len(there), Counter()
        for address, worker in there.items():
            self.room[host(address)] += worker["nthreads"]

    def __str__(self) -> str:
        there = ", ".join(f"{n} at {node}" for node, n in [*self.room.items()][:NAMED]) or "nobody yet"
        seen = "dashboard" in self.client.scheduler_info(n_workers=0)["services"]
        dashboard = f"; dashboard {self.client.dashboard_link}" if seen else ""
        return f"{there}{', …' * (len(self.room) > NAMED)}{dashboard}"

    @property
    def size(self) -> int:
        """Tasks at a time: the cluster's threads, or what it can grow to; where nobody is there yet, one waits."""
        threads = self.place.room(self.workers, self.room.total())
        ahead = -(-threads // 4) if self.ahead else 0
        return min(threads + ahead, self.most or threads + ahead)

    @property
    def free(self) -> int:
        return 0 if self.lost else self.size - len(self.busy)

    def nodes(self) -> dict[str, tuple[int, int]]:
        taken = Counter(task.node for task in self.busy)
        return {node: (taken[node], self.room.get(node, 0)) for node in sorted({*self.room, *taken} - {""})}

    def give(self, item: Any, task: dict[str, Any]) -> None:
        placed = Task(self, task | {"run": os.path.abspath(task["run"])})
        self.busy[placed] = item
        self._submit(placed)

    def _submit(self, task: Task) -> None:
        task.key = f"{self.topic}-{next(self.numbers)}"
        self.tasks[task.key] = task
        place: dict[str, Any] = {"topic": self.topic, "version": __version__, "folder": os.getcwd()}
        place |= {"proof": str(self.proof), "word": max(1.0, self.size / WORDS)}
        place |= {"metric": task.task.get("metric"), "asks": self.asks}
        task.since, task.node, task.address = float("inf"), "", None

        def submit():
            task.future = self.client.submit(self.node.work, task.task, place, key=task.key, pure=False)
            task.future.add_done_callback(lambda future: self._over(task, future))

        self._reach(submit)

    def next(self, timeout: float) -> tuple[Task | None, Message]:
        if self.lost:
            self._again()
        elif time.monotonic() > self.looked + LOOK:
            self._reach(self._look)
        task, message = super().next(min(timeout, LOOK))
        if task and message and "again" in message:  # an answer was lost
            self.tell(task, task.answer)
            return None, None
        if task and message and "row" in message:
            task.row = message.get("number")
        return task, message

    def done(self, worker: Task, dead: bool = False) -> Any:
        self.forget(worker)
        return super().done(worker, dead)

    def tell(self, task: Task, message: dict[str, Any]) -> None:
        """Say something to the process of a task."""
        if task.address and not self.lost:
            run = partial(self.client.run, workers=[task.address], wait=False, on_error="ignore")
            self._reach(lambda: run(self.node.tell, task.key, message))

    def forget(self, task: Task) -> None:
        """The task is no longer wanted: Dask releases it, and where it runs it is ended."""
        self.tasks.pop(task.key, None)
        future, task.future = task.future, None
        if future and not future.done():
            self._reach(future.cancel)

    def stop(self) -> None:
        for task in [*self.busy]:
            self.forget(task)
        self.busy = {}
        if self.client:
            with suppress(Exception):
                self._reach(lambda: self.client.unregister_worker_plugin(self.topic))  # with its processes
            with suppress(Exception):
                self.client.close()
        self.place.close()
        with suppress(OSError):
            self.proof.unlink()

    # In threads of Dask's

    def _event(self, event: tuple[Any, dict[str, Any]]) -> None:
        """What a node says of a task."""
        message = dict(event[1])
        task = self.tasks.get(message.pop("key"))
        if task is None:
            return
        address = message.pop("address")
        if address != task.address:
            task.address, task.node, task.since = address, host(address), time.monotonic()
        for part in [{"row": row} for row in message["rows"]] if "rows" in message else [message]:
            self.messages.put((task, part))

    def _over(self, task: Task, future: "Future") -> None:
        if future is not task.future:
            return
        if future.status == "cancelled":
            self.lost = self.lost or time.monotonic()
            return
        try:
            for message in self._last(task, future):
                self.messages.put((task, message))
        except Exception as error:  # of no task's: what it gave could not be had, or kept
            self.messages.put((task, {"failed": f"{task.node or 'A node'}: {visible(str(error))}", "fatal": True}))

    def _last(self, task: Task, future: "Future") -> list[Message]:
        """The last messages of a task."""
        from distributed import KilledWorker

        try:
            message = future.result()
        except KilledWorker:  # Dask has tried it again and again
            return [None]
        except ImportError as error:
            raise InputError(f"it needs muslin, as it is here ({error})") from error
        rows, files = {"begin": message.pop("rows", [])}, message.pop("files", {})
        if "died" in message:
            task.code = message["died"]
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(message["said"])
            return [None]
        for name in sorted(files, key=lambda name: name == "summary.json"):  # which says that all is there
            write_bytes(inside(Path(task.task["run"]), name), files[name])
        return [rows, message]

    # Without a scheduler

    def _reach(self, action: Callable[[], Any]) -> None:
        """Do it, if there is a scheduler; what is not done for want of one is made up for when there is one again."""
        try:
            if self.client.status != "running":
                raise OSError("no scheduler")
            action()
        except (OSError, TimeoutError):
            self.lost = self.lost or time.monotonic()

    def _again(self) -> None:
        """If the scheduler is back, give it everything once more."""
        gone = time.monotonic() - (self.lost or 0.0)
        if gone > PATIENCE:
            raise InputError(f"The scheduler of {self.place.address} has been gone for {PATIENCE:g} seconds.")
        with suppress(Exception):
            self.client.close(timeout=1)
        try:
            self._connect(2)
        except (InputError, OSError, TimeoutError):
            return
        self.lost = None
        note(f"the scheduler of {self.place.address} was gone for {gone:.0f} s, and is there again.")
        for task in [*self.busy]:
            self.tasks.pop(task.key, None)
            self._submit(task)


def host(address: str) -> str:
    """The node in a worker's address."""
    return urlsplit(address).hostname or address


def inside(folder: Path, name: str) -> Path:
    """The path of a file that a node has sent. Raises InputError where it leads out of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"it has sent {name!r}, which is not in the run directory")
    return path
