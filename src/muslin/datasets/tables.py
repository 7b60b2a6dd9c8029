"""Tables: CSV, TSV, Parquet, Excel and JSON lines, read by pandas.

pandas, and not polars: it reads all five, knows more ways in which people write dates, and whoever uses scikit-learn
has it. The text formats are taken apart here, all values as texts, so that a line with a value too few is an error
and not a gap, and nothing is guessed that `muslin.preparation` does not show.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from muslin.datasets.table_checks import check_names, check_values, names_of
from muslin.errors import InputError, shown, visible
from muslin.files import MIB, atomic, opened
from muslin.preparation.values import has_decimal_comma

#: bytes from which on a table is refused: it is read into memory
LIMIT = 4096 * MIB
#: what may part the values of a line
SEPARATORS = ",;\t|"
#: what some programs leave before the first name: marks of the order of bytes, blanks of no width
INVISIBLE = "\ufeff\u200b\u2060"
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
#: what programs of Windows write in western countries, where they do not write UTF-8
WESTERN = "windows-1252"
#: control characters that stand in no text, but for the end of a line: letters in another encoding
CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
#: what is between words, in bytes of any encoding that has ASCII in it
WORD = re.compile(rb"[^\w\x80-\xff]")


def is_table(path: Path) -> bool:
    """Whether the name of the file is that of a table."""
    return suffix(path) in READERS


def suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


class Marks(NamedTuple):
    """What parts the values of a line; whether a comma stands in numbers in place of the point; the encoding."""

    separator: str = ","
    decimal_comma: bool = False
    encoding: str = "utf-8"


@dataclass
class Source:
    """A file to be read.  encoding: of its text; None: UTF-8, or what its mark says; where it is neither, the other."""

    path: Path
    name: str
    encoding: str | None = None
    other: str | None = None


def read(
    path: Path, decimal_comma: bool | None = None, encoding: str | None = None, other: str | None = None
) -> tuple[Any, Marks]:
    """(the table as a pandas frame, its marks).

    decimal_comma: of a text in which no number can tell (1,234); None: where semicolons part the values.
    encoding: of a text; None: UTF-8, or what its mark says, or, where it is neither, the other.
    Raises InputError, naming the file and what is wrong, for whatever is no table with named columns and rows.
    """
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise InputError("Tables need pandas: pip install 'muslin[tables]'.") from error
    _check_encoding(encoding)
    name = visible(str(path))
    source = Source(path, name, encoding, other)
    if encoding and suffix(path) not in TEXTS:
        raise InputError(f"{name} is no text, and has no encoding; leave --encoding out.")
    table, separator = READERS[suffix(path)](source)
    if not len(table.columns):
        raise InputError(f"{name} has no columns.")
    if not len(table):
        raise InputError(f"{name} has names of columns but no rows.")
    table.columns = names_of(table, name)
    check_names(list(table.columns), name)
    check_values(table, name)
    comma = bool(separator) and _decimal_comma(table, separator, decimal_comma)
    return table, Marks(separator or ",", comma, source.encoding or "utf-8")


def _decimal_comma(table: Any, separator: str, otherwise: bool | None) -> bool:
    texts = (text for column in table.columns for text in set(table[column]))
    comma = has_decimal_comma(texts)
    if comma is None:
        comma = otherwise
    return separator == ";" if comma is None else comma


def _bytes(path: Path, name: str) -> bytes:
    import gzip

    with opened(path, "table") as file:
        data = file.read(LIMIT + 1)
    if path.name.lower().endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(data)) as unpacked:
                data = unpacked.read(LIMIT + 1)
        except (OSError, EOFError) as error:
            raise InputError(f"{name} is damaged: it does not unpack ({error}).") from None
    if len(data) > LIMIT:
        raise InputError(f"{name} has more than {LIMIT:,} bytes, too many for a table in memory.")
    if not data.strip():
        raise InputError(f"{name} is empty; a table has a line of names and at least one row.")
    return data


def _text(source: Source) -> str:
    """The text of the file; the source then has the encoding that it was found to be in."""
    name, data = source.name, _bytes(source.path, source.name)
    if data.startswith(b"PK\x03\x04"):
        raise InputError(f"{name} is no text: it is a zip or an Excel file; the name of an Excel file ends in .xlsx.")
    marked = next((e for mark, e in ENCODINGS.items() if data.startswith(mark)), None)
    source.encoding = encoding = source.encoding or marked or _encoding(data, source.other)
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        raise _no_text(data, error, source) from None
    if "\0" in text:
        raise InputError(f"{name} is no text: it has a null in it; is it a file of another kind?")
    if wrong := CONTROLS.search(text):
        line = text[: wrong.start()].count("\n") + 1
        raise InputError(f"{name}, line {line}: a control character, read as {encoding}; --encoding must be another.")
    return text.lstrip(INVISIBLE)


def _encoding(data: bytes, other: str | None) -> str:
    """UTF-8, which no text of letters in another encoding is by chance, or the other."""
    if other is None or (not data.isascii() and _is_utf8(data)):
        return "utf-8"
    return other


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_text(data: bytes, error: UnicodeError, source: Source) -> InputError:
    """What cannot be read, and how it would read in the encoding that is most likely."""
    if not isinstance(error, UnicodeDecodeError):
        return InputError(f"{source.name} is no text in {source.encoding} ({error}).")
    line = data[: error.start].count(b"\n") + 1
    if source.encoding != "utf-8":
        return InputError(f"{source.name}, line {line}: not a text in {source.encoding}.")
    before, after = (WORD.split(part) for part in (data[: error.start], data[error.start :]))
    word = shown((before[-1] + after[0]).decode(WESTERN, "replace"))
    return InputError(
        f"{source.name}, line {line}: not a text in UTF-8. If {word} is meant there: --encoding {WESTERN}; else save "
        "the table as UTF-8."
    )


def _check_encoding(name: str | None) -> None:
    try:
        "".encode(name or "utf-8")
    except (LookupError, UnicodeError, ValueError):
        raise InputError(
            f"encoding is {shown(name)}; it must be a name such as {WESTERN}, latin-1 or gb18030."
        ) from None


def _separated(source: Source) -> tuple[Any, str]:
    import pandas as pd

    name, text = source.name, _text(source)
    if text.lstrip().startswith(("<", "{")):
        raise InputError(f"{name} is no table: it begins with {text.lstrip()[0]!r}, as a web page or JSON does.")
    separator = "\t" if suffix(source.path) == ".tsv" else _separator(text)
    rows = _rows(text, separator, name)
    header = [cell.strip().strip(INVISIBLE) for cell in rows.pop(0)[1]]
    if all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in header):
        raise InputError(f"{name} has its texts between apostrophes ('); they must be double quotes, or none.")
    for line, row in rows:
        if len(row) != len(header):
            title = "; lines before the names of the columns must go" if len(header) == 1 else ""
            raise InputError(
                f"{name}, line {line}: {_count(len(row), 'value')}, but the first line names "
                f"{_count(len(header), 'column')} (the values are parted by {separator!r}{title})."
            )
    columns = [_shared(column) for column in zip(*(row for _, row in rows), strict=True)] or [[] for _ in header]
    table = pd.DataFrame(dict(enumerate(columns)), dtype=object)
    table.columns = header
    return table, separator


def _shared(texts: Iterable[str]) -> list[str]:
    """The same texts; those that are equal are one object, which costs less memory, and less time to go through."""
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in texts]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _separator(text: str) -> str:
    """The mark that is most frequent in the first line."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(SEPARATORS, key=first.count)


