"""Tables: CSV, TSV, Parquet, Excel and JSON lines, read by pandas.

pandas, and not polars: it reads all five, knows more ways in which people write dates, and whoever uses scikit-learn
has it. The text formats are taken apart here, all values as texts, so that a line with a value too few is an error
and not a gap, and nothing is guessed that `muslin.preparation` does not show.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from muslin.errors import InputError, shown, visible
from muslin.files import MIB, atomic, opened

#: bytes from which on a table is refused: it is read into memory
LIMIT = 4096 * MIB
#: what may part the values of a line
SEPARATORS = ",;\t|"
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def is_table(path: Path) -> bool:
    """Whether the name of the file is that of a table."""
    return suffix(path) in READERS


def suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def read(path: Path) -> tuple[Any, bool]:
    """(the table as a pandas frame, whether its numbers have a comma in place of the point).

    Raises InputError, naming the file and what is wrong, for whatever is no table with named columns and rows.
    """
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise InputError("Tables need pandas: pip install 'muslin[tables]'.") from error
    name = visible(str(path))
    table, decimal_comma = READERS[suffix(path)](path, name)
    columns = [str(column) for column in table.columns]
    _check_names(columns, name)
    table.columns = columns
    if not len(table):
        raise InputError(f"{name} has names of columns but no rows.")
    return table, decimal_comma


def _check_names(columns: list[str], name: str) -> None:
    if not columns:
        raise InputError(f"{name} has no columns.")
    if empty := [i for i, column in enumerate(columns, 1) if not column.strip() or column.startswith("Unnamed: ")]:
        raise InputError(f"{name}: column {empty[0]} has no name; the first line must name every column.")
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise InputError(f"{name} has two columns named {shown(twice)}; each needs a name of its own.")
    if all(_is_number(column) for column in columns):
        first = ", ".join(columns[:3]) + ", …" * (len(columns) > 3)
        raise InputError(f"{name} has no names of columns: its first line is {first}; it must name the columns.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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


def _text(path: Path, name: str) -> str:
    data = _bytes(path, name)
    encoding = next((e for mark, e in ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}, line {line}: not a text in UTF-8; save the table as UTF-8.") from None
    if "\0" in text:
        raise InputError(f"{name} is no text: it has a null in it; is it a file of another kind?")
    return text


def _separated(path: Path, name: str) -> tuple[Any, bool]:
    import pandas as pd

    text = _text(path, name)
    if text.lstrip().startswith(("<", "{")):
        raise InputError(f"{name} is no table: it begins with {text.lstrip()[0]!r}, as a web page or JSON does.")
    separator = "\t" if suffix(path) == ".tsv" else _separator(text)
    rows = _rows(text, separator, name)
    header = [cell.strip() for cell in rows.pop(0)[1]]
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{name}, line {line}: {len(row)} values, but the first line names {len(header)} columns "
                f"(the values are parted by {separator!r})."
            )
    return pd.DataFrame([row for _, row in rows], columns=header, dtype=object), separator == ";"


def _separator(text: str) -> str:
    """The mark that is most frequent in the first line."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(SEPARATORS, key=first.count)


def _rows(text: str, separator: str, name: str) -> list[tuple[int, list[str]]]:
    """(number of the line, values) of each row; empty lines are none, but of a table of one column."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        csv.field_size_limit(16 * MIB)
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}; a quoted text must end with its quote.") from None


def _json_lines(path: Path, name: str) -> tuple[Any, bool]:
    import pandas as pd

    text = _text(path, name)
    rows: list[Any] = []
    if text.lstrip().startswith("["):
        rows = _json(text, name, 1)
    else:
        rows = [_json(line, name, i) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict) or any(isinstance(v, dict | list) for v in row.values()):
            raise InputError(f"{name}, row {i}: each row must be an object of texts, numbers and truth values.")
    return pd.DataFrame(rows), False


def _json(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{name}, line {line}: not valid JSON; each line must be an object.") from None


def _parquet(path: Path, name: str) -> tuple[Any, bool]:
    return _by_pandas("read_parquet", path, name, "pyarrow"), False


def _excel(path: Path, name: str) -> tuple[Any, bool]:
    return _by_pandas("read_excel", path, name, "openpyxl"), False


def _by_pandas(function: str, path: Path, name: str, library: str) -> Any:
    import pandas as pd

    data = io.BytesIO(_bytes(path, name))
    try:
        return getattr(pd, function)(data)
    except ImportError as error:
        raise InputError(f"{name} needs {library}: pip install 'muslin[tables]'.") from error
    except Exception:  # a damaged file makes these libraries raise about anything
        raise InputError(f"{name} is damaged or no {suffix(path)} file.") from None


#: end of the name → what reads it: (path, name for messages) → (frame, decimal comma)
READERS: dict[str, Callable[[Path, str], tuple[Any, bool]]] = {
    ".csv": _separated,
    ".tsv": _separated,
    ".tab": _separated,
    ".parquet": _parquet,
    ".xlsx": _excel,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_lines,
}


# Writing


def write(table: Any, path: Path, separator: str = ",") -> None:
    """Write a frame, whole or not at all, in the format of the name's end.

    Raises InputError where there is none for it, or the file cannot be written.
    """
    if suffix(path) not in WRITERS:
        raise InputError(f"{path} cannot be written; its name must end in {', '.join(WRITERS)}.")
    with atomic(path) as temporary, open(temporary, "wb") as file:
        WRITERS[suffix(path)](table, file, separator)


#: end of the name → what writes it
WRITERS: dict[str, Callable[[Any, Any, str], Any]] = {
    ".csv": lambda table, file, separator: table.to_csv(
        file, index=False, sep=separator, decimal="," if separator == ";" else "."
    ),
    ".tsv": lambda table, file, separator: table.to_csv(file, index=False, sep="\t"),
    ".parquet": lambda table, file, separator: table.to_parquet(file, index=False),
    ".xlsx": lambda table, file, separator: table.to_excel(file, index=False),
    ".jsonl": lambda table, file, separator: table.to_json(file, orient="records", lines=True),
}
