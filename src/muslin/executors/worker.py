"""A worker: a process that does one task after the other. ``python -m muslin.executors.worker`` is started by
processes.py, here and at the nodes of a cluster.

It reads tasks, one JSON object a line, from standard input, and writes messages to standard output: see executor.py.
The answer to a row is {"stop": reason or null}. Unasked for comes {"end": reason}: its program is to be stopped. When
standard input ends, its parent is gone: it exits at once. Whatever files a task writes are whole or not there, so that
another worker can take it up.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TextIO

from muslin.errors import Diverged, InputError
from muslin.files import of_the_disk


class Program(Protocol):
    """What runs for a task. ``group``: the number of its process group."""

    group: int

    def stop(self, reason: str) -> None: ...

    def kill(self) -> None: ...


class Parent:
    """Whom a task's function tells what it does."""

    def __init__(self, messages: TextIO):
        self.messages = messages
        self.answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.programs: list[Program] = []

    def send(self, message: dict[str, Any]) -> None:
        try:
            self.messages.write(json.dumps(message) + "\n")
            self.messages.flush()
        except BrokenPipeError:
            os._exit(0)

    def begin(self, rows: list[dict[str, Any]]) -> None:
        """The rows that there are already."""
        self.send({"begin": rows})

    def row(self, row: dict[str, Any]) -> str | None:
        """The figures of an epoch. Returns why the task is to be stopped, or None."""
        self.send({"row": row})
        return self.answers.get()["stop"]

    def running(self, program: Program) -> None:
        """A program runs for the task."""
        self.programs = [program]
        self.send({"group": program.group})

    def listen(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "end" not in message:
                self.answers.put(message)
            for program in self.programs if "end" in message else ():
                program.stop(message["end"])
        for program in self.programs:
            program.kill()
        os._exit(0)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # what else is printed is no message
    threading.Thread(target=parent.listen, daemon=True).start()
    while True:
        parent.send(_answer(parent.answers.get(), parent))
        parent.programs = []


def _answer(task: dict[str, Any], parent: Parent) -> dict[str, Any]:
    try:
        return function(task["function"])(task, parent)
    except (InputError, Diverged) as error:
        return {"failed": str(error), "fatal": of_the_disk(error), "diverged": isinstance(error, Diverged)}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}", "fatal": False}


@cache
def function(name: str) -> Callable[[dict[str, Any], Parent], dict[str, Any]]:
    """ "module:name" → the function"""
    module, _, name = name.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    main()
