"""What is no table: columns without names, names among the rows, cells that are lists."""

from typing import Any

from muslin.errors import InputError, shown
from muslin.preparation.values import as_texts


def names_of(table: Any, name: str) -> list[str]:
    """The names of the columns. One that only counts the rows, as pandas' index does, or is empty, may have none."""
    columns = as_texts(table.columns)[0].tolist()
    for i, column in enumerate(columns):
        if column and not column.startswith("Unnamed: "):
            continue
        if not _counts(table.iloc[:, i]):
            raise InputError(f"{name}: column {i + 1} has no name; the first line must name every column.")
        columns[i] = f"column {i + 1}"
    return columns


def _counts(values: Any) -> bool:
    texts, missing = as_texts(values)
    first = int(texts[0] == "1")
    return bool(missing.all()) or texts.tolist() == [str(i) for i in range(first, first + len(texts))]


def check_values(table: Any, name: str) -> None:
    """Raises InputError for rows that are names, and for cells that are no single values."""
    columns = list(table.columns)
    for column in columns:
        if table[column].dtype == object:
            first = next((value for value in table[column] if value is not None), "")
            if isinstance(first, dict | list | tuple | set) or getattr(first, "ndim", None):
                raise InputError(f"{name}: the column {shown(column)} holds lists or objects, not single values.")
    _check_rows(table[[column for column in columns if table[column].dtype == object]], columns, name)


def _check_rows(texts: Any, columns: list[str], name: str) -> None:
    """Raises InputError where the first line is a row like the others, or one of the others is the first line."""
    again = (texts == list(texts.columns)).all(axis=1) & (len(texts.columns) == len(columns))
    others = texts[~again]
    seen = [column for column in texts.columns if not column.isdecimal() and (others[column] == column).any()]
    if len(seen) > 1 or (seen and all(_is_number(column) for column in columns if column not in seen)):
        raise InputError(
            f"{name} seems to have no names of columns: {', '.join(map(shown, seen[:3]))} of its first line stand in "
            "the rows, too; add a line of names."
        )
    if again.any():
        row = int(again.to_numpy().argmax()) + 1
        raise InputError(f"{name}, row {row} below the names: they stand there once more; take that line out.")


def check_names(columns: list[str], name: str) -> None:
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
