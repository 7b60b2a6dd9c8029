"""A user's own table as a data set: which column is predicted, which rows test, and what is done to the others."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muslin import preparation
from muslin.datasets import tables
from muslin.datasets.dataset import Dataset
from muslin.datasets.splits import split
from muslin.errors import InputError, shown, unknown, visible
from muslin.files import opened
from muslin.preparation import Column, Preparation, Target
from muslin.preparation.target import find_target
from muslin.preparation.values import Cells, as_texts

#: share of the rows that test, where nothing else is said
TEST = 0.2


@dataclass(frozen=True)
class TableOptions:
    """target: name of the column to predict; drop: names of columns to leave out; task: "classification",
    "regression" or None, found from the target; test: share of the rows that test, or another table; encoding: of
    its text, or None, UTF-8."""

    target: str | None = None
    drop: tuple[str, ...] = ()
    task: str | None = None
    test: str | float | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class TableFacts:
    """What a network needs of the table that it was trained on, and what a person wants to know of it."""

    preparation: Preparation
    target: Target
    columns: tuple[Column, ...] = ()
    without_target: int = 0
    encoding: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"preparation": self.preparation.to_json(), "target": self.target.to_json()} | {
            "columns": [vars(column) for column in self.columns],
            "without_target": self.without_target,
            "encoding": self.encoding,
        }

    @classmethod
    def from_json(cls, value: Any) -> "TableFacts":
        """Raises InputError where it is not what `to_json` gave."""
        try:
            columns = tuple(Column(**{**column, "words": tuple(column["words"])}) for column in value["columns"])
            parts = value["preparation"], value["target"], int(value["without_target"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("The preparation of the table is damaged or of another version.") from error
        prepared, target, lost = parts
        return cls(Preparation.from_json(prepared), Target.from_json(target), columns, lost, value.get("encoding"))

    def read(self, path: Path, encoding: str | None = None) -> tuple[Any, tables.Marks]:
        """(another table, its marks); what it does not say itself is as in that of training."""
        return tables.read(path, self.preparation.decimal_comma, encoding, self.encoding)

    def samples(self, path: Path) -> np.ndarray:
        """The rows of another table as inputs (N × features). Raises InputError where it does not fit."""
        table, marks = self.read(path)
        return self.preparation.transform(table, visible(str(path)), marks.decimal_comma)

    def samples_and_targets(self, path: Path, encoding: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The rows of another table that has the target: (inputs, targets)."""
        table, marks = self.read(path, encoding)
        where, comma = visible(str(path)), marks.decimal_comma
        if self.target.name not in table.columns:
            raise InputError(f"{where} lacks the column {shown(self.target.name)}, which is to be predicted.")
        return self.preparation.transform(table, where, comma), self.target.encode(
            table[self.target.name], where, comma
        )


def load(path: Path, options: TableOptions) -> Dataset:
    """The data set in a table. Raises InputError, with one sentence, for whatever is unfit."""
    where = visible(str(path))
    table, marks = tables.read(path, encoding=options.encoding)
    comma = marks.decimal_comma
    target = _target_name(table, options, where)
    checksums = {path.name: _digest(path)}
    every = table[target]
    table, lost = _with_target(table, target, where)
    left_out = [target, *_dropped(table, options, target, where)]
    X, names = {name: Cells.of(table[name]) for name in table if name not in left_out}, Cells.of(table[target])
    answer = find_target(names, target, options.task, where, comma)
    if isinstance(test := _test(options.test, len(table)), Path):
        rows, rows_test, other = np.arange(len(table)), None, test
        checksums[test.name] = _digest(test)
    else:
        (rows, rows_test), other = _split(answer, names, test, where, comma), None
    X_train, y_train = _rows(X, rows), names.take(rows)
    prepared, columns = preparation.fit(X_train, comma)
    if answer.task == "regression":
        answer = find_target(y_train, target, "regression", where, comma)
    facts = TableFacts(
        prepared, answer, tuple(columns), lost, options.encoding, target_notes(every, bool(answer.classes))
    )
    X_test, y_test = None, None
    if other is not None:
        X_test, y_test = facts.samples_and_targets(other)
    elif rows_test is not None and len(rows_test):
        X_test = prepared.transform(_rows(X, rows_test), where)
        y_test = answer.encode(names.take(rows_test), where, comma)
    return Dataset(
        name=path.stem,
        X_train=prepared.transform(X_train, where),
        y_train=answer.encode(y_train, where, comma),
        X_test=X_test,
        y_test=y_test,
        class_names=answer.classes,
        image_shape=None,
        checksums=checksums,
        table=facts,
    )


