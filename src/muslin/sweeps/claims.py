"""Who runs which trial: a table beside Optuna's, so that every index is claimed exactly once, by one process at a time.

A claim is a row (study, number) with its owner and the time at which the owner last said that it is alive. Taking over
a claim is a compare-and-swap on the owner: of several that want it, one gets it. That holds between processes and
between machines that share a database.

Optuna has a heartbeat of its own, for `Study.optimize` alone. It would fail a dead worker's trial and begin another, of
another number and so of another configuration; and on the same machine it would wait for minutes where a look at the
process says at once that it is gone.
"""

import os
import socket
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

#: seconds after which an owner on another machine that says nothing is taken for dead
PATIENCE = 120
#: seconds between its signs of life
BEAT = 10
NOBODY = ""


class Claims:
    def __init__(self, engine: Any, study: int, owner: str | None = None):
        import sqlalchemy as sql

        self.sql, self.engine, self.study = sql, engine, study
        self.owner = owner or process(os.getpid())
        keys = [sql.Column(name, sql.Integer, primary_key=True, autoincrement=False) for name in ("study", "number")]
        owner_and_beat = sql.Column("owner", sql.String(200)), sql.Column("beat", sql.Float)
        deaths = sql.Column("deaths", sql.Integer, default=0)
        self.table = sql.Table("muslin_claims", sql.MetaData(), *keys, *owner_and_beat, deaths)
        self.table.create(engine, checkfirst=True)

    @cached_property
    def _of_study(self) -> Any:
        return self.table.c.study == self.study

    def take(self, allowed: Callable[[int], bool]) -> int | None:
        """The next number, ours alone; None if ``allowed(number)`` is false."""
        highest = self.sql.select(self.sql.func.max(self.table.c.number)).where(self._of_study)
        while True:
            try:
                with self.engine.begin() as connection:
                    number = connection.execute(highest).scalar()
                    number = 0 if number is None else number + 1
                    if not allowed(number):
                        return None
                    row = {"study": self.study, "number": number, "owner": self.owner, "beat": time.time()}
                    connection.execute(self.table.insert().values(**row, deaths=0))
                return number
            except self.sql.exc.IntegrityError:  # another process was faster
                continue

    def all(self) -> dict[int, tuple[str, float, int]]:
        """{number: (owner, beat, deaths)}"""
        with self.engine.connect() as connection:
            rows = connection.execute(self.sql.select(self.table).where(self._of_study)).all()
        return {row.number: (row.owner, row.beat, row.deaths) for row in rows}

    def beat(self) -> None:
        """Say that we are alive."""
        self._update(self.table.c.owner == self.owner, beat=time.time())

    def adopt(self, number: int, owner: str) -> bool:
        """Take over the claim of an owner who is gone; False if another process was faster."""
        theirs = (self.table.c.number == number) & (self.table.c.owner == owner)
        return self._update(theirs, owner=self.owner, beat=time.time()) == 1

    def holds(self, number: int) -> bool:
        """Whether the claim is still ours: a machine that slept for long may have lost it."""
        return self._update((self.table.c.number == number) & (self.table.c.owner == self.owner), beat=time.time()) == 1

    def died(self, number: int) -> None:
        """Count the death of a worker at this trial."""
        self._update(self.table.c.number == number, deaths=self.table.c.deaths + 1)

    def release(self) -> None:
        """Leave all that we hold to whoever comes next."""
        self._update(self.table.c.owner == self.owner, owner=NOBODY)

    def _update(self, which: Any, **values: Any) -> int:
        with self.engine.begin() as connection:
            return connection.execute(self.table.update().where(self._of_study & which).values(**values)).rowcount


def process(pid: int) -> str:
    """A name for a process that no other one has had: its host, its number, and where there is /proc its start."""
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def gone(owner: str, beat: float, now: float | None = None) -> bool:
    """Whether the process that ``process`` named so has ended; on another machine, whether it is silent for long."""
    if owner == NOBODY or (time.time() if now is None else now) - beat > PATIENCE:
        return True
    host, pid, started = owner.rsplit(":", 2)
    return host == socket.gethostname() and not (_alive(int(pid)) and _started(int(pid)) == started)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat(pid)[:1] != ["Z"]


def _started(pid: int) -> str:
    return "".join(_stat(pid)[19:20])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; [] where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
