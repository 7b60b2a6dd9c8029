"""Files that are whole or not there: written under a temporary name, flushed to the disk, then renamed."""

import json
import math
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from muslin.errors import InputError


@contextmanager
def atomic(path):
    """A temporary path beside ``path``, to be written; on success it takes the name, on any error it is removed.

    Raises InputError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")  # named before it is there: no signal can lose it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {_reason(error, path)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reason(error, path):
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{path.parent} is not a folder"
    return error.strerror or error


def write_text(path, text):
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path, value):
    """Strict JSON: a NaN or infinity becomes null, which every reader understands."""
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_lines(path, rows):
    write_text(path, "".join(json.dumps(finite(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def finite(value):
    """The value with every NaN and infinity in it, at any depth, as None."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_tensors(path, tensors, metadata):
    """Write {name: array} and {name: JSON value} to a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with atomic(path) as temporary:
        try:
            save_file(tensors, temporary, {name: json.dumps(value) for name, value in metadata.items()})
        except SafetensorError as error:  # the library's word for a full disk
            raise OSError(str(error)) from error


def read_tensors(path, what):
    """({name: array}, {name: JSON value}) of a safetensors file.

    Raises InputError, naming the file and ``what`` it should be, where it is missing, damaged or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return tensors, {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
    except FileNotFoundError as error:
        raise InputError(f"There is no {what} {path}.") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(damaged(path, what)) from error


def damaged(path, what):
    return f"{path} is not a {what} that muslin wrote, or it is damaged."


def read_json(path):
    """Raises InputError, naming the file, where it is missing or no JSON."""
    return _read(path, json.loads)


def read_json_lines(path):
    return _read(path, lambda text: [json.loads(line) for line in text.splitlines() if line.strip()])


def _read(path, parse):
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}).") from error
