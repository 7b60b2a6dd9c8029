"""What is done while something goes wrong: see driver.py. Each action has what is there before, what is done, what is
done again, and how what came of it is looked at."""

import base64
import ctypes
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn.protocols.http.auto  # noqa: F401 (as above)
import yaml

import muslin
import muslin.cli.sweep
from muslin import datasets, runs
from muslin.cli import best, evaluate, main, sweep_view, train  # noqa: F401 (imported before the forks)
from muslin.datasets import cache, idx
from muslin.datasets.catalogue import Entry
from muslin.executors import processes, training, worker  # noqa: F401
from muslin.files import read_json, read_json_lines
from muslin.report import plots  # noqa: F401
from muslin.runs.settings import Settings
from muslin.sweeps import analysis, search
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.server import graph, host  # noqa: F401
from muslin.sweeps.server.store import Store
from muslin.training import Callback

NAME = "run"
SETTINGS = {"hidden_size": 6, "epochs": 3, "batch_size": 40, "optimizer": "adam", "engine": "numpy", "threads": 1}
FLAGS = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@dataclass
class Action:
    prepare: Callable
    act: Callable
    again: Callable
    look: Callable
    ignored: tuple = ()


def nothing(folder, data):
    """Nothing is there."""


def empty(folder, data):
    folder.mkdir()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


# Trainings


def begin(folder, data):
    """A training, from nothing to its curves."""
    main(["train", "-d", data, *FLAGS, "--runs-dir", str(folder), "--name", NAME])


def broken_off(folder, data):
    """A run whose first epoch is done."""
    folder.mkdir()
    samples = datasets.load(data)
    run = runs.create(Settings.read(SETTINGS, {"dataset": data}), samples, folder, NAME)
    runs.train(run, samples, [Break()])


class Break(Callback):
    """Ends the process in the second epoch, as a kill does."""

    def on_progress(self, state, done, loss, accuracy):
        if state.epoch == 1:
            os._exit(0)


def go_on(folder, data):
    main(["train", "--resume", str(folder / NAME)])


def train_again(folder, data):
    (go_on if (folder / NAME / "config.json").exists() else begin)(folder, data)


def trained(folder, data):
    folder.mkdir()
    begin(folder, data)


def measure(folder, data):
    main(["evaluate", str(folder / NAME)])


def model(folder):
    return digest(folder / NAME / "model.safetensors")


# The cache


def fill(folder, data):
    """The cache, with one file; what comes out of it must be what went in."""
    os.environ["MUSLIN_CACHE"] = str(folder)
    array = datasets.load(data).X_train.reshape(-1, 8, 8)
    entry = Entry(name="tiny", title="Tiny", checksums={"x": idx.digest(array)}, mirrors=(), folders=(), class_names=())
    sys.exit(0 if (cache.keep(entry, "x", array) == array).all() else 1)


def cached(folder):
    return digest(folder / "tiny" / "x.npy")


# Sweeps


class Forked:
    """A worker as a fork of its parent, in place of a process that first has to import everything."""

    def __init__(self, words, env, stdin, stdout, stderr, cwd, start_new_session):
        (theirs, ours), (read, write) = os.pipe(), os.pipe()
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            for handle, place in ((theirs, 0), (write, 1), (stderr.fileno(), 2)):
                os.dup2(handle, place)
            os.closerange(3, 1024)
            os.setsid()
            sys.stdin = os.fdopen(0)
            with suppress(BaseException):
                worker.main()
            os._exit(1)
        os.close(theirs)
        os.close(write)
        self.stdin, self.stdout = os.fdopen(ours, "wb"), os.fdopen(read, "rb")

    def kill(self):
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout=None):
        end = time.monotonic() + (timeout or 60)
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise subprocess.TimeoutExpired("worker", timeout)
            else:
                time.sleep(0.001)
        return self.returncode


class Popen:
    """In place of the module subprocess, for workers."""

    Popen, PIPE, TimeoutExpired = Forked, subprocess.PIPE, subprocess.TimeoutExpired


processes.subprocess = Popen
analysis.analyse = lambda where, study: []  # its pictures: half a second a case
search.load_optuna()

METRIC = {"name": "val_accuracy", "goal": "maximize"}
PARAMETERS = {key: {"value": value} for key, value in SETTINGS.items()} | {
    "epochs": {"value": 2},
    "hidden_size": {"values": [3, 4, 5]},
    "learning_rate": {"min": 0.001, "max": 0.02},
}


def searching(method, count=3, **more):
    """A sweep of our own network by this method, in one worker."""

    def act(folder, data):
        file = folder.with_name("sweep.yaml")
        values = {"dataset": {"value": data}} | ({"learning_rate": {"values": [0.01]}} if method == "grid" else {})
        text = {"method": method, "metric": METRIC, "parameters": PARAMETERS | values}
        file.write_text(yaml.safe_dump(text | more))
        main(["sweep", str(file), "--count", str(count), "--workers", "1", "--runs-dir", str(folder), "--name", "s"])

    act.__name__ = f"sweep_{method}"
    return act


