"""How the time of training grows with samples, layers, width, batch size and workers.

Samples come from a memory-mapped file, up to 64 times Fashion-MNIST (3 GB, in a temporary folder).
"""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Contestant, Samples, arguments, contest, machine, note, parser, save, table, take_turns

BASE = CONFIGURATIONS["B"]
#: what grows → {its value: configuration}
AXES = {
    "layers": {n: replace(BASE, hidden=(128,) * n) for n in (1, 2, 3, 4, 6, 8)},
    "width": {n: replace(BASE, hidden=(n,) * 3) for n in (32, 64, 128, 256, 512, 1024)},
    "batch": {n: replace(BASE, batch=n) for n in (8, 16, 32, 64, 128, 256, 512, 1024)},
}
#: times Fashion-MNIST
TIMES = (1, 4, 16, 64)
#: samples of a turn, where samples do not grow
TURN = 12_800


def main():
    made = parser(__doc__)
    made.add_argument("--times", type=int, default=TIMES[-1], help=f"largest multiple of the samples ({TIMES[-1]})")
    given = arguments(made)
    about, data = machine(given.peers_python), Samples()
    results = {"samples": samples(data, given), "workers": workers(data, given)}
    for axis, configurations in AXES.items():
        results[axis] = {value: shape(c, data, given) for value, c in configurations.items()}
        note(f"{axis}: done")
    save("growth", about | {"data": data.name, "rounds": given.rounds}, results, report(results))


def shape(configuration, data, given):
    """One network: microseconds a sample with the better number of threads, and nanoseconds a sample and parameter."""
    with contest(["muslin"], given.threads, data.work(configuration, TURN), given.peers_python) as contestants:
        take_turns(contestants, given.rounds)
    microseconds, threads = min(
        (c.median("microseconds") / configuration.batch, c.threads) for c in contestants if not c.out
    )
    sizes = (784, *configuration.hidden, 10)
    parameters = sum((n + 1) * m for n, m in pairwise(sizes))
    return {"microseconds": microseconds, "threads": threads, "nanoseconds": 1000 * microseconds / parameters}


def samples(data, given):
    """Epochs over 1 … 64 times as many samples, all from one file: time a sample, and memory after the epochs."""
    folder, times = Path(data.folder) / "many", [n for n in TIMES if n <= given.times]
    needed = times[-1] * data.n * 784
    if shutil.disk_usage(data.folder).free < 1.2 * needed:
        note(f"samples: left out, there are no {1.2 * needed / 1e9:.1f} GB free for the file.")
        return {}
    folder.mkdir()
    X, y = (np.load(f"{data.folder}/{name}.npy") for name in "Xy")
    np.save(folder / "y.npy", np.tile(y, times[-1]))
    file = np.lib.format.open_memmap(folder / "X.npy", "w+", np.uint8, (times[-1] * data.n, X.shape[1]))
    for i in range(times[-1]):
        file[i * data.n : (i + 1) * data.n] = X
    file.flush()
    del file
    works = {n: data.work(BASE, n * data.n, data=str(folder)) for n in times}
    once = Contestant("muslin", given.threads[-1], works[1], given.peers_python)
    once.answer()
    found = {n: epochs(work, once, given) for n, work in works.items()}
    once.close()
    shutil.rmtree(folder)
    return found


def epochs(work, once, given):
    """Epochs over so many samples, the first not counted. Each is between two over the samples once, which take as long
    as the host lets them at that time: the ratio is formed with their mean."""
    contestant = Contestant("muslin", given.threads[-1], work, given.peers_python)
    first, ratios = contestant.answer(), []
    for _ in range(given.rounds):
        around = [microseconds(once), microseconds(contestant), microseconds(once)]
        ratios.append(2 * around[1] / (around[0] + around[2]))
    contestant.close()
    batch, last = work["batch"], contestant.turns[-1]
    note(f"samples {work['samples']:,}: done")
    return {
        "samples": work["samples"],
        "microseconds": contestant.median("microseconds") / batch,
        "first epoch": first["microseconds"] / batch,
        "ratio": median(ratios),
        "ratios": ratios,
        "memory": last["memory"],
    }


def microseconds(contestant):
    """A step's, in one turn more."""
    contestant.turn()
    return contestant.turns[-1]["microseconds"]


def workers(data, given):
    """Two processes with one thread each against one: what both train together in the time that one trains 1."""
    found = {}
    for name in ("A", "B", "D"):
        work = data.work(CONFIGURATIONS[name])
        pair = [Contestant("muslin", 1, work, given.peers_python) for _ in range(2)]
        gains = []
        for contestant in pair:
            contestant.answer()
        for _ in range(given.rounds):
            pair[0].turn()
            for contestant in pair:
                contestant.go()
            together = [contestant.answer()["microseconds"] for contestant in pair]
            gains.append(pair[0].turns[-1]["microseconds"] * sum(1 / each for each in together))
        for contestant in pair:
            contestant.close()
        found[name] = {"gain": median(gains), "rounds": gains}
    note("workers: done")
    return found


def report(results):
    def shapes(axis):
        rows = [
            [value, f"{r['microseconds']:.2f} ({r['threads']})", f"{r['nanoseconds']:.3f}"]
            for value, r in results[axis].items()
        ]
        return table([axis, "µs a sample (threads)", "ns a sample and parameter"], *rows)

    many = [
        [
            f"{r['samples']:,}",
            *(f"{r[key]:.2f}" for key in ("ratio", "microseconds", "first epoch")),
            *(f"{r['memory'][key]:,.0f}" for key in ("own", "files")),
        ]
        for r in results["samples"].values()
    ]
    gains = [[name, f"{r['gain']:.2f}"] for name, r in results["workers"].items()]
    return "\n\n".join(
        [
            "# Growth of training",
            f"Where nothing else is said: {BASE}. Times are medians of the rounds. ×: the multiple of the time of the "
            "epochs over the first number of samples just before and after. Mapped files: what of the samples and of "
            "the libraries lies in memory; the system may take it back at any time.",
            table(["samples", "×", "µs a sample", "in the first epoch", "own memory, MiB", "mapped files, MiB"], *many),
            *map(shapes, AXES),
            "Workers: what two processes with a thread each train in the time in which one trains 1.",
            table(["", "two workers"], *gains),
        ]
    )


if __name__ == "__main__":
    main()
