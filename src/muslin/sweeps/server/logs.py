"""Files of lines that a client writes by offset: what it sends again takes the place of what it sent before."""

import json
import os
import threading
from functools import wraps
from pathlib import Path


def alone(method):
    """One thread at a time: a line that another one is writing looks as if it were torn."""

    @wraps(method)
    def locked(self, *arguments):
        with self.lock:
            return method(self, *arguments)

    return locked


class LineFile:
    """``count`` lines, each ending in a newline. A last line that a kill has torn is cut off; the client, who was not
    told that it is there, sends it again."""

    def __init__(self, path):
        self.path, self.lock = Path(path), threading.RLock()
        self.size = self.count = 0

    def _look(self):
        """Learn what is there, if that is not what we left."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size == self.size:
            return
        data = self.path.read_bytes() if size else b""
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.truncate(self.path, whole)
        self.size, self.count = whole, data.count(b"\n")

    @alone
    def lines(self):
        self._look()
        return self.count

    @alone
    def write(self, offset, lines):
        """Lines from that number on. Where there is a gap before them, empty ones fill it; what was behind is gone."""
        self._look()
        lines = [b""] * max(0, offset - self.count) + [line.encode(errors="replace") for line in lines]
        at = self._place(min(offset, self.count))
        data = b"".join(line + b"\n" for line in lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "r+b" if self.path.exists() else "w+b", buffering=0) as file:
            if at < self.size:
                file.truncate(at)
            file.seek(at)
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        self.size, self.count = at + len(data), min(offset, self.count) + len(lines)

    def _place(self, number):
        """Where that line begins, in bytes."""
        if number == self.count:
            return self.size
        at = 0
        with open(self.path, "rb") as file:
            for _ in range(number):
                at += len(file.readline())
        return at

    @alone
    def tail(self, most):
        """The last lines, as texts."""
        self._look()
        if not self.size:
            return []
        with open(self.path, "rb") as file:
            at, data = self.size, b""
            while at and data.count(b"\n") <= most:
                step = min(1 << 16, at)
                at -= step
                file.seek(at)
                data = file.read(step) + data
        return [line.decode(errors="replace") for line in data.splitlines()[-most:]]


def rows(path, start=0):
    """The JSON objects in the lines of a file, from the given line on; empty lines are left out."""
    if not Path(path).exists():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if number >= start and line.endswith("\n") and line.strip():
                yield json.loads(line)


def flat(row, before=""):
    """A row with its nested keys joined by points, as W&B names them."""
    found = {}
    for key, value in row.items():
        if isinstance(value, dict) and "_type" not in value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found
