"""What each column of a table is, for a person."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from muslin.errors import visible
from muslin.preparation import Column

#: columns that are shown
SHOWN = 60


def show_columns(out: Console, columns: Sequence[Column]) -> None:
    """Print a row for each `muslin.preparation.Column`, of many columns the first, and what the others are."""
    out.print(columns_table(columns[:SHOWN]))
    if rest := Counter(column.kind for column in columns[SHOWN:]):
        out.print(f"… and {rest.total():,} more: {', '.join(f'{count:,} {kind}' for kind, count in rest.items())}")


def columns_table(columns: Sequence[Column]) -> Table:
    rows = Table("column", "is", "missing", "", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        kind = column.kind if column.used else f"{column.kind}, not used"
        missing = f"{column.missing:,}" if column.missing else ""
        rows.add_row(visible(column.name[:40]), kind, missing, visible(column.about[:160]))
    return rows
