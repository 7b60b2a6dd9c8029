"""Trainings, sweeps and pages, one after the other in one process, for as long as is asked: does anything grow?

python tests/durability/soak.py MINUTES: prints a line a round, and at the end one JSON object, the median of each
figure over the second and over the last quarter of the rounds.
"""

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import muslin
from muslin import datasets, runs
from muslin.network import FeedForwardNeuralNetwork
from muslin.report import run_report
from muslin.runs.settings import Settings
from muslin.sweeps.report import write

SPACE = {
    "dataset": {"value": "digits"},
    "epochs": {"value": 2},
    "hidden_size": {"values": [8, 16]},
    "learning_rate": {"min": 0.001, "max": 0.01, "distribution": "log_uniform_values"},
}
METRIC = {"name": "val_accuracy", "goal": "maximize"}


def parabola(config):
    for step in range(3):
        yield (config["x"] - 1) ** 2 + 1 / (step + 1)


def once(folder, number):
    """A round: fits in both engines, a run with its test and page, a sweep of workers and one of a function."""
    random = np.random.default_rng(number)
    for engine in ("numpy", "numba"):
        X, y = random.random((2000, 64), np.float32), random.integers(0, 10, 2000)
        network = FeedForwardNeuralNetwork([64, 32, 10], engine=engine)
        network.fit(X, y, epochs=2, batch_size=32 + number % 7, optimizer="adam", seed=number)
        network.predict(X)
    settings = Settings.read({"dataset": "digits", "epochs": 2, "seed": number})
    data = settings.load_data()
    run = runs.create(settings, data, folder, "run")
    runs.train(run, data)
    runs.evaluate_test(run, data)
    run_report.write(run)
    sweep = {"method": "random", "metric": METRIC, "parameters": SPACE}
    muslin.sweep(sweep, count=2, workers=1, name="sweep", runs_dir=folder, seed=number)
    space = {"x": {"min": 0.0, "max": 2.0}}
    searched = {"method": "bayes", "metric": {"name": "loss", "goal": "minimize"}, "parameters": space}
    muslin.sweep(searched, parabola, count=3, name="function", runs_dir=folder, seed=number)
    write(folder / "sweep")


def figures(folder):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "MiB": int(status["VmRSS"].split()[0]) / 1024,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": int(status["Threads"]),
        "files": sum(1 for _ in folder.rglob("*")),
    }


def soak(minutes):
    rows, end = [], time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        tempfile.tempdir, number = place, 0
        while time.monotonic() < end or number < 4:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                once(Path(folder), number)
            gc.collect()
            rows.append(figures(Path(place)))
            print(
                number, " ".join(f"{key} {value:.1f}" for key, value in rows[-1].items()), file=sys.stderr, flush=True
            )
            number += 1
    quarter = max(1, number // 4)
    then, now = rows[quarter : 2 * quarter], rows[-quarter:]
    kept = {key: [median(row[key] for row in part) for part in (then, now)] for key in rows[0]}
    return {"rounds": number, "minutes": minutes} | kept


if __name__ == "__main__":
    datasets.load("digits")
    print(json.dumps(soak(float(sys.argv[1]))))
