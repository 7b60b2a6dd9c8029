"""What each column of a table is, found from its name and its values."""

import re
from dataclasses import dataclass

import numpy as np

from muslin.preparation.values import (
    DATE,
    MOST,
    Cells,
    Values,
    as_days,
    as_numbers,
    as_texts,
    date_order,
    is_truth,
    of_each,
)

#: name of a column that numbers the rows
ID = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|index|key|row|nr|no|number)$", re.IGNORECASE)
#: rows from which on a column of values that are all different is taken for an id; different values from which on
#: `MOST` of them may decide what a column is, and other texts that there may be then
MANY, SEVERAL = 20, 10

#: kinds that a network learns from
USED = ("number", "category", "date")

#: digits that are a code and no number: all of one length, some with zeros in front
CODE, ZERO = re.compile(r"\d+"), re.compile(r"0\d+")
#: a number with a unit behind it; dates and times in other ways than those that are read
UNIT = re.compile(r"[+-]?\d[\d.,]*\s*([^\d\s.,:/-][^\d]*)")
OTHER_DATE = re.compile(
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|.*\b\d{1,2}:\d{2}\b.*|.*\d.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"[a-z]*\b.*|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d.*",
    re.IGNORECASE,
)
#: numbers that often stand for a gap
GAPS = (-99999, -9999, -999, -99, 9999, 99999, 999999)


@dataclass(frozen=True)
class Column:
    """What a column is: "number", "category" or "date"; or, not used, "id", "constant" or "empty".

    missing: how many values are missing; words: texts in a column of numbers or dates that are taken for missing.
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
    values = Cells.of(values)
    texts, missing = as_texts(values)
    there = texts[~missing]
    n, distinct = len(there), len(set(there))
    lost = int(missing.sum())
    if not n:
        return Column(name, "empty", lost, "no value at all")
    if distinct == 1:
        about = f"always {there[0]!r}"
        return Column(name, "category", lost, f"{about}, or missing") if lost else Column(name, "constant", 0, about)
    numbers = as_numbers(values, decimal_comma)[~missing]
    if is_truth(values):
        return Column(name, "category", lost, f"{distinct:,} values")
    if not _codes(there) and _mostly(np.isfinite(numbers), there):
        return _with_words(_number(name, numbers[np.isfinite(numbers)], lost), np.isfinite(numbers), there)
    days = as_days(values)[~missing]
    if _mostly(np.isfinite(days), there):
        first, last = (str(np.datetime64(int(day), "D")) for day in (np.nanmin(days), np.nanmax(days)))
        order = date_order(there[np.isfinite(days)])
        about = f"{first} to {last}" + (f", the {order} first" if order in ("day", "month") else "")
        return _with_words(Column(name, "date", lost, about), np.isfinite(days), there)
    if n >= MANY and distinct > MOST * n:
        return Column(name, "id", lost, f"{distinct:,} different texts in {n:,} rows{_hint(there, numbers)}")
    return Column(name, "category", lost, f"{distinct:,} values{_hint(there, numbers)}")


def _mostly(some: np.ndarray, there: np.ndarray) -> bool:
    """Whether the texts are all of a kind, or nearly all, of several, and the others are a few words."""
    if some.all():
        return True
    return some.mean() >= MOST and len(set(there[some])) >= SEVERAL >= len(set(there[~some]))


def _with_words(column: Column, some: np.ndarray, there: np.ndarray) -> Column:
    """The column, with the texts that are taken for missing."""
    if some.all():
        return column
    words, lost = tuple(sorted(set(there[~some].tolist()))), int((~some).sum())
    taken = f"{lost} taken for missing: {', '.join(map(repr, words[:3]))}{', …' * (len(words) > 3)}"
    return Column(column.name, column.kind, column.missing + lost, f"{column.about}; {taken}", words)


def _codes(there: np.ndarray) -> bool:
    """Whether the texts are codes, as postal ones: 01067."""
    different = set(there)
    return (
        any(ZERO.fullmatch(text) for text in different)
        and len({len(text) for text in different}) == 1
        and all(CODE.fullmatch(text) for text in different)
    )


def _number(name: str, numbers: np.ndarray, missing: int) -> Column:
    n, low, high = len(numbers), numbers.min(), numbers.max()
    whole = bool((numbers == np.round(numbers)).all())
    counts = low <= SEVERAL and high < 2 * n + SEVERAL and bool((np.diff(numbers) > 0).all())  # also where rows lack
    if n >= MANY and whole and len(np.unique(numbers)) == n and (counts or ID.search(name)):
        return Column(name, "id", missing, f"{n:,} different whole numbers")
    return Column(name, "number", missing, f"{low:,.6g} to {high:,.6g}{_gap(numbers)}{_eight_digits(numbers, whole)}")


def _gap(numbers: np.ndarray) -> str:
    """A word where a number looks as if it stood for a gap: often there, at the end, and far from all others."""
    for gap in GAPS:
        others = numbers[numbers != gap]
        if len(numbers) - len(others) >= 2 < len(others) and abs(gap) > 5 * np.abs(others).max():
            return f"; {gap} in {len(numbers) - len(others)} rows: if it stands for a gap, leave it empty"
    return ""


def _eight_digits(numbers: np.ndarray, whole: bool) -> str:
    if not whole or numbers.min() < 19_000_101 or numbers.max() > 21_001_231:
        return ""
    months, days = numbers // 100 % 100, numbers % 100
    fits = months.min() >= 1 and months.max() <= 12 and days.min() >= 1 and days.max() <= 31
    return "; if these are dates, write them as 2024-01-31" if fits else ""


def _hint(there: np.ndarray, numbers: np.ndarray) -> str:
    """A word where texts are nearly something else that would be learned better."""
    some = np.isfinite(numbers)
    if 0.5 <= some.mean() < 1 and len(set(there[some])) >= SEVERAL:
        words = sorted(set(there[~some]))
        return f"; {int(some.sum()):,} are numbers, {', '.join(map(repr, words[:3]))}{', …' * (len(words) > 3)} not"
    units = {match[1].strip() if (match := UNIT.fullmatch(text)) else None for text in set(there)}
    if len(units) == 1 and None not in units:
        return f"; without {units.pop()!r} they would be numbers"
    dates = sum(of_each(there, lambda text: bool(DATE.fullmatch(text) or OTHER_DATE.fullmatch(text))))
    return "; if these are dates, write all as 2024-01-31" if dates >= MOST * len(there) else ""
