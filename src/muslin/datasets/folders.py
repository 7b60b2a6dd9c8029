"""A catalogued data set in a folder: where its files are, and whether they are the right ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from muslin.datasets import idx
from muslin.datasets.catalogue import FILES, Entry, owner
from muslin.errors import InputError

Source = Iterator[tuple[str, np.ndarray]]  # (file, verified array), one at a time: two large ones never meet in memory


class NotHere(Exception):
    """A source does not have the data. The message is a clause, without a full stop, for the list of all tried."""


def find(folder: Path, file: str) -> Path | None:
    """An IDX file in a folder, gzipped or not."""
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)


def home(entry: Entry, root: Path) -> Path:
    """The first of a data folder and its known sub-folders that has any of the files. Raises NotHere."""
    if not root.is_dir():
        raise NotHere(f"{root} is not a folder")
    for folder in (root, *(root / name for name in entry.folders)):
        if any(find(folder, file) for file in entry.checksums):
            return folder
    files, folders = ", ".join(entry.checksums), ", ".join(entry.folders)
    raise NotHere(f"{root} has none of {files} (.gz or not), nor has a sub-folder {folders}")


def read(entry: Entry, folder: Path) -> Source:
    """All files of a folder. Raises NotHere with the names of those missing, InputError for a bad one."""
    paths = {file: path for file in entry.checksums if (path := find(folder, file))}
    if missing := [file for file in entry.checksums if file not in paths]:
        raise NotHere(f"{folder} lacks {', '.join(missing)} (.gz or not)")
    for file, path in paths.items():
        yield file, verified(entry, file, path)


def verified(entry: Entry, file: str, path: Path, label: str = "") -> np.ndarray:
    """The array in an IDX file, its payload's SHA-256 being the catalogue's. Raises InputError for any other file."""
    array = idx.read(path, FILES[file], label)
    digest, expected = idx.digest(array), entry.checksums[file]
    if digest != expected:
        hashes = f"expected SHA-256 {expected[:12]}…, found {digest[:12]}…"
        known = f", {owner(digest)}'s" if owner(digest) else ""
        raise InputError(f"{label or path} is not {entry.title}'s {file}: {hashes}{known}.")
    return array
