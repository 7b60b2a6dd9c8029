"""From a table to numbers: each column imputed, scaled or one-hot, by what was learned from the training rows.

A column becomes one or more features, float32, of mean 0 and standard deviation 1 in the training rows:

    number     the number, a gap filled by the median; and where there were gaps, whether there was one
    category   a feature for each frequent value, one for all rare and all unknown ones, one for a missing one
    date       days, and the places in the year and in the week as cosine and sine

Categories are 0 or 1 and not scaled.
"""

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from muslin.errors import InputError, note, shown
from muslin.preparation.columns import Column, describe
from muslin.preparation.values import Cells, as_days, as_numbers, as_texts, date_order, marks_of

#: values of a category that have a feature each, at most; share of the rows, and rows, below which a value is rare
LEVELS, RARE, FEW = 50, 0.005, 2
#: days in a year and in a week
CYCLES = {"year": 365.2425, "week": 7.0}
MISSING_LEVEL = "(missing)"
#: numbers up to which mean and deviation can be computed
LARGEST = 1e150


@dataclass(frozen=True)
class Prepared:
    """A column and what was learned of it.

    center, scale  of each of its numbers; fill: what a gap is filled with; gaps: whether a gap has a feature
    levels         of a category: the values that have a feature; rare: whether all others have one
    words          texts taken for missing
    order, mark    of dates, what stands first (see `values.date_order`); of sums of money and shares, $ or %
    """

    name: str
    kind: str
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    fill: float = 0.0
    gaps: bool = False
    levels: tuple[str, ...] = ()
    rare: bool = False
    words: tuple[str, ...] = ()
    order: str = ""
    mark: str | None = None

    @property
    def features(self) -> list[str]:
        """The names of what it becomes."""
        return list(FEATURES[self.kind](self))


