"""Data sets: found or fetched, verified, cached, memory-mapped. In reading order: catalogue, acquire, cache, idx.

data = load("fashion_mnist")
train, validation = split(data.y_train, 0.1, seed=0)
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from muslin.datasets import acquire, digits, own, own_table, tables
from muslin.datasets.catalogue import CATALOGUE, Entry
from muslin.datasets.dataset import Dataset, rows
from muslin.datasets.own_table import TableFacts, TableOptions
from muslin.datasets.splits import split
from muslin.errors import InputError, shown, unknown
from muslin.files import exists, expanded

__all__ = ["NAMES", "Dataset", "Place", "TableFacts", "TableOptions", "load", "named", "places", "split"]

NAMES = (*CATALOGUE, "digits")


def load(
    name: str, *, data_dir: str | Path | None = None, quiet: bool = False, table: TableOptions | None = None
) -> Dataset:
    """A data set by its name (any case, - or _), or a user's own by its path: a table, a .npz, a folder of four IDX
    files, or a folder of pictures with a folder a class.

    table: which column of a table is predicted, and more; its task is for an .npz, too.
    data_dir: the folder to take a named set from; without it, see acquire.SOURCES. quiet: no progress bar.
    Raises InputError for a name that is neither, for bad or missing data, and where the data are not to be had.
    """
    known = named(name)
    if known is None and tables.is_table(Path(str(name))):
        return own_table.load(expanded(name), table or TableOptions())
    task, path = table.task if table else None, expanded(name)
    if table is not None and table != TableOptions(task=task if known is None and exists(path) else None):
        raise InputError(f"target, drop, task, test and encoding are for tables (such as .csv); {shown(name)} is none.")
    if known in CATALOGUE:
        return _catalogued(CATALOGUE[known], data_dir, quiet)
    if known == "digits":
        return digits.load()
    if exists(path):
        return own.load(path, task)
    raise unknown("data set or path", str(name), NAMES)


def named(name: str) -> str | None:
    """The data set that muslin knows by the name; None for any other, such as a path."""
    known = str(name).lower().replace("-", "_")
    return known if known in {*CATALOGUE, "digits"} else None


class Place(NamedTuple):
    """Where a data set is. ``here``: on this machine, so that no network is needed."""

    name: str
    about: str
    where: str
    here: bool


def places() -> list[Place]:
    """The data sets that muslin knows by name, and where each is; nothing is read or fetched."""
    whereabouts = {name: acquire.whereabouts(entry) for name, entry in CATALOGUE.items()}
    catalogued = [
        Place(
            name, f"{CATALOGUE[name].title}, 70,000 pictures of 28×28", where or "to be downloaded", where is not None
        )
        for name, where in whereabouts.items()
    ]
    return [*catalogued, Place("digits", "scikit-learn's digits, 1,797 pictures of 28×28", "with scikit-learn", True)]


def _catalogued(entry: Entry, data_dir: str | Path | None, quiet: bool) -> Dataset:
    X_train, y_train, X_test, y_test = acquire.obtain(entry, data_dir, quiet=quiet).values()
    return Dataset(
        name=entry.name,
        X_train=rows(X_train),
        y_train=y_train.astype(np.int64),
        X_test=rows(X_test),
        y_test=y_test.astype(np.int64),
        class_names=entry.class_names,
        image_shape=X_train.shape[1:],
        checksums=dict(entry.checksums),
    )
