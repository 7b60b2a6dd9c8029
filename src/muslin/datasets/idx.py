"""IDX, the format MNIST is handed round in: a magic number, the sizes, the bytes. Plain or gzipped.

The magic number is 0x0800 (uint8) + the number of dimensions; it and each size are big-endian uint32.
Source: Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits*, "File formats".
"""

import gzip
import struct
import zlib
from collections.abc import Sequence
from hashlib import sha256
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np

from muslin.errors import InputError

UINT8 = 0x0800
CHUNK = 1 << 20


def header(shape: Sequence[int]) -> bytes:
    """The bytes before the data of a uint8 array of this shape."""
    return struct.pack(f">{1 + len(shape)}I", UINT8 + len(shape), *shape)


def encode(array: np.ndarray) -> bytes:
    """uint8 array → the bytes of its IDX file."""
    return header(array.shape) + array.tobytes()


def digest(array: np.ndarray) -> str:
    """SHA-256 of the IDX file that a uint8 array is the content of, without writing or copying it."""
    sha = sha256(header(array.shape))
    sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def read(path: Path, ndim: int, label: str = "") -> np.ndarray:
    """The uint8 array in an IDX file, gzipped or not, decompressed straight into its place (one copy in memory).

    label is what messages call the file (its address, for a download). Raises InputError, with a message of its own for
    a web page, no gzip, a cut file, a damaged stream, a wrong magic number, and sizes that do not fit the content.
    """
    label = label or str(path)
    try:
        with _open(path, label) as file:
            return _array(file, ndim, label)
    except EOFError:
        raise InputError(f"{label} is cut short: its gzip stream breaks off before the end.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{label} is damaged: it does not unpack ({error}).") from None
    except OSError as error:
        raise InputError(f"{label} cannot be read: {error.strerror or error}.") from None


def _open(path: Path, label: str) -> BufferedIOBase:
    """Goes by the first bytes, not by the name: some servers unpack a .gz on the way."""
    with open(path, "rb") as file:
        start = file.read(64)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if start.lstrip().startswith(b"<"):
        raise InputError(f"{label} is a web page, not data: the server or a login page answered in its place.")
    if path.suffix == ".gz" and not start.startswith(b"\0\0"):
        raise InputError(f"{label} is not gzip: it starts with {start[:4].hex(' ') or 'nothing'} instead of 1f 8b.")
    return open(path, "rb")


def _array(file: BufferedIOBase, ndim: int, label: str) -> np.ndarray:
    array = _empty(_shape(file, ndim, label), label)
    filled, surplus = _fill(file, array), file.read(1)  # the read past the end makes gzip check its CRC
    if filled < array.size or surplus:
        held = "more" if surplus else f"only {filled:,}"
        sizes = " × ".join(map(str, array.shape))
        raise InputError(f"{label} does not fit its header, {sizes} = {array.size:,} bytes: it holds {held}.")
    return array


def _shape(file: BufferedIOBase, ndim: int, label: str) -> tuple[int, ...]:
    start = file.read(4 + 4 * ndim)
    magic, expected = int.from_bytes(start[:4]), UINT8 + ndim
    if magic != expected:
        right = f"{expected} (uint8, {ndim}-dimensional)"
        raise InputError(f"{label} has the IDX magic number {magic}; it must be {right}.")
    if len(start) < 4 + 4 * ndim:
        raise InputError(f"{label} is cut short: it ends inside its header.")
    return struct.unpack(f">{ndim}I", start[4:])


def _empty(shape: tuple[int, ...], label: str) -> np.ndarray:
    try:
        return np.empty(shape, np.uint8)
    except (MemoryError, ValueError):
        raise InputError(f"{label} is damaged: its header announces {prod(shape):,} bytes.") from None


def _fill(file: BufferedIOBase, array: np.ndarray) -> int:
    """Reads into the array until it is full or the file ends; returns the number of bytes read."""
    space, filled = array.reshape(-1).data, 0
    while count := file.readinto(space[filled : filled + CHUNK]):
        filled += count
    return filled
