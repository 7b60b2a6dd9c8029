"""Files of lines that a client writes by offset: what it sends again takes the place of what it sent before."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from hashlib import sha256
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from muslin import digests
from muslin.errors import InputError
from muslin.files import atomic, make_folder, write_json_lines
from muslin.sweeps.server.store import Book

SEALED = digests.KEY.encode()


def alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """One thread at a time: a line that another one is writing looks as if it were torn."""

    @wraps(method)
    def locked(self, *arguments: Any) -> Any:
        with self.lock:
            return method(self, *arguments)

    return locked


class LineFile:
    """``count`` lines, each ending in a newline. A last line that a kill has torn is cut off; the client, who was not
    told that it is there, sends it again.

    ``book.noted(path)`` is what `book.note(path, size, digest)` was told last: the digest of so many first bytes, by
    which damage is seen that came while no server ran. A file that is `seal`-ed has its digest in itself.
    Everything raises InputError where the file is damaged.
    """

    def __init__(self, path: str | PathLike[str], book: Book | None = None):
        self.path, self.book, self.lock = Path(path), book, threading.RLock()
        self.size, self.count, self.sealed, self.digest = 0, 0, False, sha256()

    def _look(self) -> None:
        """Learn what is there, if that is not what we left."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size == self.size:
            return
        data = self.path.read_bytes() if size else b""
        self.sealed = SEALED in data.partition(b"\n")[0]
        self._check(data)
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.truncate(self.path, whole)
        self.size, self.count, self.digest = whole, data.count(b"\n"), sha256(data[:whole])

    def _check(self, data: bytes) -> None:
        if self.sealed:
            with digests.checked(data, self.path):
                return
        size, digest = (self.book and data and self.book.noted(self.path)) or (0, sha256().hexdigest())
        if len(data) < size or sha256(data[:size]).hexdigest() != digest:
            raise InputError(
                f"{self.path} is damaged: its content is not what the server wrote. (To go on without it, remove it.)"
            )

    def _note(self) -> None:
        if self.book:
            self.book.note(self.path, self.size, self.digest.hexdigest())

    @alone
    def lines(self) -> int:
        self._look()
        return self.count

    @alone
    def write(self, offset: int, lines: list[str]) -> None:
        """Lines from that number on. Where there is a gap before them, empty ones fill it; what was behind is gone."""
        self._look()
        self._open()
        new = [b""] * max(0, offset - self.count) + [line.encode(errors="replace") for line in lines]
        at = self._place(min(offset, self.count))
        if at < self.size or not at:  # of what is behind, or of a file that was removed, nothing is to be known
            self.size, self.digest = at, self._digest(at)
            self._note()
        data = b"".join(line + b"\n" for line in new)
        make_folder(self.path.parent)
        with open(self.path, "r+b" if self.path.exists() else "w+b", buffering=0) as file:
            file.truncate(at)
            file.seek(at)
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
        self.size, self.count = at + len(data), min(offset, self.count) + len(new)
        self.digest.update(data)
        self._note()

    def _digest(self, size: int) -> Any:
        """Of so many first bytes."""
        with open(self.path, "rb") if size else BytesIO() as file:
            return sha256(file.read(size))

    def _place(self, number: int) -> int:
        """Where that line begins, in bytes."""
        if number == self.count:
            return self.size
        at = 0
        with open(self.path, "rb") as file:
            for _ in range(number):
                at += len(file.readline())
        return at

    @alone
    def seal(self) -> None:
        """Give the rows a digest, as every file of ours has one; what is written later takes it away."""
        self._look()
        if self.sealed or not self.size:
            return
        self._check(self.path.read_bytes())
        write_json_lines(self.path, list(rows(self.path, blank=True)))
        self.size, self.sealed, self.digest = self.path.stat().st_size, True, self._digest(self.path.stat().st_size)

    def _open(self) -> None:
        """Take the digest away: there will be other rows."""
        if self.sealed:
            data = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows(self.path, blank=True))
            self.size, self.digest = len(data), sha256(data)
            self._note()  # before: until then, the file knows by itself
            with atomic(self.path) as temporary:
                temporary.write_bytes(data)
            self.sealed = False

    @alone
    def tail(self, most: int) -> list[str]:
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
        lines = [line.decode(errors="replace") for line in data.splitlines()[-most:]]
        if self.sealed and len(lines) == self.count:
            lines[0] = json.dumps({key: value for key, value in json.loads(lines[0]).items() if key != digests.KEY})
        return lines


def rows(path: str | PathLike[str], start: int = 0, blank: bool = False) -> Iterator[dict[str, Any]]:
    """The JSON objects in the lines of a file, from the given line on, without the digest; a ``blank`` line is {}, or
    is left out."""
    if not Path(path).exists():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if number >= start and line.endswith("\n") and (blank or line.strip()):
                row = json.loads(line or "{}") if line.strip() else {}
                row.pop(digests.KEY, None)
                yield row