PROGRAM = 'echo "$@"; for i in 1 2 3; do echo "{\\"loss\\": $i.5}"; done'


def program(folder, data):
    """A sweep of a program."""
    file = folder.with_name("sweep.yaml")
    command = ["sh", "-c", PROGRAM, "sh", "${args}"]
    parameters = {"x": {"values": [1, 2]}}
    text = {"method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "parameters": parameters}
    file.write_text(yaml.safe_dump(text | {"command": command}))
    main(["sweep", str(file), "--workers", "1", "--runs-dir", str(folder), "--name", "s"])


def parabola(config):
    for step in range(2):
        yield (config["x"] - 1) ** 2 + 1 / (step + 1)


def function(folder, data):
    """A sweep of a function, from Python."""
    file = {"method": "random", "metric": {"name": "loss"}, "parameters": {"x": {"min": 0.0, "max": 2.0}}}
    with muslin.cli.exit_codes():
        muslin.sweep(file, parabola, count=3, name="s", runs_dir=folder)


def unnumbered(name):
    """The name of a folder, or below one, as it is where a kill left none of its name behind."""
    return re.sub(r"-\d+(?=/|$)", "", name)


def trials(folder):
    """Every trial with what came of it, without what depends on the time."""
    where = SweepDirectory(folder / "s")
    study = where.study_to_read()
    stored = [t for t in study.storage.get_all_trials(study.id) if "trial" in t.user_attrs]
    return {"stored": len(stored), "broken": _broken(folder / "s" / "study.db")} | {
        str(number): [
            trial.state,
            trial.config,
            trial.value,
            unnumbered(trial.run),
            digest(where.path / trial.run / FILE),
        ]
        for number, trial in sorted(study.trials().items())
    }


FILE = "model.safetensors"


def _broken(path):
    import sqlite3

    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]


def searched(folder, data):
    searching("random")(folder, data)


def retrain(folder, data):
    """`muslin best`"""
    main(["best", str(folder / "s")])


def chosen(folder):
    path = folder / "s" / "best"
    return trials(folder) | {"best": digest(path / FILE), "chosen": runs.Run(path).summary["chosen"]}


# The server


def serve(folder, data):
    """The server, with a client that begins where the one before it was: it ends both when it has said all."""
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with the server
        with suppress(BaseException):
            client = Client(folder)
            client.say_all()
            client.send("GET", "/healthz", None)
            os.kill(os.getppid(), signal.SIGINT)
            os._exit(0)
        traceback.print_exc()
        os._exit(1)
    main(["serve", "--port", "0", "--runs-dir", str(folder)])


class Client:
    """What W&B's client and agent send, one after the other; what is not answered, or with 5xx, is sent again."""

    def __init__(self, folder):
        self.folder, self.kept = folder, Path(f"{folder}.said.json")
        self.known = json.loads(self.kept.read_text()) if self.kept.exists() else {"said": 0}

    def say_all(self):
        while self.known["said"] < len(SAID):
            SAID[self.known["said"]](self)
            self.known["said"] += 1
            self.kept.write_text(json.dumps(self.known))

    def send(self, method, path, body):
        for _ in range(200):
            with suppress(OSError, ValueError):
                home = self.folder / ".server"
                url = json.loads((home / "address.json").read_text())["url"]
                request = urllib.request.Request(path if "//" in path else url + path, body, method=method)
                token = base64.b64encode(b"api:" + (home / "key").read_bytes()).decode()
                request.add_header("Authorization", f"Basic {token}")
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return reply.read()
            time.sleep(0.02)
        raise AssertionError(f"{path} is never answered")

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        for _ in range(200):
            found = json.loads(self.send("POST", "/graphql", body))
            if "errors" not in found:
                return found["data"]
            time.sleep(0.02)
        raise AssertionError(found)

    def begin(self, run="r", sweep=None):
        query = """mutation($n: String, $s: String, $c: JSONString) {
          upsertBucket(input: {name: $n, sweep: $s, modelName: "p", config: $c}) { bucket { id } } }"""
        self.ask(query, n=run, s=sweep, c=json.dumps({"x": {"value": run}}))

    def stream(self, run, **sent):
        self.send("POST", f"/files/local/p/{run}/file_stream", json.dumps(sent).encode())

    def log(self, run, offset, *values):
        lines = [json.dumps({"loss": value, "_step": offset + n}) for n, value in enumerate(values)]
        files = {"wandb-history.jsonl": {"offset": offset, "content": lines}}
        files["output.log"] = {"offset": offset, "content": [f"line {v}\n" for v in values]}
        files["wandb-summary.json"] = {"offset": 0, "content": [json.dumps({"loss": values[-1]})]}
        self.stream(run, files=files)

    def end(self, run):
        self.stream(run, complete=True, exitcode=0)

    def upload(self):
        query = """mutation($f: [String!]!) {
          createRunFiles(input: {projectName: "p", runName: "r", files: $f}) { files { uploadUrl } } }"""
        address = self.ask(query, f=["media/a.bin"])["createRunFiles"]["files"][0]["uploadUrl"]
        self.send("PUT", "/upload/" + address.split("/upload/")[1], bytes(range(256)) * 300)

    def sweep(self):
        query = 'mutation($c: String) { upsertSweep(input: {config: $c, projectName: "p"}) { sweep { name } } }'
        space = {"method": "grid", "metric": {"name": "loss", "goal": "minimize"}}
        space["parameters"] = {"x": {"values": [1, 2]}}
        self.known["sweep"] = self.ask(query, c=yaml.safe_dump(space))["upsertSweep"]["sweep"]["name"]

    def agent(self):
        query = 'mutation($s: String!) { createAgent(input: {sweep: $s, host: "h"}) { agent { id } } }'
        self.known["agent"] = self.ask(query, s=self.known["sweep"])["createAgent"]["agent"]["id"]

    def beat(self, *runs):
        query = "mutation($a: ID!, $r: JSONString) { agentHeartbeat(input: {id: $a, runState: $r}) { commands } }"
        for _ in range(1000):  # no command where it is not clear what became of a run
            state = json.dumps(dict.fromkeys(runs, True))
            found = json.loads(self.ask(query, a=self.known["agent"], r=state)["agentHeartbeat"]["commands"])
            if found or runs:
                return found
            time.sleep(0.05)
        raise AssertionError("no command")

    def take(self):
        (command,) = self.beat()
        self.known["run"], self.known["x"] = command["run_id"], command["args"]["x"]["value"]