@dataclass(frozen=True)
class Preparation:
    """What is done to every table before a network sees it: make one with `fit`, or `from_json`."""

    columns: tuple[Prepared, ...]
    left_out: tuple[Column, ...] = ()
    decimal_comma: bool = False
    names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def features(self) -> list[str]:
        return [name for column in self.columns for name in column.features]

    def transform(self, table: Any, where: str = "The table", decimal_comma: bool | None = None) -> np.ndarray:
        """The table (a pandas frame, or {name: Cells}; N rows) as (N × features) float32, its columns in any order.

        decimal_comma: whether its numbers have a comma in place of the point; None: as those of training.
        Raises InputError: a column that is missing, or a value that it cannot have.
        """
        self.check(table, where)
        comma = self.decimal_comma if decimal_comma is None else decimal_comma
        X = np.empty((len(table[self.columns[0].name]), len(self.features)), np.float32)
        at = 0
        for column in self.columns:
            for feature in TRANSFORM[column.kind](column, Cells.of(table[column.name]), comma, where):
                X[:, at] = _float32(feature, column, where)
                at += 1
        return X

    def check(self, table: Any, where: str) -> None:
        """Raises InputError where a column that is needed is not there, or there are no rows."""
        present = list(map(str, table))
        absent = [column.name for column in self.columns if column.name not in present]
        if absent:
            near = difflib.get_close_matches(absent[0], present, n=1)
            hint = f" Is {shown(near[0])} meant?" if near else ""
            raise InputError(
                f"{where} lacks the column{'s' * (len(absent) > 1)} {', '.join(map(shown, absent[:5]))}"
                f"{', …' * (len(absent) > 5)}, which the model was trained on.{hint}"
            )
        if not len(table[self.columns[0].name]):
            raise InputError(f"{where} has no rows; at least one is needed.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """What `to_json` gave. Raises InputError where it is something else."""
        try:
            columns = tuple(_tuples(Prepared, column) for column in value["columns"])
            left_out = tuple(_tuples(Column, column) for column in value["left_out"])
            made = cls(columns, left_out, bool(value["decimal_comma"]))
            if not all(c.kind in FEATURES and c.features is not None for c in columns):
                raise KeyError("kind")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("The preparation of the table is damaged or of another version.") from error
        return made


def _float32(feature: np.ndarray, column: Prepared, where: str) -> np.ndarray:
    wrong = ~(np.abs(feature) <= np.finfo(np.float32).max)
    if wrong.any():
        row = int(wrong.argmax()) + 1
        raise InputError(
            f"{where}: the column {shown(column.name)} has a number in row {row} below the names that is too large; "
            "single precision holds up to 3e38 of its standard deviations."
        )
    return feature


def _tuples(kind: type, value: dict[str, Any]) -> Any:
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})


def fit(table: Any, decimal_comma: bool = False) -> tuple[Preparation, list[Column]]:
    """(the preparation learned from these rows, what each column is).  table: without the target.

    Raises InputError where no column is left to learn from.
    """
    columns, prepared = [], []
    for name in table:
        cells = Cells.of(table[name])
        columns.append(column := describe(cells, str(name), decimal_comma))
        if column.used:
            prepared.append(FIT[column.kind](column, cells, decimal_comma))
    if not prepared:
        kinds = ", ".join(f"{c.name}: {c.kind}" for c in columns[:10]) or "there is none"
        raise InputError(f"No column is left to learn from ({kinds}).")
    left_out = tuple(c for c in columns if not c.used)
    return Preparation(tuple(prepared), left_out, decimal_comma), columns


# Learning, by scikit-learn's transformers


def _fit_number(column: Column, values: Any, decimal_comma: bool) -> Prepared:
    from sklearn.impute import SimpleImputer

    X = as_numbers(values, decimal_comma)[:, None]
    X[~np.isfinite(X)] = np.nan
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(X)
    filled = imputer.transform(X)
    if not np.abs(filled).max() <= LARGEST:
        raise InputError(
            f"The column {shown(column.name)} holds numbers up to {np.abs(filled).max():.0e}; up to {LARGEST:.0e} is "
            "right: take their logarithms, or leave it out with --drop."
        )
    center, scale = _standard(filled)
    gaps = filled.shape[1] > 1
    texts, missing = as_texts(values)
    mark = max(marks_of(texts[~missing & ~np.isin(texts, column.words)]), default="")
    fill = float(imputer.statistics_[0])
    return Prepared(column.name, "number", center, scale, fill, gaps, words=column.words, mark=mark)


def _fit_category(column: Column, values: Any, decimal_comma: bool) -> Prepared:
    from sklearn.preprocessing import OneHotEncoder

    levels = _levels(values)[:, None]
    few = max(FEW, int(np.ceil(RARE * len(levels))))
    encoder = OneHotEncoder(
        min_frequency=few, max_categories=LEVELS, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(levels)
    rare = set() if encoder.infrequent_categories_[0] is None else set(encoder.infrequent_categories_[0])
    kept = tuple(str(level) for level in encoder.categories_[0] if level not in rare)
    return Prepared(column.name, "category", levels=kept, rare=bool(rare))


def _fit_date(column: Column, values: Any, decimal_comma: bool) -> Prepared:
    from sklearn.impute import SimpleImputer

    days = as_days(values)[:, None]
    imputer = SimpleImputer(strategy="median").fit(days)
    fill, gaps = float(imputer.statistics_[0]), bool(np.isnan(days).any())
    center, scale = _standard(np.column_stack(list(_dated(days[:, 0], fill, gaps))))
    there = as_texts(values)[0][np.isfinite(days[:, 0])]
    order = "" if values.dtype.kind == "M" else date_order(there)
    return Prepared(column.name, "date", center, scale, fill, gaps, words=column.words, order=order)


def _standard(X: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(X)
    return tuple(scaler.mean_.tolist()), tuple(scaler.scale_.tolist())


# Applying


def _number(column: Prepared, values: Any, decimal_comma: bool, where: str) -> Iterator[np.ndarray]:
    X = as_numbers(values, decimal_comma, column.mark)
    texts, missing = as_texts(values)
    _refuse_texts(column, texts, ~np.isfinite(X) & ~missing & ~np.isin(texts, column.words), where, "a number")
    gap = ~np.isfinite(X)
    parts = [np.where(gap, column.fill, X), *([gap.astype(float)] if column.gaps else [])]
    yield from _scaled(column, parts)


def _category(column: Prepared, values: Any, decimal_comma: bool, where: str) -> Iterator[np.ndarray]:
    texts, places = _levels(values), {level: place for place, level in enumerate(column.levels)}
    numbers = np.array([places.get(text, -1) for text in texts])
    if column.levels and (numbers < 0).all():
        note(f"{where}: the model knows no value of the column {shown(column.name)} there, as {shown(texts[0])}.")
    for place in range(len(column.levels)):
        yield numbers == place
    if column.rare:
        yield numbers < 0


def _date(column: Prepared, values: Any, decimal_comma: bool, where: str) -> Iterator[np.ndarray]:
    days = as_days(values, column.order)
    texts, missing = as_texts(values)
    right = f"a date, the {column.order} first as in training" if column.order else "a date"
    _refuse_texts(column, texts, np.isnan(days) & ~missing & ~np.isin(texts, column.words), where, right)
    yield from _scaled(column, _dated(days, column.fill, column.gaps))


def _dated(days: np.ndarray, fill: float, gaps: bool) -> Iterator[np.ndarray]:
    gap = np.isnan(days)
    days = np.where(gap, fill, days)
    yield days
    for length in CYCLES.values():
        angle = 2 * np.pi * np.fmod(days, length) / length  # the same for every Monday, to the bit
        yield np.cos(angle)
        yield np.sin(angle)
    if gaps:
        yield gap.astype(float)


def _scaled(column: Prepared, parts: Any) -> Iterator[np.ndarray]:
    for part, center, scale in zip(parts, column.center, column.scale, strict=True):
        yield (part - center) / scale


def _levels(values: Any) -> np.ndarray:
    texts, missing = as_texts(values)
    return np.where(missing, MISSING_LEVEL, texts)


def _refuse_texts(column: Prepared, texts: np.ndarray, wrong: np.ndarray, where: str, right: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{where}: the column {shown(column.name)} holds {shown(texts[row])} in row {row + 1} below the names; "
            f"it must be {right}, or empty."
        )


def _number_features(column: Prepared) -> Iterator[str]:
    yield column.name
    if column.gaps:
        yield f"{column.name} missing"


def _category_features(column: Prepared) -> Iterator[str]:
    yield from (f"{column.name} = {level}" for level in column.levels)
    if column.rare:
        yield f"{column.name} = another"


def _date_features(column: Prepared) -> Iterator[str]:
    yield f"{column.name} days"
    yield from (f"{column.name} {part} of the {cycle}" for cycle in CYCLES for part in ("cosine", "sine"))
    if column.gaps:
        yield f"{column.name} missing"


#: kind of column → what learns it, applies it, names its features
FIT = {"number": _fit_number, "category": _fit_category, "date": _fit_date}
TRANSFORM = {"number": _number, "category": _category, "date": _date}
FEATURES = {"number": _number_features, "category": _category_features, "date": _date_features}
