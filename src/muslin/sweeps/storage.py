"""The database of a sweep's trials, as Optuna opens it: to write, or only to read."""

import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from muslin.errors import InputError, masked, visible

T = TypeVar("T")

#: seconds to wait for a locked SQLite file: when it is opened, and later
OPENING, WAITING = 10, 120


def writable(url: str) -> Any:
    """Optuna's storage at a URL, its tables made if they are not there.

    Raises InputError: the URL is none, the database is locked or cannot be written.
    """
    optuna, parsed = load_optuna(), parse(url)
    if path := _file(parsed):
        _prepare(path)
    sqlite = {"connect_args": {"timeout": WAITING, "factory": Hurried}}
    options = sqlite if parsed.get_backend_name() == "sqlite" else {"pool_pre_ping": True}
    storage = together(lambda: optuna.storages.RDBStorage(url, engine_kwargs=options))
    return optuna.storages.get_storage(storage)


def readable(url: str) -> Any:
    """Optuna's storage at a URL, of which nothing is written. Raises InputError: there is none."""
    optuna, parsed = load_optuna(), parse(url)
    options = {"pool_pre_ping": True, "execution_options": {"postgresql_readonly": True}}
    if path := _file(parsed):
        url, options = _read_only(path), {"connect_args": {"timeout": WAITING}}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=options, skip_table_creation=True)
    return optuna.storages.get_storage(storage)


def parse(url: str) -> Any:
    """SQLAlchemy's URL. Raises InputError, without a password that may be in it."""
    import sqlalchemy as sql

    try:
        return sql.engine.make_url(url)
    except (sql.exc.ArgumentError, ValueError):
        right = "sqlite:///sweep.db or postgresql+psycopg://user:password@host/database"
        raise InputError(f"--storage is {shown(url)!r}; it must be a database's URL such as {right}.") from None


def shown(url: str) -> str:
    """The URL without its password."""
    return masked(visible(str(url)))


def _file(parsed: Any) -> Path | None:
    """The path of a SQLite file, or None."""
    named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(parsed.database) if named else None


def _prepare(path: Path) -> None:
    """Let a locked or unwritable SQLite file be said at once and simply."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"The storage {path} cannot be made: there is no folder {path.absolute().parent}.")
    if path.exists() and not path.is_file():
        raise InputError(f"The storage {path} cannot be used: it is not a regular file.")
    with sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=OPENING)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
            _write_ahead(connection)
        finally:
            connection.close()


def _write_ahead(connection: sqlite3.Connection) -> Any:
    """SQLite's time-out is not for this: of several that open a new file together, some hear "locked" at once."""
    end = time.monotonic() + OPENING
    while True:
        try:
            return connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _read_only(path: Path) -> str:
    """The URL of a SQLite file that can only be read. Where the folder cannot be written either, as in an archive,
    there may be no other writer, and SQLite needs to be told so."""
    if not path.is_file():
        raise InputError(f"There is no storage {visible(str(path))}.")
    with sqlite_errors(path):
        for mode in ("mode=ro", "immutable=1"):
            address = f"{path.absolute().as_uri()}?{mode}"
            connection = sqlite3.connect(address, uri=True, timeout=OPENING)
            try:
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
                break
            except sqlite3.OperationalError as error:
                if mode == "immutable=1" or "open database" not in str(error):
                    raise
            finally:
                connection.close()
    if "studies" not in tables:
        raise InputError(f"The storage {visible(str(path))} has no sweep.")
    return f"sqlite:///{address}&uri=true"


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """What SQLite says against a file as an InputError that names it."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        held = "another program holds it locked" if "locked" in str(error) else str(error)
        raise InputError(f"The storage {visible(str(path))} cannot be used: {held}.") from error


class Hurried(sqlite3.Connection):
    """Does not wait for the disk at every commit. What is committed survives any kill of a process; a power cut may
    take the last commits, and what they said is then done again."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Any error of the database, or of what it holds, as an InputError that names it."""
    import sqlalchemy as sql

    optuna = load_optuna()
    try:
        yield
    except InputError:
        raise
    except (sql.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        raise InputError(f"The storage {shown(url)} fails: {shown(str(cause).splitlines()[0])}.") from error
    except RuntimeError as error:  # Optuna's word on a schema of another version
        raise InputError(f"The storage {shown(url)} cannot be used: {shown(str(error).splitlines()[0])}") from error
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "its driver"
        raise InputError(f"The storage {shown(url)} needs a driver; install it with pip ({missing}).") from error
    except (LookupError, ValueError, TypeError, AttributeError) as error:  # Optuna's words on what it cannot be
        raise InputError(f"The storage {shown(url)} is damaged, or not of a sweep of muslin.") from error


def together(make: Callable[[], T], tries: int = 8) -> T:
    """What ``make`` returns. Processes that begin at once may all make the same tables; the slower ones try again."""
    import sqlalchemy as sql

    for attempt in range(tries - 1):
        try:
            return make()
        except (sql.exc.ProgrammingError, sql.exc.IntegrityError):
            pass
        except sql.exc.OperationalError as error:
            if "exists" not in str(error):
                raise
        time.sleep(0.05 * 2**attempt)
    return make()


def load_optuna() -> ModuleType:
    try:
        with warnings.catch_warnings():  # tqdm's, in a notebook without widgets
            warnings.filterwarnings("ignore", "IProgress not found")
            import optuna
    except ImportError as error:
        raise InputError("Sweeps need Optuna: pip install 'muslin[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