def _trial(client):
    client.begin(client.known["run"], client.known["sweep"])


TRIAL = [
    Client.take,
    _trial,
    lambda client: client.beat(client.known["run"]),
    lambda client: client.log(client.known["run"], 0, 9.0, float(client.known["x"])),
    lambda client: client.end(client.known["run"]),
]
SAID = [
    Client.begin,
    lambda client: client.log("r", 0, 3.0, 2.0),
    lambda client: client.log("r", 2, 1.0),
    Client.upload,
    Client.sweep,
    Client.agent,
    *TRIAL,
    *TRIAL,
    lambda client: client.beat(),
    lambda client: client.log("r", 3, 0.5),
    lambda client: client.end("r"),
]


def served(folder):
    """What the server keeps of the run and of the sweep, without what depends on the time."""
    said = json.loads(Path(f"{folder}.said.json").read_text())
    run, where = folder / "p" / "r", SweepDirectory(folder / "p" / said["sweep"])
    store = Store(folder / ".server" / "state.db")
    rows = store.rows("SELECT name, folder, state, config, summary, exitcode FROM runs ORDER BY id")
    return {
        "said": said["said"],
        "rows": [row for row in rows if row["name"] == "r"],
        "history": [row["loss"] for row in read_json_lines(run / "history.jsonl")],
        "log": (run / "log.txt").read_text(),
        "summary": {key: value for key, value in read_json(run / "summary.json").items() if key != "seconds"},
        "config": read_json(run / "config.json")["config"],
        "file": digest(run / "files" / "media" / "a.bin"),
        "trials": [[t.number, t.state, t.value, t.config, t.history] for t in where.study_to_read().trials().values()],
        "sweep": store.get("sweeps", id=said["sweep"])["state"],
        "logged": [[r["loss"] for r in read_json_lines(path)] for path in where.path.glob("*/history.jsonl")],
        "left": [path.name for path in folder.rglob(".*") if path.is_file()],
        "broken": [_broken(path) for path in (folder / ".server" / "state.db", where.path / "study.db")],
    }


OF_SQLITE = ("-wal", "-shm", "-journal", "workers.log")

#: name → what is there before, what is done, what is done again
ACTIONS = {
    "train": Action(nothing, begin, train_again, model),
    "resume": Action(broken_off, go_on, go_on, model),
    "evaluate": Action(trained, measure, measure, model),
    "cache": Action(nothing, fill, fill, cached),
    "function": Action(nothing, function, function, trials, OF_SQLITE),
    "program": Action(nothing, program, program, trials, OF_SQLITE),
    "best": Action(searched, retrain, retrain, chosen, OF_SQLITE),
    "serve": Action(empty, serve, serve, served, ("",)),
} | {
    f"sweep {method}": Action(nothing, act, act, trials, OF_SQLITE)
    for method, act in {
        "random": searching("random"),
        "grid": searching("grid", run_cap=2),
        "bayes": searching("bayes", early_terminate={"type": "hyperband", "min_iter": 1}),
    }.items()
}
