"""What every peer's process speaks, so that peers can take turns.

A process is started with its work, one JSON object, as its argument. It works one turn (an epoch), answers with one
line of JSON, and waits for a line before the next turn. At the end of the input it ends. NumPy is imported late:
muslin wants to be first.
"""

import json
import os
import sys
import time
from functools import cached_property
from types import SimpleNamespace

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print is no answer


def serve(**tasks):
    """Do the work that this process was started for:  serve(train=train, predict=predict)."""
    work = Work(**json.loads(sys.argv[1]))
    tasks[work.task](work)


class Work(SimpleNamespace):
    """The fields of a `Configuration`, the peer's own options, and:

    task, threads   what to do, with how many threads
    data            folder of X.npy (uint8), y.npy, X_test.npy; ``X`` and ``y`` are the first ``samples`` rows
    samples         of an epoch, a multiple of the batch
    start, save     .npz of the initial parameters; where the first turn's result is kept, or with ``every_turn`` each
    """

    @cached_property
    def steps(self):
        return self.samples // self.batch

    @cached_property
    def X(self):
        return self._load("X", mmap_mode="r")[: self.samples]

    @cached_property
    def y(self):
        return self._load("y")[: self.samples]

    @cached_property
    def layers(self):
        """[(W⁽ᵏ⁾ (n_k × n_{k−1}), b⁽ᵏ⁾ (n_k,))] to start from: the same for every peer."""
        import numpy as np

        with np.load(self.start) as file:
            arrays = list(file.values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    @staticmethod
    def floats(X):
        """uint8 images as float32 in 0…1."""
        import numpy as np

        X = X.astype(np.float32)
        X *= np.float32(1 / 255)
        return X

    def order(self, epoch):
        """The rows of each batch of an epoch, (steps × batch): those that muslin takes."""
        import numpy as np

        return np.random.default_rng([0, epoch, 0]).permutation(self.samples).reshape(self.steps, self.batch)

    def report(self, seconds, layers=None):
        """Answer after an epoch, then wait; True when there are no more turns.  layers(): as ``self.layers``."""
        if layers and self.save:
            self._keep(*(array for pair in layers() for array in pair))
        return self._answer(microseconds=1e6 * seconds / self.steps)

    def predict(self, predict, singles=1000):
        """Every turn of a task "predict": all test images at once, then one at a time.  predict(X) → probabilities."""
        import numpy as np

        X, done = self.floats(self._load("X_test")), False
        self._keep(predict(X))
        while not done:
            whole = _seconds(predict, X)
            each = [_seconds(predict, X[i : i + 1]) for i in range(singles)]
            p50, p99 = np.percentile(each, (50, 99))
            done = self._answer(whole=1e3 * whole, p50=1e6 * p50, p99=1e6 * p99)

    def _load(self, name, **how):
        import numpy as np

        return np.load(f"{self.data}/{name}.npy", **how)

    def _keep(self, *arrays):
        import numpy as np

        np.savez(self.save, *arrays)
        self.save = self.save if getattr(self, "every_turn", False) else None

    def _answer(self, **figures):
        print(json.dumps(figures | {"memory": _memory()}), file=ANSWERS, flush=True)
        return not sys.stdin.readline()


def _seconds(function, *arguments):
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def _memory():
    """MiB: the most this process ever had, and what of it is now its own and what mapped files."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {
        name: int(lines[key].split()[0]) / 1024
        for name, key in {"peak": "VmHWM", "own": "RssAnon", "files": "RssFile"}.items()
    }
