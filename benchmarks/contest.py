"""Peers in processes of their own that take turns, and what is said of the machine they ran on."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np

from muslin import FeedForwardNeuralNetwork, InputError, datasets
from muslin.files import write_json, write_text

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
CORES = len(os.sched_getaffinity(0))

#: name → (its file in peers/, its options)
PEERS = {
    "muslin": ("ours", {"engine": "numba"}),
    "muslin-numpy": ("ours", {"engine": "numpy"}),
    "torch": ("pytorch", {"compiled": False}),
    "torch-compile": ("pytorch", {"compiled": True}),
    "jax": ("jax_optax", {}),
    "sklearn": ("sklearn_mlp", {}),
    "onnxruntime": ("onnx_runtime", {}),
    "limit": ("limit", {"engine": "auto"}),
}
#: the files in peers/ that muslin's own environment runs
OWN = ("ours", "limit")
#: variables that would choose kernels or threads: removed, so that every peer runs as installed …
REMOVED = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "XLA_")
#: … and those that tell the libraries the number of threads
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
#: seconds in which the threads of the last peer fall asleep
REST = 0.1


def environment(threads, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED)}
    return kept | dict.fromkeys(THREADS, str(threads)) | more


class Contestant:
    """A peer with a number of threads in a process of its own. Its first turn begins at once: take its `answer`.

    ``turns`` are the answers to the later ones. ``out``: it has no more turns, because it ``failed`` (which is the last
    line that it wrote) or is hopeless.
    """

    def __init__(self, peer, threads, work, python, **variables):
        module, options = PEERS[peer]
        self.peer, self.threads, self.turns, self.failed, self.out = peer, threads, [], None, False
        self.save = f"{work['folder']}/{peer}-{threads}.npz"
        argument = json.dumps(work | options | {"threads": threads, "save": self.save})
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (see close)
        self.process = subprocess.Popen(
            [sys.executable if module in OWN else python, "-m", f"benchmarks.peers.{module}", argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=ROOT,
            env=environment(threads, **variables),
            text=True,
        )

    def go(self):
        with suppress(BrokenPipeError):  # it has ended: answer says why
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.errors.seek(0)
        self.failed, self.out = ([*filter(str.strip, self.errors)] or ["no message"])[-1].strip(), True
        return None

    def turn(self):
        self.go()
        if answer := self.answer():
            self.turns.append(answer)

    def median(self, figure):
        return median(turn[figure] for turn in self.turns)

    def hopeless(self, beside):
        """Beside the same peer with another number of threads, the better of which counts: it takes twice as long."""
        rivals = self.peer == beside.peer and not self.out and not beside.out and "microseconds" in self.turns[0]
        return rivals and self.median("microseconds") > 2 * beside.median("microseconds")

    def result(self):
        """The arrays of the first turn: trained parameters, or probabilities."""
        with np.load(self.save) as file:
            return list(file.values())

    def close(self):
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.errors.close()


@contextmanager
def contest(peers, threads, work, python):
    """The contestants, every peer with every number of threads, each past its first turn."""
    made = []

    def start(entry):
        made.append(Contestant(*entry, work, python))
        made[-1].answer()

    entries = [(peer, n) for n in threads for peer in peers]
    try:
        with ThreadPoolExecutor(CORES) as together:  # spinning threads of several processes would take forever
            list(together.map(start, [entry for entry in entries if entry[1] == 1]))
        for entry in [entry for entry in entries if entry[1] > 1]:
            start(entry)
        yield made
    finally:
        for contestant in made:
            contestant.close()


def failures(contestants):
    """A sentence for each that broke off."""
    return [f"{c.peer}, threads {c.threads}: {c.failed}" for c in contestants if c.failed]


def take_turns(contestants, rounds):
    """In each round each contestant has a turn while the others wait, another one first each time.

    Returns the cores that were meanwhile in use by the waiting (it should be none) and by other processes.
    """
    load = Load(contestants)
    for r in range(rounds):
        first = r % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            if not contestant.out:
                time.sleep(REST)
                with load.beside(contestant):
                    contestant.turn()
        for contestant in contestants:
            contestant.out |= any(contestant.hopeless(beside=other) for other in contestants)
    return load.cores()


class Load:
    """What other processes do while a contestant works."""

    def __init__(self, contestants):
        self.contestants, self.elapsed, self.waiting, self.others = contestants, 0.0, 0.0, 0.0

    @contextmanager
    def beside(self, contestant):
        before = self._read(contestant)
        yield
        elapsed, working, waiting, busy = (b - a for a, b in zip(before, self._read(contestant), strict=True))
        self.elapsed, self.waiting = self.elapsed + elapsed, self.waiting + waiting
        self.others += busy - working - waiting

    def _read(self, contestant):
        waiting = [c for c in self.contestants if c is not contestant]
        return time.perf_counter(), _seconds([contestant]), _seconds(waiting), _busy()

    def cores(self):
        return {who: max(0.0, getattr(self, who) / (self.elapsed or 1.0)) for who in ("waiting", "others")}


def _seconds(contestants):
    """Processor time that they have used so far."""
    ticks = 0
    for contestant in contestants:
        fields = Path(f"/proc/{contestant.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _busy():
    """Processor time that the machine has used so far, and its host has taken from it."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


# Work