def _rows(text: str, separator: str, name: str) -> list[tuple[int, list[str]]]:
    """(number of its last line, values) of each row; empty lines are none. Blanks before a value, or its quote, go."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    begin = 1
    try:
        csv.field_size_limit(16 * MIB)
        for row in reader:
            begin = reader.line_num + 1
            if row:
                rows.append((reader.line_num, row))
    except csv.Error as error:
        where = f"line {begin}" if reader.line_num <= begin else f"lines {begin} to {reader.line_num}"
        raise InputError(f"{name}, {where}: {error}; a quoted text must end with its quote.") from None
    return rows


def _json_lines(source: Source) -> tuple[Any, str]:
    import pandas as pd

    name, text = source.name, _text(source)
    rows: list[Any] = []
    if text.lstrip().startswith("["):
        rows = _json(text, name, 1)
    else:
        rows = [_json(line, name, i) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict) or any(isinstance(v, dict | list) for v in row.values()):
            raise InputError(f"{name}, row {i}: each row must be an object of texts, numbers and truth values.")
    return pd.DataFrame(rows), ""


def _json(text: str, name: str, line: int) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, name, line))
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except InputError:
        raise
    except UnicodeEncodeError:
        raise InputError(f"{name}, line {line}: a text in it has half a character, an escape \\ud… alone.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name}, line {line}: not valid JSON; each line must be an object.") from None


def _object(pairs: list[tuple[str, Any]], name: str, line: int) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InputError(f"{name}, line {line}: an object has a key twice; each must stand once.")
    return made


def _parquet(source: Source) -> tuple[Any, str]:
    table = _by_pandas("read_parquet", source, "pyarrow")
    named = [level for level in table.index.names if level is not None]
    return (table.reset_index() if named else table), ""


def _excel(source: Source) -> tuple[Any, str]:
    name, sheets = source.name, _by_pandas("read_excel", source, "openpyxl", sheet_name=None, header=None, dtype=object)
    filled = {sheet: cells.dropna(how="all") for sheet, cells in sheets.items() if cells.notna().to_numpy().any()}
    if len(filled) > 1:
        raise InputError(
            f"{name} has {len(filled)} sheets with something in them ({', '.join(map(shown, [*filled][:5]))}); keep "
            "one, or save the one that is meant as .csv."
        )
    if not filled:
        raise InputError(f"{name} is empty; a table has a line of names and at least one row.")
    (cells,) = filled.values()
    table = cells.iloc[1:].reset_index(drop=True)
    table.columns = cells.iloc[0]
    return table.infer_objects(), ""


def _by_pandas(function: str, source: Source, library: str, **options: Any) -> Any:
    import pandas as pd

    name, data = source.name, io.BytesIO(_bytes(source.path, source.name))
    try:
        return getattr(pd, function)(data, **options)
    except ImportError as error:
        raise InputError(f"{name} needs {library}: pip install 'muslin[tables]'.") from error
    except Exception:  # a damaged file makes these libraries raise about anything
        raise InputError(f"{name} is damaged or no {suffix(source.path)} file.") from None


#: end of the name → what reads it: (frame, what parts the values of a text)
READERS: dict[str, Callable[[Source], tuple[Any, str]]] = {
    ".csv": _separated,
    ".tsv": _separated,
    ".tab": _separated,
    ".parquet": _parquet,
    ".xlsx": _excel,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_lines,
}
TEXTS = {kind for kind, reader in READERS.items() if reader in (_separated, _json_lines)}


# Writing


def write(table: Any, path: Path, marks: Marks) -> None:
    """Write a frame, whole or not at all, in the format of the name's end.

    Raises InputError where there is none for it, or the file cannot be written.
    """
    if suffix(path) not in WRITERS:
        raise InputError(f"{path} cannot be written; its name must end in {', '.join(WRITERS)}.")
    try:
        with atomic(path) as temporary, open(temporary, "wb") as file:
            WRITERS[suffix(path)](table, file, marks)
    except UnicodeEncodeError as error:
        letter = error.object[error.start]
        raise InputError(
            f"{path} cannot be written in {marks.encoding}, the encoding of what was read, for it has no "
            f"{letter!r}; let its name end in .xlsx or .parquet."
        ) from None


def _to_csv(table: Any, file: Any, marks: Marks) -> None:
    comma = "," if marks.decimal_comma else "."
    text = table.to_csv(index=False, sep=marks.separator, decimal=comma)
    file.write(text.encode(marks.encoding))


#: end of the name → what writes it
WRITERS: dict[str, Callable[[Any, Any, Marks], Any]] = {
    ".csv": _to_csv,
    ".tsv": lambda table, file, marks: _to_csv(table, file, marks._replace(separator="\t")),
    ".parquet": lambda table, file, marks: table.to_parquet(file, index=False),
    ".xlsx": lambda table, file, marks: table.to_excel(file, index=False),
    ".jsonl": lambda table, file, marks: table.to_json(file, orient="records", lines=True),
}
