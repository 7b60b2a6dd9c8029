"""A machine that others use too: a step as muslin takes it and on one thread, beside 0, 2 and 8 processes that work.

The two take turns; the ratio is formed turn by turn. It should never be far above 1.
"""

import subprocess
import sys
from contextlib import contextmanager
from statistics import median

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Samples, arguments, machine, note, parser, save, table
from benchmarks.options import SAMPLES, microseconds
from muslin.engines import blas

LOADS = (0, 2, 8)
#: what a process of the load does; it ends by itself
WORK = "import time\nend = time.time() + 120\nwhile time.time() < end: pass"


def main():
    given = arguments(parser(__doc__))
    about, data = machine(given.peers_python), Samples()
    X, y = (array[:SAMPLES] for array in data.train)
    results = {}
    for n in LOADS:
        with load(n):
            for name in "ABCE":
                turns = [pair(CONFIGURATIONS[name], X, y) for _ in range(given.rounds)]
                one, ours = (median(times) for times in zip(*turns, strict=True))
                results[f"{name}, {n}"] = [one, ours, median(b / a for a, b in turns)]
                note(f"{name} beside {n}: {results[f'{name}, {n}'][2]:.2f}")
    rows = [[case, f"{one:,.0f}", f"{ours:,.0f}", f"{ratio:.2f}"] for case, (one, ours, ratio) in results.items()]
    heading = ["configuration, other processes", "one thread, µs", "as it comes, µs", "×"]
    text = "# Busy machines\n\nMicroseconds a step; medians of the rounds.\n\n" + table(heading, *rows)
    save("busy", about | {"data": data.name, "rounds": given.rounds}, results, text)


def pair(configuration, X, y):
    with blas.threads(1):
        one = microseconds(configuration, X, y, {})
    return one, microseconds(configuration, X, y, {})


@contextmanager
def load(n):
    processes = [subprocess.Popen([sys.executable, "-c", WORK]) for _ in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
