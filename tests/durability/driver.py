"""Runs commands whose n-th file operation goes wrong, each in a fork of one process that has everything imported.

python driver.py, with shim.so preloaded: reads {"folder", "data", "cases": [[action, how, n], …]} from standard input;
writes a JSON object a case. An n of 0 counts: {"operations"}. See `attempt` for what the others tell.
"""

import ctypes
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

from muslin import datasets, runs
from muslin.cli import evaluate, main, train  # noqa: F401 (imported before the forks, as the next two)
from muslin.datasets import cache, idx
from muslin.datasets.catalogue import Entry
from muslin.report import plots  # noqa: F401
from muslin.runs.settings import Settings
from muslin.training import Callback

SHIM = ctypes.CDLL(None)
NAME = "run"
SETTINGS = {"hidden_size": 6, "epochs": 3, "batch_size": 40, "optimizer": "adam", "engine": "numpy", "threads": 1}
FLAGS = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def nothing(folder, data):
    folder.mkdir()


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


def trained(folder, data):
    folder.mkdir()
    begin(folder, data)


def measure(folder, data):
    main(["evaluate", str(folder / NAME)])


def fill(folder, data):
    """The cache, with one file; what comes out of it must be what went in."""
    os.environ["MUSLIN_CACHE"] = str(folder)
    array = datasets.load(data).X_train.reshape(-1, 8, 8)
    entry = Entry(name="tiny", title="Tiny", checksums={"x": idx.digest(array)}, mirrors=(), folders=(), class_names=())
    sys.exit(0 if (cache.keep(entry, "x", array) == array).all() else 1)


#: name → (what is there before, what is done)
ACTIONS = {
    "train": (nothing, begin),
    "resume": (broken_off, go_on),
    "evaluate": (trained, measure),
    "cache": (nothing, fill),
}


def forked(function, *arguments, said=os.devnull):
    """The exit code of the function in a fork; minus the signal that ended it. What it says goes into a file."""
    if (pid := os.fork()) == 0:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = 70
        try:
            function(*arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def attempt(folder, data, action, how, n):
    """{"code", "said"} of the action whose n-th operation goes wrong; {"again", "told"} of the same once more, with
    nothing wrong; the "files" that are there then, and the contents of "model" and "cache", in hexadecimal digits."""
    shutil.rmtree(folder, ignore_errors=True)
    prepare, act = ACTIONS[action]
    forked(prepare, folder, data)
    told = Path(f"{folder}.said")

    def wrong():
        SHIM.arm(str(folder).encode(), n, how)
        act(folder, data)

    def counting():
        SHIM.arm(str(folder).encode(), -1, 0)
        try:
            act(folder, data)
        finally:
            os._exit(SHIM.counted())

    if n == 0:
        return {"operations": forked(counting)}
    code, said = forked(wrong, said=told), told.read_text()
    again = go_on if action == "train" and (folder / NAME / "config.json").exists() else act
    result = {"code": code, "said": said, "again": forked(again, folder, data, said=told), "told": told.read_text()}
    result["files"] = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name, file in (("model", f"{NAME}/model.safetensors"), ("cache", "tiny/x.npy")):
        result[name] = (folder / file).read_bytes().hex() if (folder / file).exists() else None
    return result


if __name__ == "__main__":
    task = json.loads(sys.stdin.readline())
    for case in task["cases"]:
        print(json.dumps(attempt(Path(task["folder"]), task["data"], *case)), flush=True)
