"""An epoch of the recipe fashion-ten beside the same in PyTorch: batch normalization, GELU, pictures that are mirrored,
moved by parts of a pixel and mixed; AdamW, label smoothing, batches of 512.

Both train epoch by epoch in turn, with all cores, and wait for each other. PyTorch's network and its changes of
pictures are compiled; it leaves out the rest of an epoch that is no whole batch. No cutmix, and a constant rate here.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.contest import arguments, machine, note, parser, save, table
from muslin import datasets, recipes
from muslin.engines import blas
from muslin.runs.settings import Settings

PEERS = ("muslin", "torch")


def main():
    if sys.argv[1:] == ["--muslin"]:
        ours()
        return
    given = arguments(parser(__doc__, PEERS, rounds=3))
    about, data = machine(given.peers_python), datasets.load("fashion_mnist", quiet=True)
    settings = recipes.recipe("fashion-ten")
    threads = max(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.npz")
        np.savez(path, X=data.X_train, y=data.y_train)
        work = settings | {"data": str(path), "classes": data.n_outputs, "threads": threads}
        children = {
            "muslin": child([sys.executable, "-m", "benchmarks.recipe", "--muslin"], work),
            "torch": child([given.peers_python, "-m", "benchmarks.peers.pytorch_recipe"], work),
        }
        times = {peer: [] for peer in children}
        for number in range(given.rounds + 1):  # the first one compiles
            for peer, process in children.items():
                print("go", file=process.stdin, flush=True)
                times[peer].append(json.loads(process.stdout.readline()))
            note(f"round {number} of {given.rounds}")
        for process in children.values():
            process.stdin.close()
            process.wait(60)
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(times["muslin"][1:], times["torch"][1:], strict=True)]
    rows = [
        [
            peer,
            f"{median(t['seconds'] for t in found[1:]):.2f}",
            f"{found[0]['seconds']:.1f}",
            f"{found[-1]['loss']:.3f}",
            f"{found[-1]['peak']:.0f}",
        ]
        for peer, found in times.items()
    ]
    heading = ["", "seconds an epoch", "the first one", "loss of the last", "peak MiB"]
    text = f"# An epoch of fashion-ten\n\n{table(heading, *rows)}\n\nPyTorch takes {median(ratios):.2f} times as long."
    save("recipe", about | {"data": data.name, "rounds": given.rounds, "threads": threads}, times, text)


def child(command, work):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(json.dumps(work), file=process.stdin, flush=True)
    return process


def ours():
    """An epoch for each line of standard input."""
    work = json.loads(sys.stdin.readline())
    arrays = np.load(work["data"])
    X, y = arrays["X"], arrays["y"]
    settings = Settings.read(recipes.recipe("fashion-ten") | {"schedule": "constant", "warmup": 0, "cutmix": 0})
    network, started = settings.network(X.shape[1], work["classes"]), 0.0

    def turn(state):
        nonlocal started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"seconds": time.perf_counter() - started, "loss": state.history[-1]["loss"], "peak": peak}
        print(json.dumps(told), flush=True)
        more = sys.stdin.readline()
        started = time.perf_counter()
        return None if more else "enough"

    sys.stdin.readline()
    started = time.perf_counter()
    with blas.threads(work["threads"]):
        network.fit(X, y, callbacks=[turn], **settings.training())


if __name__ == "__main__":
    main()
