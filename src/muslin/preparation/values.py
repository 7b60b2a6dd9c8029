"""A column's values as texts, as numbers and as days: the ways in which people write them, each read in one way."""

import contextlib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, Union

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: a column (N,): of a frame, or an array, or a list; or already as texts
Values = Union["pd.Series", np.ndarray, Sequence[Any], "Cells"]
T = TypeVar("T")

#: words that stand for a value that is missing; infinity and what a spreadsheet could not compute are none either
MISSING = {"", "na", "n/a", "n.a.", "nan", "nat", "null", "none", "nil", "?", "-", "--", "."} | {
    *("inf", "+inf", "-inf", "infinity", "-infinity"),
    *("#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
}
#: a text that may be a date: year, month and day, or with a time
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?")
#: share of the values from which on the others are taken for missing
MOST = 0.9

THOUSAND = r"[+-]?[1-9]\d{0,2}"
#: thousands parted by commas, by points, by blanks or apostrophes; a comma in place of the point
COMMAS, POINTS = re.compile(THOUSAND + r"(,\d{3})+(\.\d+)?"), re.compile(THOUSAND + r"(\.\d{3})+(,\d+)?")
PARTED = re.compile(THOUSAND + r"([ \u00a0\u2009\u202f'\u2019])\d{3}(\1\d{3})*([.,]\d+)?")
DECIMAL = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
#: numbers of which the mark can be a decimal comma only, or a decimal point only: 3,5 and 0.126, but not 1,234 or 1.234
COMMA_ONLY, POINT_ONLY = (
    re.compile(
        rf"[+-]?(0{mark}\d+|\d+{mark}\d{{1,2}}|\d+{mark}\d{{4,}}|\d{{4,}}{mark}\d+|[1-9]\d{{0,2}}({other}\d{{3}})+{mark}\d+)"
    )
    for mark, other in ((",", r"\."), (r"\.", ","))
)
#: a sum of money or a share: what stands before or behind the number
MONEY = "$€£¥₹₽₩"
MARKED = re.compile(rf"([+-]?)([{MONEY}]?)\s*([+-]?[\d(].*?)\s*([{MONEY}%]?)")
#: accountants' negative numbers
NEGATIVE = re.compile(r"\((\d[\d.,]*)\)")


def _kind(values: Values) -> str | None:
    """NumPy's letter for what the values are: b, i, u, f, M, O, …"""
    return getattr(getattr(values, "dtype", None), "kind", None)


def is_truth(values: Values) -> bool:
    return _kind(values) == "b"


@dataclass(frozen=True)
class Cells:
    """A column with its texts, for whoever asks for them more than once: those of a long one take their time."""

    values: Any
    texts: np.ndarray
    missing: np.ndarray

    @classmethod
    def of(cls, values: Values) -> "Cells":
        return values if isinstance(values, Cells) else cls(values, *as_texts(values))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Cells":
        """Some rows of it."""
        return Cells(getattr(self.values, "iloc", self.values)[rows], self.texts[rows], self.missing[rows])

    @property
    def dtype(self) -> Any:
        return getattr(self.values, "dtype", None)


def as_texts(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """(each value as a text without blanks around it, in Unicode's composed form; which are missing), both (N,)."""
    import pandas as pd

    if isinstance(values, Cells):
        return values.texts, values.missing
    rows = zip(np.asarray(values, object), pd.isna(values), strict=True)
    texts = ["" if gone else value.strip() if type(value) is str else text_of(value) for value, gone in rows]
    if not "".join(texts).isascii():
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    words = {text for text in set(texts) if text.lower() in MISSING}
    return np.array(texts, object), np.array([text in words for text in texts], bool)


def of_each(texts: Iterable[str], function: Callable[[str], T]) -> list[T]:
    """What the function says of each text; it is asked once about those that are the same."""
    texts = list(texts)
    answers = {text: function(text) for text in set(texts)}
    return [answers[text] for text in texts]


def text_of(value: object) -> str:
    """The value as a text; a whole number that a gap in its column has made a float is written as one: 3, not 3.0."""
    if isinstance(value, float | np.floating) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value).strip()


# Numbers


def as_numbers(values: Values, decimal_comma: bool = False, mark: str | None = None) -> np.ndarray:
    """The values as float64 (N,); NaN where there is none, or another text.

    Lengths of time are seconds. Sums of money and shares are numbers, where all have the same mark ($5 and $7;
    10 % and 20 %), and it is the one that is given, if one is.
    """
    if _kind(values) == "m":
        return np.asarray(values.values if isinstance(values, Cells) else values) / np.timedelta64(1, "s")
    if _kind(values) in ("i", "u", "f"):
        return np.array(values.values if isinstance(values, Cells) else values, np.float64)  # a copy
    texts, missing = as_texts(values)
    if decimal_comma and any(POINT_ONLY.fullmatch(text) for text in texts):
        decimal_comma = False  # whatever the other columns have: 1.234 beside 0.5 is no thousand
    bare = _without_marks(texts[~missing], mark)
    numbers = np.full(len(texts), np.nan)
    numbers[~missing] = _numbers_of(bare, decimal_comma)
    return numbers


def marks_of(texts: Iterable[str]) -> set[str]:
    """The marks that the numbers among the texts have; "" is among them where some have none."""
    return {m[2] + m[4] for text in set(texts) if (m := MARKED.fullmatch(text))}


def _without_marks(texts: np.ndarray, mark: str | None) -> np.ndarray:
    """The texts, and where all that have a mark have the same one (and all have it, of %), without it."""
    if not _marked(texts):
        return texts
    matches, marks = [MARKED.fullmatch(text) for text in texts], marks_of(texts)
    if len(marks - {""}) != 1 or marks == {"%", ""} or not marks <= {"", mark if mark is not None else max(marks)}:
        return texts
    return np.array([m[1] + m[3] if m else text for m, text in zip(matches, texts, strict=True)], object)


def _marked(texts: np.ndarray) -> bool:
    every = "".join(texts)
    return any(mark in every for mark in f"{MONEY}%")


def _numbers_of(texts: np.ndarray, decimal_comma: bool) -> np.ndarray:
    every = "".join(texts)
    if "_" not in every and not (decimal_comma and "." in every):
        with contextlib.suppress(ValueError):
            return texts.astype(np.float64)  # all as Python reads them, at once
    return np.array(of_each(texts, lambda text: _number_of(text, decimal_comma)), np.float64)


def _number_of(text: str, decimal_comma: bool) -> float:
    if not (decimal_comma and "." in text) and (number := _plain(text)) is not None:
        return number
    written = text
    text = text.replace("\u2212", "-")  # the sign for minus that is no hyphen
    if match := NEGATIVE.fullmatch(text):
        text = f"-{match[1]}"
    if match := PARTED.fullmatch(text):
        text = text.replace(match[1], "")
    if decimal_comma:
        text = text.replace(".", "") if POINTS.fullmatch(text) else text
        text = text.replace(",", ".") if DECIMAL.fullmatch(text) else text
    elif COMMAS.fullmatch(text):
        text = text.replace(",", "")
    number = None if text == written and not decimal_comma else _plain(text)
    return np.nan if number is None else number


def _plain(text: str) -> float | None:
    """The text as Python reads numbers, but for 1_000; None where it is none."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def has_decimal_comma(texts: Iterable[str]) -> bool | None:
    """Whether the numbers among the texts have a comma in place of the point; None where none of them can tell."""
    comma = point = False
    for text in texts:
        if ("," in text and not comma) or ("." in text and not point):
            bare = text.strip(f" +-{MONEY}%")
            comma = comma or bool(COMMA_ONLY.fullmatch(bare))
            point = point or bool(POINT_ONLY.fullmatch(bare))
            if comma and point:
                return None
    return comma if comma or point else None


# Dates


def as_days(values: Values, order: str = "") -> np.ndarray:
    """Dates as days since 1970-01-01, float64 (N,); NaN where there is none, or another text.

    order: what stands first, "year", "day" or "month", where it is not the year; else found (see `date_order`).
    """
    import pandas as pd

    if _kind(values) == "M":
        stamps = pd.Series(values.values if isinstance(values, Cells) else values)
        stamps = stamps.dt.tz_convert(None) if stamps.dt.tz is not None else stamps
    else:
        texts, missing = as_texts(values)
        there = np.array(of_each(texts, lambda text: bool(DATE.fullmatch(text))), bool) & ~missing
        first = date_order(texts[there]) if there.any() else ""
        order = (
            first if first == "year" or not order else order
        )  # with the year first a date can be read in one way only
        if not order:
            return np.full(len(texts), np.nan)
        format, none = _format(texts[there], order), np.full(len(texts), None)
        stamps = pd.to_datetime(
            pd.Series(np.where(there, texts, none), dtype=object), format=format, utc=True, errors="coerce"
        )
        stamps = stamps.dt.tz_convert(None)
    return _days(stamps.to_numpy("M8[us]"))


def _days(stamps: np.ndarray) -> np.ndarray:
    """In microseconds, which reach from the year 1 to 9999 and beyond; nanoseconds would not."""
    return (stamps - np.datetime64(0, "us")) / np.timedelta64(1, "D")


def date_order(texts: np.ndarray) -> str:
    """What stands first in the dates: "year", or whichever of "day" and "month" fits all of them; "" where none does.

    Where both fit, points mean the day, strokes the month.
    """
    parts = of_each((text.partition("T")[0].partition(" ")[0] for text in texts), lambda day: re.split("[-/.]", day))
    years = np.array([len(part[0]) == 4 for part in parts])
    if years.mean() >= MOST:
        return "year"
    parts = [part for part, year in zip(parts, years, strict=True) if not year]
    first, second = (max(int(part[i]) for part in parts) for i in (0, 1))
    if years.mean() > 1 - MOST or first > 12 < second or any(len(part[2]) != 4 for part in parts):
        return ""
    return "day" if first > 12 or (second <= 12 and "." in texts[0]) else "month"


def _format(texts: np.ndarray, order: str) -> str:
    """How the first of the dates that has that order is written, for pandas."""
    if order == "year" and all("-" in text for text in texts):
        return "ISO8601"
    text = next((text for text in texts if text[:4].isdigit() == (order == "year")), texts[0])
    parts = {"year": ("%Y", "%m", "%d"), "day": ("%d", "%m", "%Y"), "month": ("%m", "%d", "%Y")}[order]
    mark = next(c for c in text if c in "-/.")
    clock = "%H:%M:%S" if text.count(":") > 1 else "%H:%M"
    return mark.join(parts) + (f"{'T' if 'T' in text else ' '}{clock}" if ":" in text else "")
