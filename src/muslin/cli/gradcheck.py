"""muslin gradcheck"""

from typing import Annotated

import typer
from rich.table import Table

from muslin.cli.options import Json, console, emit
from muslin.gradcheck import example, gradcheck
from muslin.runs.settings import CHOICES, Settings

TOLERANCE = 1e-7


def command(
    activation: Annotated[str | None, typer.Option("--activation", "-a", help="Only this one (default: all).")] = None,
    loss: Annotated[str | None, typer.Option("--loss", "-l", help="Only this one (default: all).")] = None,
    hidden_size: Annotated[str, typer.Option(help="Units of each hidden layer.")] = "7,6",
    seed: Annotated[int, typer.Option(min=0, help="Of the weights and samples.")] = 0,
    json: Json = False,
):
    """Central differences in double precision, all layers, every activation with every loss on small networks. The
    course asks for a relative error below 1e-7."""
    asked = {name: value for name, value in (("activation", activation), ("loss", loss)) if value is not None}
    settings = Settings.read(asked, {"hidden_size": hidden_size})
    size = settings.hidden_size
    hidden = tuple(size) if isinstance(size, list) else (size,)
    rows = []
    for a in [settings.activation] if activation else CHOICES["activation"]:
        for m in [settings.loss] if loss else CHOICES["loss"]:
            errors = gradcheck(*example(a, m, seed, hidden))
            rows.append({"activation": a, "loss": m, "layers": [max(pair) for pair in errors.values()]})
    worst = max(max(row["layers"]) for row in rows)
    passed = worst < TOLERANCE
    if json:
        emit({"passed": passed, "largest_error": worst, "tolerance": TOLERANCE, "checks": rows})
    else:
        layers = [f"layer {k}" for k in range(1, len(hidden) + 2)]
        table = Table("activation", "loss", *layers, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(row["activation"], row["loss"], *(f"{error:.1e}" for error in row["layers"]))
        console(json).print(table)
        verdict = "passed" if passed else "FAILED"
        console(json).print(f"{verdict}: largest relative error {worst:.1e}, tolerance {TOLERANCE:.0e}", style="bold")
    if not passed:
        raise typer.Exit(1)
