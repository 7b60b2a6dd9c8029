"""The user's cache: uncompressed uint8 arrays as .npy files, memory-mapped, one copy for all worker processes.

Nothing in it is trusted: every file is hashed each time it is opened (Fashion-MNIST's 55 MB: about 30 ms) and compared
with the catalogue's checksum. That is the checksum of the IDX file, whose header follows from the array's shape.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from muslin.datasets import idx
from muslin.datasets.catalogue import Entry
from muslin.errors import InputError, note
from muslin.files import atomic, expanded, remove_litter


def root() -> Path:
    """The environment variable MUSLIN_CACHE, or where this system keeps caches."""
    from platformdirs import user_cache_dir

    return expanded(os.environ.get("MUSLIN_CACHE") or user_cache_dir("muslin"))


def place(entry: Entry, file: str) -> Path:
    """Where the cache holds a file of a data set."""
    return root() / entry.name / f"{file}.npy"


def get(entry: Entry, file: str) -> np.ndarray | None:
    """The memory-mapped array, verified, or None where there is none. A damaged file is named and removed."""
    path = place(entry, file)
    remove_litter(path.parent)
    try:
        array = _intact(path, entry.checksums[file])
    except OSError:  # not there, or not ours to read
        return None
    if array is None:
        note(f"the cache's {path} is damaged: removed, to be built again.")
        with suppress(OSError):
            path.unlink()
    return array


def keep(entry: Entry, file: str, array: np.ndarray) -> np.ndarray:
    """Writes a verified array to the cache and returns it memory-mapped, so that the one in memory can go.

    Where the cache cannot be written (no permission, full disk), a warning says so and the array itself comes back.
    """
    if isinstance(array, np.memmap):
        return array
    path = place(entry, file)
    try:
        if (cached := get(entry, file)) is not None:
            return cached
        with atomic(path) as temporary:
            _write(temporary, array)
        return npy.open_memmap(path, mode="r")
    except (InputError, OSError) as error:
        reason = why(error.__cause__ or error)
        note(f"the cache {path.parent} cannot be written, {reason}: data kept in memory; MUSLIN_CACHE moves it.")
        return array


def why(error: BaseException) -> str:
    """The reason in an operating system's error, in words."""
    full = getattr(error, "errno", None) == errno.ENOSPC
    return "the disk is full" if full else getattr(error, "strerror", None) or str(error)


def _intact(path: Path, checksum: str) -> np.ndarray | None:
    """The array in the file if it is the one that the checksum stands for. Raises OSError where it cannot be opened."""
    try:
        array = npy.open_memmap(path, mode="r")
        return array if array.dtype == np.uint8 and idx.digest(array) == checksum else None
    except OSError:
        raise
    except Exception:  # a damaged .npy header is a Python literal: NumPy raises whatever that makes Python raise
        return None


def _write(path: Path, array: np.ndarray) -> None:
    """As np.save, whose "x requested and y written" hides that the disk is full."""
    with open(path, "wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
        file.write(array.data)
