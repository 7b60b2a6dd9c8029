"""Files. What is written is whole or not there: under a temporary name first, flushed to the disk, then renamed, with a
digest of its content (see `muslin.digests`). What is read may come from a stranger: only regular files, of a size and
depth that can be meant, whose digest is checked."""

import errno
import json
import math
import os
import platform
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muslin import digests
from muslin.errors import InputError, note, visible

if TYPE_CHECKING:  # files of text are read without it
    import numpy as np

AnyPath = str | PathLike[str]

MIB = 1 << 20
#: bytes of a text of ours, and of a file of tensors, from which on it is refused; levels of lists in lists
TEXT, TENSORS, DEPTH = 256 * MIB, 16_384 * MIB, 100


# Writing


@contextmanager
def atomic(path: AnyPath) -> Iterator[Path]:
    """A temporary path beside ``path``, to be written; on success it takes the name, on any error it is removed.

    Raises InputError where the folder cannot be written, the disk is full, or the path is no file's: a folder, a
    device, a pipe.
    """
    with _temporary(path) as temporary:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush_names(temporary.parent)


@contextmanager
def _temporary(path):
    path = Path(path)
    if not path.name or "\0" in str(path):
        raise InputError(f"Cannot write {str(path)!r}: it is not the path of a file.")
    # named before it is there: no signal can lose it
    temporary = path.with_name(f".{secrets.token_hex(8)}.{_host()}-{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no regular file, and is not replaced")
        make_folder(path.parent)
        remove_litter(path.parent)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
    except OSError as error:
        raise InputError(f"Cannot write {visible(str(path))}: {_reason(error, path)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """The folder and those above it, each on the disk before anything is written into it. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
        _flush_names(folder.parent)


def _flush(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_names(folder):
    """Let the names in a folder be on the disk, where file system and permissions let that be asked."""
    try:
        _flush(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise


def _reason(error, path):
    if isinstance(error, NotADirectoryError):
        return f"{visible(str(path.parent))} is not a folder"
    return error.strerror or error


def of_the_disk(error: BaseException) -> bool:
    """Whether a disk that is full, broken or not ours to write is behind it: then nothing else fares better."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    return isinstance(cause, OSError) and cause.errno in DISK


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def _host():
    return re.sub("[^A-Za-z0-9]", "", platform.node())[:40]


#: the name of a temporary file; those of older versions tell no host
LITTER = re.compile(r"\..*\.(?:(?P<host>[A-Za-z0-9]*)-)?(?P<pid>\d+)\.part")


@cache
def remove_litter(folder: Path) -> None:
    """Remove the temporary files in a folder whose writer is gone. Once a process for each folder."""
    for path in folder.glob(".*.part"):
        name = LITTER.fullmatch(path.name)
        if name and name["host"] in (None, _host()) and not _alive(int(name["pid"])):
            with suppress(OSError):
                path.unlink()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def writable(folder: AnyPath) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def output_folder(folder: Path) -> Path:
    """Where pages and pictures of what lies in a folder are written: there or, where it is read-only, beside us."""
    if writable(folder) or not folder.is_dir():
        return folder
    place = Path(f"{folder.resolve().name}-pages")
    note(f"{folder} is read-only: pages and pictures are written to {place}.")
    return place


def as_folder(name: str, longest: int = 200) -> str:
    """A name as that of one folder: without what has a meaning in a path, never hidden, of at most ``longest`` bytes.
    Empty where nothing is left. A space stays one."""
    name = " ".join(re.sub(r"[^\w.+=,@\s-]+", "_", name).split()).strip(". ")
    return name.encode()[:longest].decode(errors="ignore").strip()


def expanded(path: AnyPath) -> Path:
    """The path with ~ as the home folder. Raises InputError where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{visible(str(path))}: there is no such home folder.") from error


def exists(path: AnyPath) -> bool:
    """Whether something is there; nothing can be at a name that is too long, or out of our reach."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def write_bytes(path: AnyPath, content: bytes) -> None:
    """As they are, without a digest: those of a file that another machine has written."""
    _write(path, content)


def write_text(path: AnyPath, text: str) -> None:
    _write(path, text.encode("utf-8", errors="backslashreplace"))


def _write(path: AnyPath, *parts: bytes | memoryview) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.writelines(parts)


def write_json(path: AnyPath, value: object) -> None:
    """Strict JSON: a NaN or infinity becomes null, which every reader understands. An object has its digest in it."""
    if isinstance(value, dict):
        _write(path, digests.stamp(_json(_blank(value), indent=2)))
    else:
        _write(path, _json(value, indent=2))


def write_new_json(path: AnyPath, value: dict[str, Any]) -> bool:
    """`write_json` of an object where no file is: of several processes one succeeds. Returns whether this one did."""
    with _temporary(path) as temporary:
        temporary.write_bytes(digests.stamp(_json(_blank(value), indent=2)))
        _flush(temporary)
        try:
            _link(temporary, path)
        except FileExistsError:
            return False
        _flush_names(temporary.parent)
        return True


def _link(temporary, path):
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # a file system without links
        temporary.replace(path)


NO_LINKS = errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK


def write_json_lines(path: AnyPath, rows: Sequence[dict[str, Any]]) -> None:
    """An object a line; the first has the digest of all in it. No rows, no file."""
    if rows:
        _write(path, digests.stamp(b"".join(map(_json, (_blank(rows[0]), *rows[1:])))))
    else:
        Path(path).unlink(missing_ok=True)


def _blank(value):
    """The object with the place for the digest before all else: whatever looks like one further on is content."""
    return digests.BLANK | _without_digest(value)


def _json(value, indent=None):
    text = json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", errors="backslashreplace")


def finite(value: Any) -> Any:
    """The value with every NaN and infinity in it, at any depth, as None."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_tensors(path: AnyPath, tensors: dict[str, "np.ndarray"], metadata: Mapping[str, Any]) -> None:
    """Write {name: array} and {name: JSON value} to a safetensors file."""
    from safetensors.numpy import save

    texts = {name: json.dumps(value) for name, value in metadata.items()} | digests.BLANK
    head, body = _parts(save(tensors, texts))
    _write(path, digests.stamp(head, body), body)


def _parts(data):
    """(head, body) of a safetensors file. The names in the head are sorted: the library writes metadata in any order,
    and equal networks are to be equal files."""
    length = int.from_bytes(data[:8], "little")
    names = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    names = names.ljust(-(-len(names) // 8) * 8)
    return len(names).to_bytes(8, "little") + names, memoryview(data)[8 + length :]


# Reading


def read_bytes(path: AnyPath, what: str = "file", limit: int = TEXT) -> bytes:
    """The content of a regular file of at most ``limit`` bytes. Raises InputError for any other, named as ``what`` it
    should be: a device never ends, and a pipe may never begin."""
    with opened(path, what) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise InputError(f"{visible(str(path))} has {size:,} bytes; a {what} has at most {limit:,}.")
        try:
            return file.read(limit)
        except OSError as error:
            raise InputError(f"Cannot read the {what} {visible(str(path))}: {error.strerror or error}.") from error


def opened(path: AnyPath, what: str = "file") -> BufferedReader:
    """A regular file, open for reading in binary. Raises InputError where it is missing or anything else."""
    name = visible(str(path))
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise InputError(f"There is no {what} {name}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise InputError(f"Cannot read the {what} {name}: {getattr(error, 'strerror', error)}.") from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise InputError(f"Cannot read the {what} {name}: it is {kind}, not a regular file.")
    return os.fdopen(handle, "rb")


def read_json(path: AnyPath) -> Any:
    """Raises InputError, naming the file, where it is missing, damaged or no JSON."""
    data = read_bytes(path, "file")
    with digests.checked(data, visible(str(path))):
        return _without_digest(parse_json(data, path))


def read_json_lines(path: AnyPath) -> list[Any]:
    data = read_bytes(path, "file")
    with digests.checked(data, visible(str(path))):
        if not data:
            raise InputError(f"{visible(str(path))} is damaged: it is empty.")
        return [_without_digest(parse_json(line, path)) for line in data.splitlines() if line.strip()]


def _without_digest(value):
    return {k: v for k, v in value.items() if k != digests.KEY} if isinstance(value, dict) else value


def parse_json(text: str | bytes, where: object) -> Any:
    """The value of a JSON text. Raises InputError, naming ``where`` it stands, for any other text, or deep nesting."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise _too_deep(where) from error
    except ValueError as error:
        raise InputError(f"{visible(str(where))} is not valid JSON ({error}).") from error
    check_size(value, where)
    return value


def check_size(value: object, where: object, items: float = math.inf) -> None:
    """Raises InputError where lists and mappings lie deeper in each other than `DEPTH`, or stand for more than so many
    ``items`` in all: YAML's aliases let 200 bytes stand for 10⁹."""
    measured = {}  # (items, levels) of each list and mapping, by its identity; while it is measured, endless

    def measure(value):
        if not isinstance(value, dict | list | tuple | set):
            return 1, 0
        if id(value) not in measured:
            measured[id(value)] = math.inf, math.inf
            inner = [measure(item) for item in (value.values() if isinstance(value, dict) else value)]
            count, levels = 1 + sum(n for n, _ in inner), 1 + max((level for _, level in inner), default=0)
            measured[id(value)] = count, levels
        return measured[id(value)]

    try:
        count, levels = measure(value)
    except RecursionError as error:
        raise _too_deep(where) from error
    if levels > DEPTH:
        raise _too_deep(where)
    if count > items:
        raise InputError(f"{visible(str(where))} stands for {count:,} values; at most {items:,} can be meant.")


def _too_deep(where):
    return InputError(f"{visible(str(where))} has lists or objects nested deeper than {DEPTH} levels.")


def read_tensors(path: AnyPath, what: str) -> tuple[dict[str, "np.ndarray"], dict[str, Any]]:
    """({name: array}, {name: JSON value}) of a safetensors file.

    Raises InputError, naming the file and ``what`` it should be, where it is missing, damaged or something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_bytes(path, what, TENSORS)
    with digests.checked(data, visible(str(path))):
        try:
            tensors, texts = load(data), _metadata(data)
        except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(damaged(path, what)) from error
        return tensors, {name: parse_json(text, path) for name, text in texts.items() if name != digests.KEY}


def _metadata(data):
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})


def damaged(path: AnyPath, what: str) -> str:
    return f"{visible(str(path))} is not a {what} that muslin wrote, or it is damaged."
