"""Worker processes of this machine, seen from their parent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from muslin.executors.executor import Executor
from muslin.runs.machine import cores

__all__ = ["Process", "Processes", "cores", "kill_group"]

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Process:
    """Puts (process, message) on the queue for each of its messages, and (process, None) when it has ended."""

    node = ""

    def __init__(self, messages, threads, log, folder=None):
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
        self.group = None  # of a program that it runs
        self.since = 0.0  # when it was given its task
        self.listener = threading.Thread(target=self._listen, args=[messages], daemon=True)
        self.listener.start()

    def _listen(self, messages):
        with self.process.stdout as lines, suppress(ValueError):  # a line may be cut off by its death
            for line in lines:
                messages.put((self, json.loads(line)))
        messages.put((self, None))

    @property
    def code(self):
        return self.process.returncode

    def kill(self):
        """End it, and the program that it may run."""
        self.process.kill()
        self.process.wait()
        if self.group:
            kill_group(self.group)

    def send(self, message):
        """A process that has died meanwhile says so by its end."""
        with suppress(OSError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def stop(self):
        """It exits when its standard input ends."""
        self.hint()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.kill()
        self.listener.join()

    def hint(self):
        with suppress(OSError):
            self.process.stdin.close()


class Processes(Executor):
    """Up to ``size`` processes, started when there is something to do, each with its share of the cores."""

    def __init__(self, size, log):
        super().__init__()
        self.size, self.log = size, Path(log)
        self.threads = max(1, cores() // size)
        self.idle = []

    @property
    def free(self):
        return self.size - len(self.busy)

    def give(self, item, task):
        worker = self.idle.pop() if self.idle else Process(self.messages, self.threads, self.log)
        self.busy[worker] = item
        worker.since = time.monotonic()
        worker.send(task)

    def done(self, worker, dead=False):
        item = super().done(worker)
        if dead:
            self.idle = [other for other in self.idle if other is not worker]
            worker.stop()
        else:
            worker.group = None
            self.idle.append(worker)
        return item

    def stop(self):
        workers = [*self.idle, *self.busy]
        for worker in workers:  # all at once
            worker.hint()
        for worker in workers:
            worker.stop()
        self.idle, self.busy = [], {}


def kill_group(group):
    """End all processes of a group, if there are any."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
