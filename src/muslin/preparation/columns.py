"""What each column of a table is, found from its name and its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: a column (N,): of a frame, or an array, or a list
Values = Union["pd.Series", np.ndarray, Sequence[Any]]

#: words that stand for a value that is missing
MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", "."}
#: name of a column that numbers the rows
ID = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|index|key|row|nr|no|number)$", re.IGNORECASE)
#: a text that may be a date: year, month and day, or with a time
DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?\s*")
#: a number in which commas part the thousands, and one with a comma in place of the point
THOUSANDS, DECIMAL = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"), re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
#: rows from which on a column of values that are all different is taken for an id; share of numbers that makes a
#: column one of numbers; different values from which on that share is asked
MANY, MOST, SEVERAL = 20, 0.9, 10

#: kinds that a network learns from
USED = ("number", "category", "date")


@dataclass(frozen=True)
class Column:
    """What a column is: "number", "category" or "date"; or, not used, "id", "constant" or "empty".

    missing: how many values are missing; words: texts in a column of numbers that are taken for missing values.
    """

    name: str
    kind: str
    missing: int
    about: str
    words: tuple[str, ...] = ()

    @property
    def used(self) -> bool:
        return self.kind in USED


def describe(values: Values, name: str, decimal_comma: bool = False) -> Column:
    """What the column is.  values: (N,) objects or numbers, as a pandas Series gives them."""
    texts, missing = as_texts(values)
    there = texts[~missing]
    n, distinct = len(there), len(set(there))
    lost = int(missing.sum())
    if not n:
        return Column(name, "empty", lost, "no value at all")
    if distinct == 1:
        about = f"always {there[0]!r}"
        return Column(name, "category", lost, f"{about}, or missing") if lost else Column(name, "constant", 0, about)
    numbers = as_numbers(values, decimal_comma)
    some = np.isfinite(numbers[~missing])
    words = tuple(sorted(set(there[~some].tolist())))
    if some.all() and not is_truth(values):
        return _number(name, numbers[~missing], lost)
    if len(set(there[some])) >= SEVERAL and some.mean() >= MOST and len(words) <= SEVERAL:
        kept = _number(name, numbers[~missing][some], lost + int((~some).sum()))
        taken = f"{int((~some).sum())} taken for missing: {', '.join(map(repr, words[:3]))}{', …' * (len(words) > 3)}"
        return Column(name, kept.kind, kept.missing, f"{kept.about}; {taken}", words)
    if is_date(values, there):
        days = as_days(values, name)[~missing]
        first, last = (str(np.datetime64(int(day), "D")) for day in (np.min(days), np.max(days)))
        return Column(name, "date", lost, f"{first} to {last}")
    if n >= MANY and distinct > MOST * n:
        return Column(name, "id", lost, f"{distinct:,} different texts in {n:,} rows")
    return Column(name, "category", lost, f"{distinct:,} values")


def _number(name: str, numbers: np.ndarray, missing: int) -> Column:
    n, low, high = len(numbers), numbers.min(), numbers.max()
    whole = bool((numbers == np.round(numbers)).all())
    counts = low <= SEVERAL and high < 2 * n + SEVERAL and bool((np.diff(numbers) > 0).all())  # also where rows lack
    if n >= MANY and whole and len(np.unique(numbers)) == n and (counts or ID.search(name)):
        return Column(name, "id", missing, f"{n:,} different whole numbers")
    return Column(name, "number", missing, f"{low:,.6g} to {high:,.6g}")


def _kind(values: Values) -> str | None:
    """NumPy's letter for what the values are: b, i, u, f, M, O, …"""
    return getattr(getattr(values, "dtype", None), "kind", None)


def is_truth(values: Values) -> bool:
    return _kind(values) == "b"


def as_texts(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """(each value as a text without blanks around it, which are missing), both (N,)."""
    import pandas as pd

    gone = np.asarray(pd.isna(values), bool)
    array = np.asarray(values, object)
    texts = np.array(["" if lost else text_of(value) for value, lost in zip(array, gone, strict=True)], object)
    return texts, gone | np.array([text.lower() in MISSING for text in texts], bool)


def text_of(value: object) -> str:
    """A whole number that a gap in its column has made a float is written as one: 3, and not 3.0."""
    if isinstance(value, float | np.floating) and np.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value).strip()


def as_numbers(values: Values, decimal_comma: bool = False) -> np.ndarray:
    """The values as float64 (N,); NaN where there is none, or another text."""
    if _kind(values) in ("i", "u", "f"):
        return np.array(values, np.float64)  # a copy: a frame's own memory is not written into
    texts, missing = as_texts(values)
    return np.array([_number_of(t, decimal_comma) if not m else np.nan for t, m in zip(texts, missing, strict=True)])


def _number_of(text: str, decimal_comma: bool) -> float:
    if decimal_comma and DECIMAL.fullmatch(text):
        text = text.replace(",", ".")
    elif THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan


def is_date(values: Values, there: np.ndarray) -> bool:
    if _kind(values) == "M":
        return True
    if not all(DATE.fullmatch(text) for text in there):
        return False
    try:
        as_days(there, "")
    except ValueError:
        return False
    return True


def as_days(values: Values, name: str) -> np.ndarray:
    """Dates as days since 1970-01-01, float64 (N,), NaN where one is missing.

    Raises ValueError for a text that is none, or a column in which day and month could be either.
    """
    import pandas as pd

    if _kind(values) == "M":
        stamps = pd.Series(values)
        stamps = stamps.dt.tz_convert(None) if stamps.dt.tz is not None else stamps
    else:
        texts, missing = as_texts(values)
        if wrong := next((text for text in texts[~missing] if not DATE.fullmatch(text)), None):
            raise ValueError(f"{wrong!r} is no date")
        stamps = pd.Series(np.where(missing, None, texts))
        stamps = pd.to_datetime(stamps, format=date_format(texts[~missing]), utc=True).dt.tz_convert(None)
    return ((stamps - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(np.float64)


def date_format(texts: np.ndarray) -> str:
    """How dates are written: by ISO 8601, or with the day or the month first, whichever fits all of them.

    Raises ValueError where neither does. Where both do, points mean day first, strokes month first.
    """
    parts = [re.split(r"[-/.T :]", text.strip())[:3] for text in texts]
    if all(len(p[0]) == 4 for p in parts):
        return "ISO8601" if all("-" in text for text in texts) else _ordered(texts[0], "%Y", "%m", "%d")
    first, second = (max(int(p[i]) for p in parts) for i in (0, 1))
    if first > 12 < second or any(len(p[2]) != 4 for p in parts):
        raise ValueError("neither the day nor the month can stand first")
    day_first = first > 12 or (second <= 12 and "." in texts[0])
    return _ordered(texts[0], *(("%d", "%m") if day_first else ("%m", "%d")), "%Y")


def _ordered(text: str, *parts: str) -> str:
    mark = next(c for c in text if c in "-/.")
    clock = "%H:%M:%S" if text.count(":") > 1 else "%H:%M"
    return mark.join(parts) + (f"{'T' if 'T' in text else ' '}{clock}" if ":" in text else "")
