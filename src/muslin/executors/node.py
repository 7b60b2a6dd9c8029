"""What runs at a node of a cluster. A task of Dask's is here a thread that waits for a process of ours, see worker.py:
a process can be killed while it trains, has threads of its own number, and may run out of memory alone.

What the process says goes to the parent as events of Dask's. Where a task is released (its parent is gone, or wants it
no more) its process is killed; where a node dies, Dask gives the task to another one.
"""

import os
import queue
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from muslin import __version__
from muslin.executors.executor import Message
from muslin.executors.processes import Process

#: key of a task → (Dask's worker, process) that is at work at it
RUNNING: dict[str, tuple[str, "Trainer"]] = {}
#: address of Dask's worker → topics of the parents that use it
PARENTS: dict[str, set[str]] = {}
#: (address of Dask's worker, folder) → processes that wait for a task, of any parent
IDLE: dict[tuple[str, str | None], list["Trainer"]] = {}
#: seconds after which an answer is asked for again
ASK = 10.0
#: what of a run directory stays at its node; bytes of a log that are sent along with a death
LEFT, TAIL = ("checkpoint.safetensors",), 2000


class Watch(WorkerPlugin):
    """Ends the process of a task that is no longer wanted, and all of them with their worker, or the last parent."""

    idempotent = True

    def __init__(self, topic: str):
        self.name = self.topic = topic

    def setup(self, worker: Worker) -> None:
        PARENTS.setdefault(worker.address, set()).add(self.topic)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        if self._ours(key) and start in ("executing", "long-running") and finish == "released":
            _kill(key)

    def teardown(self, worker: Worker) -> None:
        for key in [key for key, (address, _) in RUNNING.items() if address == worker.address and self._ours(key)]:
            _kill(key)
        PARENTS[worker.address].discard(self.topic)
        for place in [place for place in IDLE if place[0] == worker.address and not PARENTS[worker.address]]:
            for process in IDLE.pop(place):
                process.stop()

    def _ours(self, key: Any) -> bool:
        return key in RUNNING and key.startswith(self.topic)


def _kill(key: str) -> None:
    with suppress(KeyError):
        RUNNING[key][1].kill()


async def tell(key: str, message: dict[str, Any]) -> None:
    """The parent's word to the process of a task, run at its node. An answer is to the row of its number alone."""
    process = RUNNING[key][1] if key in RUNNING else None
    if process and message.pop("answers", None) == process.asks:
        process.asks = None
        process.send(message)
    elif process and "end" in message:
        process.send(message)


def work(task: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    """Dask's task: have a process do the muslin task ``task``. Returns its last message, and beside it

    rows   the metric's value of every row
    files  {path: content} of the run directory where the parent's disk is not ours, too

    ``place``: topic of the events; version of muslin; folder that the parent works in; metric; asks, whether each row
    is to be answered by the parent, else the seconds between two words on how far it is; proof, a file that is there
    where the disk is the parent's.
    """
    worker = get_worker()
    key, shared = str(worker.get_current_task()), os.path.exists(place["proof"])
    if __version__ != place["version"]:
        versions = f"{__version__}, not {place['version']}"
        return {"failed": f"The worker {worker.address} has muslin {versions}.", "fatal": True}
    run = Path(task["run"] if shared else Path(worker.local_directory, "muslin", key, Path(task["run"]).name))

    def event(**message: Any) -> None:
        worker.log_event(place["topic"], {"key": key, "address": worker.address, **message})

    with _process(worker, key, place["folder"]) as process:
        process.send(task | {"run": str(run)})
        message = _listen(process, event, place)
    if not shared:
        message["files"] = content(run) if "died" not in message else {}
        if "failed" in message:  # for want of a file, perhaps
            message["failed"] = f"{worker.address}, which does not see {place['folder']}: {message['failed']}"
        shutil.rmtree(run.parent, ignore_errors=True)
    return message


@contextmanager
def _process(worker: Worker, key: str, folder: str) -> Iterator["Trainer"]:
    """A process for a task: one that waits, or a new one. One that lives on waits for the next."""
    where = worker.address, folder if os.path.isdir(folder) else None
    waiting = IDLE.setdefault(where, [])
    process = waiting.pop() if waiting else None
    if process is None or process.process.poll() is not None:
        process = Trainer(worker, where[1])
    RUNNING[key] = worker.address, process
    try:
        yield process
    finally:
        del RUNNING[key]
        if process.dead or waiting is not IDLE.get(where):  # the last parent is gone
            process.stop()
        else:
            process.group = None
            waiting.append(process)


class Trainer(Process):
    """``dead``: whether it has ended; ``asks``: the number of the row that waits for the parent's answer."""

    def __init__(self, worker: Worker, folder: str | None):
        self.log = Path(worker.local_directory, "muslin.log")
        self.messages: queue.SimpleQueue[tuple[Process, Message]] = queue.SimpleQueue()
        self.dead, self.asks = False, None  # type: bool, int | None
        threads = os.environ.get("OPENBLAS_NUM_THREADS", "1")  # as Dask's worker was started with
        super().__init__(self.messages, threads, self.log, folder)


def _listen(process: Trainer, event: Callable[..., None], place: dict[str, Any]) -> dict[str, Any]:
    """What the process says, until its last message."""
    values: list[dict[str, Any]] = []
    told, word = 0, 0.0
    event(begin=[])
    while True:
        message = _next(process, event)
        if message is None:
            process.dead = True
            process.process.wait()
            return {"died": process.code, "said": _tail(process.log), "rows": values}
        if "begin" in message:
            values = [_figures(row, place["metric"]) for row in message["begin"]]
            told = len(values)
            event(begin=values)
        elif "row" in message:
            values.append(_figures(message["row"], place["metric"]))
            if place["asks"]:
                process.asks = len(values)
                event(row=message["row"], number=len(values))
                continue
            process.send({"stop": None})
            if time.monotonic() > word + place["word"]:
                event(rows=values[told:])
                told, word = len(values), time.monotonic()
        elif "group" in message:
            process.group = message["group"]
        else:
            return message | {"rows": values}


def _next(process: Trainer, event: Callable[..., None]) -> Message:
    """The next message of a process; meanwhile the parent is asked again for an answer that may be lost."""
    while True:
        with suppress(queue.Empty):
            return process.messages.get(timeout=ASK)[1]
        if process.asks:
            event(again=True)


def _figures(row: dict[str, Any], metric: str | None) -> dict[str, Any]:
    return {metric: row[metric]} if metric is not None and metric in row else {}


def _tail(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return file.read().decode("utf-8", "replace")


def content(folder: Path) -> dict[str, bytes]:
    """{path in the folder: content} of its files; links are left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name not in LEFT}
