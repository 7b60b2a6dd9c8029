"""What the server remembers, in one SQLite file: it is written before the client is told, so a kill loses nothing."""

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from muslin.files import as_folder, make_folder
from muslin.sweeps.storage import sqlite_errors

TABLES = """
CREATE TABLE IF NOT EXISTS projects (
  id INTEGER PRIMARY KEY, entity TEXT, name TEXT, folder TEXT UNIQUE, created REAL, description TEXT,
  UNIQUE (entity, name));
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, project INTEGER, name TEXT, folder TEXT UNIQUE, sweep TEXT, agent TEXT,
  display TEXT, state TEXT DEFAULT 'running', grp TEXT, job_type TEXT, notes TEXT, description TEXT,
  tags TEXT DEFAULT '[]', config TEXT DEFAULT '{}', summary TEXT DEFAULT '{}', program TEXT, host TEXT, revision TEXT,
  repo TEXT, created REAL, beat REAL, ended REAL, exitcode INTEGER, stop INTEGER DEFAULT 0, alerts TEXT DEFAULT '[]',
  UNIQUE (project, name));
CREATE INDEX IF NOT EXISTS runs_of_sweep ON runs (sweep);
CREATE TABLE IF NOT EXISTS sweeps (
  id TEXT PRIMARY KEY, project INTEGER, folder TEXT, state TEXT DEFAULT 'PENDING', reason TEXT, config TEXT,
  display TEXT, created REAL, updated REAL);
CREATE TABLE IF NOT EXISTS agents (
  id TEXT PRIMARY KEY, sweep TEXT, host TEXT, created REAL, seen REAL,
  run TEXT, given REAL, start TEXT, begun INTEGER DEFAULT 0, runs INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS agents_of_sweep ON agents (sweep);
CREATE TABLE IF NOT EXISTS stops (sweep TEXT, run TEXT, reason TEXT, PRIMARY KEY (sweep, run));
CREATE TABLE IF NOT EXISTS collections (
  id INTEGER PRIMARY KEY, project INTEGER, name TEXT, type TEXT, created REAL, client TEXT, UNIQUE (project, name));
CREATE TABLE IF NOT EXISTS artifacts (
  id INTEGER PRIMARY KEY, collection INTEGER, version INTEGER, digest TEXT, state TEXT DEFAULT 'PENDING',
  description TEXT, metadata TEXT, aliases TEXT DEFAULT '[]', tags TEXT DEFAULT '[]', run INTEGER, client TEXT,
  step INTEGER, base INTEGER, folder TEXT UNIQUE, created REAL, updated REAL, size INTEGER DEFAULT 0,
  files INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS artifacts_of_collection ON artifacts (collection);
CREATE TABLE IF NOT EXISTS lines (file TEXT PRIMARY KEY, size INTEGER, digest TEXT);
CREATE TABLE IF NOT EXISTS artifact_types (project INTEGER, name TEXT, description TEXT, PRIMARY KEY (project, name));
CREATE TABLE IF NOT EXISTS outputs (run INTEGER, artifact INTEGER, PRIMARY KEY (run, artifact));
CREATE TABLE IF NOT EXISTS uses (run INTEGER, artifact INTEGER, PRIMARY KEY (run, artifact));
"""

#: a row of a table
Row: TypeAlias = dict[str, Any]

ALPHABET = string.ascii_lowercase + string.digits


def fresh_id(length: int = 8) -> str:
    """An id such as W&B's own; the first character is a letter, so that YAML takes none for a number."""
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(ALPHABET) for _ in range(length - 1))


class Store:
    """Rows are dictionaries. One connection, used under ``lock``; what is committed survives any kill.

    Raises InputError where the file is none of ours, is damaged, or cannot be written."""

    def __init__(self, path: Path):
        make_folder(Path(path).parent)
        self.lock = threading.RLock()
        with sqlite_errors(path):
            self._open(path)

    def _open(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self.connection.row_factory = lambda cursor, row: {
            c[0]: v for c, v in zip(cursor.description, row, strict=True)
        }
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(TABLES)

    def close(self) -> None:
        with self.lock:
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside, or nothing."""
        with self.lock:
            if self.connection.in_transaction:
                yield
                return
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def rows(self, query: str, *values: Any) -> list[Row]:
        with self.lock:
            return self.connection.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> Any:
        with self.lock:
            return self.connection.execute(query, values).fetchone()

    def get(self, table: str, **where: Any) -> Any:
        """The row with these values, or None."""
        return self.row(f"SELECT * FROM {table} WHERE {_conditions(where)}", *where.values())

    def add(self, table: str, **values: Any) -> int:
        """The number of the row that was added."""
        marks = ", ".join("?" * len(values))
        query = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        with self.lock:
            return self.connection.execute(query, [*map(_stored, values.values())]).lastrowid or 0

    def change(self, table: str, where: dict[str, Any], **values: Any) -> None:
        if not values:
            return
        names = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE {table} SET {names} WHERE {_conditions(where)}"
        with self.lock:
            self.connection.execute(query, [*map(_stored, values.values()), *where.values()])

    def remove(self, table: str, **where: Any) -> None:
        with self.lock:
            self.connection.execute(f"DELETE FROM {table} WHERE {_conditions(where)}", [*where.values()])

    def project(self, entity: str, name: str) -> Row:
        """The project of that name, which is begun if it is not there."""
        with self.transaction():
            known = self.get("projects", entity=entity, name=name)
            if known is None:
                folder = self.free_folder("projects", folder_name(name))
                self.add("projects", entity=entity, name=name, folder=folder, created=time.time())
                known = self.get("projects", entity=entity, name=name)
            return known

    def free_folder(self, table: str, wanted: str) -> str:
        """The folder itself, or with a number where another row has it."""
        taken, number = wanted, 1
        while self.get(table, folder=taken):
            number += 1
            taken = f"{wanted}-{number}"
        return taken


class Book:
    """Size and digest of what was last written to each file of lines below a folder: see `logs.LineFile`."""

    def __init__(self, store: Store, root: Path):
        self.store, self.root = store, root

    def noted(self, path: Path) -> tuple[int, str] | None:
        """(size, digest), or None where nothing is known."""
        row = self.store.get("lines", file=str(path.relative_to(self.root)))
        return row and (row["size"], row["digest"])

    def note(self, path: Path, size: int, digest: str) -> None:
        query = "INSERT OR REPLACE INTO lines (file, size, digest) VALUES (?, ?, ?)"
        self.store.rows(query, str(path.relative_to(self.root)), size, digest)


def folders(path: Path) -> list[str]:
    """Of all runs and sweeps in a store that another process may have open."""
    if not path.exists():
        return []
    with sqlite_errors(path), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        query = "SELECT folder FROM runs UNION SELECT folder FROM sweeps"
        return [folder for (folder,) in connection.execute(query)]


def folder_name(name: str) -> str:
    """A name as that of one folder: see `muslin.files.as_folder`."""
    return as_folder(name, longest=120).replace(" ", "_") or "_"


def _conditions(where: dict[str, Any]) -> str:
    return " AND ".join(f"{name} = ?" for name in where) or "1"


def _stored(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
