"""What limits a large sweep: asks a second, writes a second of the storage, tasks a second; and trials an hour by the
same workers as processes of this machine and through Dask.

    python -m benchmarks.cluster [--storage URL]     an empty PostgreSQL database, too

Everything is measured from one process, the sweep's parent.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.contest import arguments, machine, note, parser, save, table
from muslin.executors import executor
from muslin.executors.jobs import Jobs
from muslin.files import write_json
from muslin.sweeps import directory, search
from muslin.sweeps.file import schema
from muslin.sweeps.trial_store import Trial

ROOT = Path(__file__).parents[1]
SWEEP = {
    "method": "random",
    "metric": {"name": "val_accuracy", "goal": "maximize"},
    "parameters": {
        "dataset": {"value": "digits"},
        "epochs": {"value": 4},
        "hidden_size": {"values": [16, 32, 64]},
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "optimizer": {"values": ["sgd", "adam", "nadam", "rmsprop"]},
        "activation": {"values": ["relu", "tanh", "sigmoid"]},
        "weight_decay": {"min": 0.0, "max": 0.1},
    },
}
#: trials of which a search knows; of a trial's life in the storage; tasks; trials of a sweep
KNOWN, LIVES, TASKS, TRIALS = (100, 1_000, 10_000), 200, 1_000, 40


def nothing(task, parent):
    """The shortest task."""
    return {"done": {}, "stopped": None}


def asks(method, known, n):
    """Asks a second where so many trials have ended."""
    sweep, rng = schema.parse(SWEEP | {"method": method}), np.random.default_rng(0)
    found, drawn = search.SEARCHES[method](sweep, 0, "tpe"), search.SEARCHES["random"](sweep, 1, "tpe")
    for number in range(known):
        asked = drawn.ask(number)
        found.tell(Trial(number, asked.config, "", asked.params, "finished", [], float(rng.random())))
    began = time.perf_counter()
    for number in range(known, known + n):
        found.ask(number)
    return n / (time.perf_counter() - began)


def lives(folder, url=None):
    """Trials a second that the storage takes from their beginning to their end: taken, stored, ended."""
    where, study = directory.begin(schema.parse(SWEEP), "lives", folder, storage=url)
    draws, began = search.SEARCHES["random"](where.sweep, 0, "tpe"), time.perf_counter()
    for _ in range(LIVES):
        number = study.take(lambda n: True)
        trial = study.start(number, draws.ask(number), f"r{number}")
        trial.state, trial.value = "finished", 0.5
        study.end(trial)
    return LIVES / (time.perf_counter() - began)


def tasks(folder, **who):
    """Tasks a second that do nothing: what the parent, the engine and a worker need for one. The start of the workers
    is left out: the difference of many and few."""
    os.environ["PYTHONPATH"] = str(ROOT)
    task, times = {"function": "benchmarks.cluster:nothing"}, []
    for n in (TASKS // 10, TASKS):
        pool = executor(n, folder / "workers.log", **who)
        pool.ahead, began = True, time.perf_counter()
        Jobs({i: task | {"run": str(folder / str(i))} for i in range(n)}, pool).run()
        times.append(time.perf_counter() - began)
    return (TASKS - TASKS // 10) / (times[1] - times[0])


def hour(folder, *words):
    """Trials an hour of ``muslin sweep``, the start of its processes left out."""
    write_json(folder / "sweep.json", SWEEP)
    times = []
    for n in (TRIALS // 4, TRIALS):
        line = [sys.executable, "-m", "muslin", "sweep", "sweep.json", "--count", str(n), "--name", f"n{n}", *words]
        began = time.perf_counter()
        subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return 3600 * (TRIALS - TRIALS // 4) / (times[1] - times[0])


def main():
    made = parser(__doc__)
    made.add_argument("--storage", metavar="URL", help="an empty PostgreSQL database")
    given, results = arguments(made), {}

    def measured(what, function, *arguments, **options):
        with tempfile.TemporaryDirectory() as folder:
            results[what] = function(*(Path(folder) if a is None else a for a in arguments), **options)
        note(f"{what}: {results[what]:,.1f}")

    measured("asks a second, random", asks, "random", 0, 2_000)
    for known in KNOWN:
        measured(f"asks a second, bayes, {known:,} trials", asks, "bayes", known, 20 if known < 5_000 else 3)
    measured("trials a second, SQLite", lives, None)
    if given.storage:
        measured("trials a second, PostgreSQL", lives, None, given.storage)
    for n in (1, 2):
        measured(f"tasks a second, {n} processes", tasks, None, workers=n)
        measured(f"tasks a second, Dask, local:{n}", tasks, None, cluster=f"local:{n}")
        measured(f"trials an hour, --workers {n}", hour, None, "--workers", str(n))
        measured(f"trials an hour, --cluster local:{n}", hour, None, "--cluster", f"local:{n}")
    text = "# Sweeps: what limits\n\n" + table(
        ["", "rate"], *([name, f"{rate:,.1f}"] for name, rate in results.items())
    )
    save("cluster", machine(given.peers_python), results, text)


if __name__ == "__main__":
    main()
