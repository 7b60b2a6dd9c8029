"""muslin predict, of a table: its own columns, and behind them what the model says."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from muslin.cli.options import console, emit
from muslin.datasets import TableFacts, tables
from muslin.errors import InputError, visible
from muslin.runs import Run

#: rows that are shown, and columns of the file's own
SHOWN, OWN = 10, 4


def predict(run: Run, facts: TableFacts, path: Path, out: Path | None, encoding: str | None, json: bool) -> None:
    """Predict the rows of a table, and write them or show the first."""
    network = run.model
    if out is not None and tables.suffix(out) not in tables.WRITERS:
        raise InputError(f"--out is {out}; it must end in {', '.join(tables.WRITERS)}.")
    if not tables.is_table(path):
        raise InputError(
            f"{run.path} was trained on a table, and {path} is none; it must be {', '.join(tables.READERS)}."
        )
    table, marks = facts.read(path, encoding)
    X = facts.preparation.transform(table, visible(str(path)), marks.decimal_comma)
    columns = predictions(facts.target, network.respond(X))
    if taken := [name for name in columns if name in table.columns]:
        raise InputError(f"{path} has a column {taken[0]!r} already, which is a prediction's; rename it.")
    result = table.assign(**columns)
    if out is not None:
        tables.write(result, out, marks)
    if json:
        rows = [
            dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
        ]
        emit({"run": str(run.path), "rows": len(table), "out": out and str(out), "predictions": rows})
        return
    _show(console(json), table, columns, out)


def predictions(target: Any, Y_hat: np.ndarray) -> Any:
    """{name of a column: its values} of Ŷ (N × n_L)."""
    if target.task == "regression":
        return {f"predicted {target.name}": target.decode(Y_hat[:, 0])}
    said = np.array(target.classes, object)[Y_hat.argmax(axis=1)]
    shares = {f"probability of {name}": Y_hat[:, c].astype(np.float64) for c, name in enumerate(target.classes)}
    return {f"predicted {target.name}": said} | shares


def _show(out, table, columns, path):
    own = list(table.columns)[:OWN]
    few = list(columns)[: 1 + SHOWN // 2]
    drawn = Table(*(visible(str(name)) for name in (*own, *few)), box=None, pad_edge=False, header_style="bold")
    for i in range(min(SHOWN, len(table))):
        cells = [_text(table[name].iloc[i]) for name in own] + [_text(columns[name][i]) for name in few]
        drawn.add_row(*cells)
    out.print(drawn)
    if len(table) > SHOWN:
        out.print(f"… {len(table):,} rows in all" + ("" if path else "; --out FILE writes them"))
    if path:
        out.print(f"written    {path}")


def _text(value):
    return f"{value:.4g}" if isinstance(value, float) else visible(str(value))[:24]
