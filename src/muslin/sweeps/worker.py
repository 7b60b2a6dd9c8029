"""A worker: a process that trains one trial after the other. ``python -m muslin.sweeps.worker`` is started by pool.py.

It reads tasks, one JSON object a line, from standard input, and writes to standard output what becomes of them:

    {"begin": [rows]}                         the rows that a resumed run has already
    {"group": number}                         the process group of a program, which ends with the worker
    {"row": {…}}                              the figures of an epoch; the answer is {"stop": reason or null}
    {"done": {summary}, "stopped": reason}    or
    {"failed": reason, "fatal": bool}         fatal: no other trial would fare better, such as on a full disk

Unasked for comes {"end": reason}: its program is to be stopped. When standard input ends, its parent is gone: it exits
at once. Every file is written whole or not at all, so the run can be taken up from its last epoch by another worker.
"""

import errno
import json
import os
import queue
import signal
import sys
import threading
import traceback
from functools import cache
from pathlib import Path

from muslin.errors import Diverged, InputError
from muslin.sweeps import program
from muslin.training.callbacks import Callback

#: how the reasons begin that the parent gives; those of a run's own early stopping do not
EARLY = "hyperband:"
FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what else is printed is no message
    answers = queue.SimpleQueue()
    threading.Thread(target=_listen, args=[answers], daemon=True).start()

    def send(message):
        try:
            messages.write(json.dumps(message) + "\n")
            messages.flush()
        except BrokenPipeError:
            os._exit(0)

    def report(row):
        send({"row": row})
        return answers.get()["stop"]

    while True:
        send(_answer(answers.get(), report, send))


#: the program that this worker runs, if it does
RUNNING = []


def _listen(answers):
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "end" not in message:
            answers.put(message)
        for running in RUNNING if "end" in message else ():
            running.stop(message["end"])
    for running in RUNNING:
        program.kill_group(running.process.pid)
    os._exit(0)


def _answer(task, report, send):
    try:
        if "settings" in task:
            return _train(task, report, send)

        def begun(running):
            RUNNING.append(running)
            send({"group": running.process.pid})

        try:
            summary, stopped = program.train(task, report, begun)
        finally:
            RUNNING.clear()
        return {"done": summary, "stopped": stopped}
    except (InputError, Diverged) as error:
        cause = error.__cause__
        return {"failed": str(error), "fatal": isinstance(cause, OSError) and cause.errno in FATAL}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}", "fatal": False}


def _train(task, report, send):
    from muslin import runs
    from muslin.tracking import tracker

    run, data = _prepared(Path(task["run"]), task["settings"])
    reporter = Report(report, send)
    with tracker(run=run, data=data, **(task["tracker"] or {"name": "none"})) as tracked:
        summary = runs.train(run, data, [tracked, reporter])
        tracked.trained(summary)
    early = summary["epochs"] < run.settings.epochs  # a band may lie at the last epoch
    return {"done": summary, "stopped": reporter.stopped if early else None}


class Report(Callback):
    """Tells the parent each epoch's figures and does as it says."""

    def __init__(self, report, send):
        self.report, self.send, self.stopped = report, send, None

    def on_begin(self, state):
        self.stopped = state.stopped if (state.stopped or "").startswith(EARLY) else None
        self.send({"begin": state.history})

    def on_epoch(self, state):
        self.stopped = self.report(state.history[-1])
        return self.stopped


def _prepared(path, given):
    """(run, data): the run directory, made, or as another worker left it.

    Raises InputError: the settings cannot be, or the directory holds a run with other ones.
    """
    from muslin.runs import Run, create
    from muslin.runs.directory import drop_damaged_checkpoint
    from muslin.runs.settings import Settings

    settings = Settings.read(given)
    data = _data(settings.dataset, settings.data_dir, settings.table)
    settings = settings.for_target(data.target)
    run = Run(path)
    if (path / "config.json").exists():
        if run.settings != settings or run.config["data_checksums"] != data.checksums:
            raise InputError(f"{path} holds a run with other settings or data.")
        drop_damaged_checkpoint(run)
        return run, data
    return create(settings, data, path.parent, path.name), data


@cache
def _data(dataset, data_dir, table):
    from muslin import datasets

    return datasets.load(dataset, data_dir=data_dir, quiet=True, table=table)


if __name__ == "__main__":
    main()
