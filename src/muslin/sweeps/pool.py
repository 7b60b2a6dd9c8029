"""The worker processes, seen from their parent."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from muslin.sweeps.program import kill_group

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Worker:
    """Puts (worker, message) on the queue for each of its messages, and (worker, None) when it has ended."""

    def __init__(self, messages, threads, log):
        share = dict.fromkeys(THREADS, str(threads))
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "muslin.sweeps.worker"],
                env=os.environ | share,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C in the terminal is the parent's affair
            )
        self.group = None  # of a program that it runs
        self.since = 0.0  # when it was given its trial
        self.listener = threading.Thread(target=self._listen, args=[messages], daemon=True)
        self.listener.start()

    def _listen(self, messages):
        with self.process.stdout as lines, suppress(ValueError):  # a line may be cut off by its death
            for line in lines:
                messages.put((self, json.loads(line)))
        messages.put((self, None))

    def kill(self):
        """End it, and the program that it may run."""
        self.process.kill()
        self.process.wait()
        if self.group:
            kill_group(self.group)

    def send(self, message):
        """A worker that has died meanwhile says so by its end."""
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


class Pool:
    """Up to ``size`` workers, started when there is something to do, each with its share of the cores."""

    def __init__(self, size, log):
        self.size, self.log = size, Path(log)
        self.threads = max(1, cores() // size)
        self.messages = queue.SimpleQueue()
        self.idle, self.busy = [], {}  # worker → trial

    @property
    def free(self):
        return self.size - len(self.busy)

    @property
    def waits(self):
        """Whether a message of a worker waits to be read."""
        return not self.messages.empty()

    def give(self, trial, task):
        worker = self.idle.pop() if self.idle else Worker(self.messages, self.threads, self.log)
        self.busy[worker] = trial
        worker.since = time.monotonic()
        worker.send(task)

    def done(self, worker, dead=False):
        """The worker is free again, or gone. Returns the trial that it had."""
        trial = self.busy.pop(worker, None)
        if dead:
            self.idle = [other for other in self.idle if other is not worker]
            worker.stop()
        else:
            worker.group = None
            self.idle.append(worker)
        return trial

    def next(self, timeout):
        """(worker, message), or (None, None) if there is none in time."""
        try:
            return self.messages.get(timeout=timeout)
        except queue.Empty:
            return None, None

    def stop(self):
        workers = [*self.idle, *self.busy]
        for worker in workers:  # all at once
            worker.hint()
        for worker in workers:
            worker.stop()
        self.idle, self.busy = [], {}