def _rows(X: dict[str, Cells], rows: np.ndarray) -> dict[str, Cells]:
    return {name: cells.take(rows) for name, cells in X.items()}


def _target_name(table: Any, options: TableOptions, where: str) -> str:
    columns = list(table.columns)
    if len(columns) == 1 and options.target not in (None, columns[0]):
        raise InputError(
            f"{where} has one column only, {shown(columns[0])}; the values of a line must be parted by commas, "
            "semicolons, tabs or |."
        )
    if options.target is None:
        some = ", ".join(columns[:12]) + ", …" * (len(columns) > 12)
        raise InputError(f"{where} is a table: --target must name the column to predict, one of {some}.")
    if options.target not in columns:
        raise unknown("target column", options.target, columns)
    return options.target


def _with_target(table: Any, target: str, where: str) -> tuple[Any, int]:
    """(the rows that have a target, how many have none)."""
    missing = as_texts(table[target])[1]
    kept = table[~missing]
    if len(kept) < 2:
        raise InputError(f"{where}: {len(kept)} of its rows has a value in {shown(target)}; at least two are needed.")
    return kept, int(missing.sum())


def target_notes(values: Any, classes: bool) -> tuple[str, ...]:
    """What a person should know of a column that is to be predicted: words taken for missing values; classes of a
    single row; classes that differ by capital letters only."""
    texts, missing = as_texts(values)
    words = sorted({*texts[missing].tolist()} - {""})
    lost = f"of them {_listed(words)}" if words else ""
    if not classes:
        return (lost,) if lost else ()
    names, counts = np.unique(texts[~missing].astype(str), return_counts=True)
    single = [name for name, count in zip(names.tolist(), counts, strict=True) if count == 1]
    lost = lost and f"{lost}: write another word where that is a class"
    few = f"{_listed(single)}: one row, too few to learn from and to test with" if single else ""
    lower = [name.lower() for name in names.tolist()]
    alike = [name for name in names.tolist() if lower.count(name.lower()) > 1]
    return tuple(
        note for note in (lost, few, alike and f"{_listed(alike)}: classes that differ by letter case") if note
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(shown, names[:5])) + ", …" * (len(names) > 5)


def _dropped(table: Any, options: TableOptions, target: str, where: str) -> list[str]:
    for name in options.drop:
        if name == target:
            raise InputError(f"{where}: {shown(name)} is the target, and cannot be dropped.")
        if name not in table.columns:
            raise unknown("column to drop", name, list(table.columns))
    return list(options.drop)


def _test(test: str | float | None, n: int) -> float | Path:
    """The share of the rows that test, or the path of another table."""
    if test is None:
        return TEST if n >= 10 else 0.0
    try:
        share = float(test)
    except ValueError:
        path = Path(str(test)).expanduser()
        if not tables.is_table(path):
            raise InputError(
                f"--test is {shown(test)}; it must be a share of the rows from 0 to below 1, or a table."
            ) from None
        return path
    if not 0 <= share < 1:
        raise InputError(f"--test is {test}; it must be a share of the rows from 0 to below 1, or a table.")
    return share


def _split(target: Target, values: Any, share: float, where: str, comma: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of training and of test: always the same ones, whatever the seed of a run, each in the file's order."""
    classes = target.task == "classification"
    labels = target.encode(values, where, comma) if classes else np.zeros(len(values), np.int64)
    rows, rows_test = (np.sort(part) for part in split(labels, share, seed=0, stratify=classes))
    if classes and len(np.unique(labels[rows])) < 2:
        raise InputError(f"{where}: only one class is left for training; give more rows, or --test 0.")
    return rows, rows_test


def _digest(path: Path) -> str:
    with opened(path, "table") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
