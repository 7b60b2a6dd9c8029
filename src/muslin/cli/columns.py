"""What each column of a table is, for a person."""

from rich.table import Table

from muslin.errors import visible


def columns_table(columns):
    """A row for each `muslin.preparation.Column`."""
    rows = Table("column", "is", "missing", "", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        kind = column.kind if column.used else f"{column.kind}, not used"
        missing = f"{column.missing:,}" if column.missing else ""
        rows.add_row(visible(column.name[:40]), kind, missing, visible(column.about[:100]))
    return rows
