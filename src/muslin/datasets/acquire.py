"""Where the files of a catalogued data set come from: a table of sources, asked in turn until one has them all."""

import os
from pathlib import Path

import numpy as np

from muslin.datasets import apt, cache, folders, mirrors
from muslin.datasets.catalogue import Entry
from muslin.datasets.folders import NotHere, Source
from muslin.errors import InputError
from muslin.files import expanded

SYSTEM = Path("/")


def obtain(entry: Entry, data_dir: str | Path | None = None, *, quiet: bool = False) -> dict[str, np.ndarray]:
    """file → uint8 array, (N × 28 × 28) or (N), memory-mapped from the cache wherever that can be written.

    With data_dir, from that folder or not at all. Raises InputError: for a data_dir that lacks a file or has a bad one,
    or where no source has the data, with all that was tried and why each failed.
    """
    if data_dir is not None:
        return _kept(entry, _given(entry, Path(data_dir)))
    reasons = []
    for title, source in SOURCES.items():
        try:
            return _kept(entry, source(entry, quiet))
        except NotHere as reason:
            reasons.append(f"{title}: {reason}")
        except InputError as bad:
            cache.note(f"{bad} It is not used.")
            reasons.append(f"{title}: {str(bad).rstrip('.')}")
        except OSError as error:
            reasons.append(f"{title}: {cache.why(error)}")
    raise InputError(f"{entry.title} is not to be had ({'; '.join(reasons)}). {_remedy(entry)}")


def _kept(entry: Entry, source: Source) -> dict[str, np.ndarray]:
    return {file: cache.keep(entry, file, array) for file, array in source}


def _remedy(entry: Entry) -> str:
    package = f", `sudo apt-get install {entry.package}`" if entry.package else ""
    return f"What helps: --data-dir with the folder of its four files{package}, or --dataset digits."


def _given(entry: Entry, root: Path) -> Source:
    """The folder of --data-dir, where an absent file is an error like a bad one."""
    try:
        yield from folders.read(entry, folders.home(entry, expanded(root)))
    except NotHere as reason:
        raise InputError(f"--data-dir: {reason}.") from None


def _from_environment(entry: Entry, quiet: bool) -> Source:
    if not (root := os.environ.get("MUSLIN_DATA")):
        raise NotHere("not set")
    yield from folders.read(entry, folders.home(entry, expanded(root)))


def _from_cache(entry: Entry, quiet: bool) -> Source:
    for file in entry.checksums:
        if (array := cache.get(entry, file)) is None:
            raise NotHere(f"{cache.place(entry, file)} is not there")
        yield file, array


def _from_system(entry: Entry, quiet: bool) -> Source:
    if not entry.package:
        raise NotHere("there is none")
    if not (folder := SYSTEM / entry.package_folder).is_dir():
        raise NotHere(f"{entry.package} is not installed")
    yield from folders.read(entry, folder)


SOURCES = {
    "MUSLIN_DATA": _from_environment,
    "cache": _from_cache,
    "system package": _from_system,
    "mirrors": mirrors.read,
    "apt": apt.read,
}


def whereabouts(entry: Entry) -> str | None:
    """The first source on this machine that has all four files, by their names alone; None if none has."""
    return next((name for name, has in LOCAL.items() if has(entry)), None)


def _in_folder(entry: Entry, root: Path) -> bool:
    try:
        folder = folders.home(entry, root)
    except NotHere:
        return False
    return all(folders.find(folder, file) for file in entry.checksums)


#: the sources that need no network → whether one has the files
LOCAL = {
    "MUSLIN_DATA": lambda entry: "MUSLIN_DATA" in os.environ and _in_folder(entry, expanded(os.environ["MUSLIN_DATA"])),
    "cache": lambda entry: all(cache.place(entry, file).is_file() for file in entry.checksums),
    "system package": lambda entry: bool(entry.package) and _in_folder(entry, SYSTEM / entry.package_folder),
}
