"""Worker processes of this machine, seen from their parent."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from muslin.executors.executor import Executor, Message
from muslin.runs.machine import cores

__all__ = ["Process", "Processes", "cores", "kill_group"]

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Process:
    """Puts (process, message) on the queue for each of its messages, and (process, None) when it has ended."""

    node = ""

    def __init__(self, messages: "queue.SimpleQueue[Any]", threads: int | str, log: Path, folder: str | None = None):
        share = dict.fromkeys(THREADS, str(threads))
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "muslin.executors.worker"],
                env=os.environ | share,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                start_new_session=True,  # Ctrl-C in the terminal is the parent's affair
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.tasks, self.lines = self.process.stdin, self.process.stdout
        self.group: int | None = None  # of a program that it runs
        self.since = 0.0  # when it was given its task
        self.listener = threading.Thread(target=self._listen, args=[messages], daemon=True)
        self.listener.start()

    def _listen(self, messages: "queue.SimpleQueue[tuple[Process, Message]]") -> None:
        with self.lines as lines, suppress(ValueError):  # a line may be cut off by its death
            for line in lines:
                messages.put((self, json.loads(line)))
        messages.put((self, None))

    @property
    def code(self) -> int | None:
        return self.process.returncode

    def kill(self) -> None:
        """End it, and the program that it may run."""
        self.process.kill()
        self.process.wait()
        if self.group:
            kill_group(self.group)

    def send(self, message: dict[str, Any]) -> None:
        """A process that has died meanwhile says so by its end."""
        with suppress(OSError):
            self.tasks.write(json.dumps(message).encode() + b"\n")
            self.tasks.flush()

    def stop(self) -> None:
        """It exits when its standard input ends."""
        self.hint()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.kill()
        self.listener.join()

    def hint(self) -> None:
        with suppress(OSError):
            self.tasks.close()


class Processes(Executor[Process]):
    """Up to ``size`` processes, started when there is something to do, each with its share of the cores."""

    def __init__(self, size: int, log: str | Path):
        super().__init__()
        self.size, self.log = size, Path(log)
        self.threads = max(1, cores() // size)
        self.idle: list[Process] = []

    @property
    def free(self) -> int:
        return self.size - len(self.busy)

    def give(self, item: Any, task: dict[str, Any]) -> None:
        worker = self.idle.pop() if self.idle else Process(self.messages, self.threads, self.log)
        self.busy[worker] = item
        worker.since = time.monotonic()
        worker.send(task)

    def done(self, worker: Process, dead: bool = False) -> Any:
        item = super().done(worker)
        if dead:
            self.idle = [other for other in self.idle if other is not worker]
            worker.stop()
        else:
            worker.group = None
            self.idle.append(worker)
        return item

    def stop(self) -> None:
        workers = [*self.idle, *self.busy]
        for worker in workers:  # all at once
            worker.hint()
        for worker in workers:
            worker.stop()
        self.idle, self.busy = [], {}


def kill_group(group: int) -> None:
    """End all processes of a group, if there are any."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