class Samples:
    """Fashion-MNIST, or where it is not to be had random images of its shape, as files in a folder of its own."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="muslin-bench-")
        self.folder = self._folder.name
        try:
            data = datasets.load("fashion_mnist")
            self.name, *arrays = "Fashion-MNIST", data.X_train, data.y_train, data.X_test, data.y_test
        except InputError:
            rng = np.random.default_rng(0)
            self.name = "random images of Fashion-MNIST's shape"
            X, y = rng.integers(0, 256, (70_000, 784), np.uint8), rng.integers(0, 10, 70_000)
            arrays = X[:60_000], y[:60_000], X[60_000:], y[60_000:]
        for name, array in zip(("X", "y", "X_test", "y_test"), arrays, strict=True):
            np.save(f"{self.folder}/{name}.npy", array)
        self.n, self.train, self.test = len(arrays[0]), arrays[:2], arrays[2:]

    def work(self, configuration, samples=None, task="train", data=None):
        """What a peer is given to do; a turn is an epoch of that many samples, less what fills no batch."""
        samples = min(samples or self.n, self.n) if data is None else samples
        arrays = [array for pair in _layers(network(configuration)) for array in pair]
        np.savez(f"{self.folder}/start.npz", *arrays)
        return asdict(configuration) | {
            "task": task,
            "folder": self.folder,
            "data": data or self.folder,
            "start": f"{self.folder}/start.npz",
            "samples": max(1, samples // configuration.batch) * configuration.batch,
        }


def network(configuration, arrays=None):
    """The network of a configuration, with given W⁽¹⁾, b⁽¹⁾, W⁽²⁾, …"""
    net = FeedForwardNeuralNetwork(
        [784, *configuration.hidden, 10], configuration.activation, configuration.initializer
    )
    for k, (W, b) in enumerate(zip(arrays[::2], arrays[1::2], strict=True) if arrays else (), 1):
        net.weights[k], net.biases[k] = W, b[:, None]
    return net


def _layers(net):
    return ((W, b[:, 0]) for W, b in zip(net.weights.values(), net.biases.values(), strict=True))


# What a program has in common with the others


def parser(description, peers=("muslin",), rounds=5):
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    made.add_argument(
        "--threads", type=names, default=f"1,{CORES}", help="the better one of each peer counts (%(default)s)"
    )
    if len(peers) > 1:
        made.add_argument("--peers", type=names, default=",".join(peers), help="default %(default)s")
    made.add_argument(
        "--peers-python",
        type=lambda path: Path(path).absolute(),
        default=".venv-bench/bin/python",
        help="the interpreter that has the peers (%(default)s)",
    )
    made.set_defaults(known=peers)
    return made


def arguments(made):
    """The arguments; the peers and their interpreter are known to exist, the threads are numbers in order."""
    given = made.parse_args()
    given.peers, given.threads = getattr(given, "peers", given.known), sorted({int(n) for n in given.threads})
    if unknown := {*given.peers} - {*given.known}:
        made.error(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(given.known)}")
    if not given.peers_python.exists() and any(PEERS[peer][0] not in OWN for peer in given.peers):
        made.error("the peers have no environment: `make bench` makes one, --peers-python names another")
    return given


def names(text):
    return [name.strip() for name in text.split(",") if name.strip()]


def note(text):
    print(text, file=sys.stderr, flush=True)


def save(name, about, results, text):
    """Print the Markdown; write it and the JSON to results/."""
    about = {"date": date.today().isoformat(), **about}
    write_json(RESULTS / f"{name}.json", {**about, "results": results})
    lines = [f"- {key}: {_flat(value)}" for key, value in about.items()]
    write_text(RESULTS / f"{name}.md", "\n".join([text, "", *lines, ""]))
    print("\n".join([text, "", *lines]))


def table(*rows):
    """Markdown; the first row is the heading, every column but the first is of numbers."""
    width = len(rows[0])
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|--:" * (width - 1) + "|", *lines[1:]])


def machine(python):
    """Machine and versions, without which a figure means nothing. Ask before anything runs, for the load average."""
    info = Path("/proc/cpuinfo").read_text()
    facts = dict(line.split(":", 1) for line in info.split("\n\n")[0].splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    found = {
        "processor": facts.get("model name", platform.machine()) + (" with AVX-512" if "avx512f" in info else ""),
        "cores": CORES,
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "commit": _output(["git", "describe", "--always", "--dirty"]),
        "muslin's environment": json.loads(_output([sys.executable, "-c", OURS])),
        "peers' environment": json.loads(_output([python, "-c", VERSIONS]) or "{}"),
        "load average before": round(os.getloadavg()[0], 1),
    }
    return {key: value for key, value in found.items() if value != {}}


VERSIONS = """
import json, platform
from importlib.metadata import distributions
names = {"numpy", "numba", "torch", "jax", "jaxlib", "optax", "scikit-learn", "onnxruntime"}
found = {d.name.lower(): d.version for d in distributions() if d.name.lower() in names}
found = {"python": platform.python_version(), **dict(sorted(found.items()))}
"""
OURS = (
    f"import muslin.engines.blas\n{VERSIONS}\nprint(json.dumps(found | {{'blas': muslin.engines.blas.description()}}))"
)
VERSIONS += "print(json.dumps(found))"


def _output(command):
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment(CORES), capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()


def _flat(value):
    return ", ".join(f"{k} {_flat(v)}" for k, v in value.items()) if isinstance(value, dict) else value
