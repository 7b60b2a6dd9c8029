"""muslin gradcheck"""

from itertools import product
from typing import Annotated

import typer
from rich.table import Table

from muslin.cli.options import Json, console, emit
from muslin.gradcheck import example, gradcheck
from muslin.losses import losses_of, pair
from muslin.network import FeedForwardNeuralNetwork
from muslin.runs.settings import CHOICES, Settings

TOLERANCE = 1e-7


def _pairs(output, loss):
    """The outputs and losses that go together, of those asked for. Raises InputError where these do not."""
    losses = FeedForwardNeuralNetwork.losses
    if output and loss:
        pair(losses, loss, output)
    return [
        (o, m) for o in ([output] if output else CHOICES["output"]) for m in losses_of(o, losses) if loss in (None, m)
    ]


def command(
    activation: Annotated[str | None, typer.Option("--activation", "-a", help="Only this one (default: all).")] = None,
    loss: Annotated[str | None, typer.Option("--loss", "-l", help="Only this one (default: all).")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Only this one (default: all).")] = None,
    normalization: Annotated[str | None, typer.Option("--normalization", help="Only this one (default: all).")] = None,
    hidden_size: Annotated[str, typer.Option(help="Units of each hidden layer.")] = "7,6",
    seed: Annotated[int, typer.Option(min=0, help="Of the weights and samples.")] = 0,
    json: Json = False,
) -> None:
    """Central differences in double precision, all layers, every activation with every output and every loss that goes
    with it, normalized or not, on small networks. The course asks for a relative error below 1e-7."""
    asked = {
        name: value
        for name, value in (
            ("activation", activation),
            ("loss", loss),
            ("output", output),
            ("normalization", normalization),
        )
        if value is not None
    }
    settings = Settings.read(asked, {"hidden_size": hidden_size})
    size = settings.hidden_size
    hidden = tuple(size) if isinstance(size, list) else (size,)
    rows = []
    activations = [settings.activation] if activation else CHOICES["activation"]
    normalizations = [settings.normalization] if normalization else CHOICES["normalization"]
    pairs = _pairs(settings.output if output else None, settings.loss if loss else None)
    for n, a, (o, m) in product(normalizations, activations, pairs):
        errors = gradcheck(*example(a, m, seed, hidden, o, n))
        layers = [max(of_layer) for of_layer in errors.values()]
        rows.append({"activation": a, "normalization": n, "output": o, "loss": m, "layers": layers})
    worst = max(max(row["layers"]) for row in rows)
    passed = worst < TOLERANCE
    if json:
        emit({"passed": passed, "largest_error": worst, "tolerance": TOLERANCE, "checks": rows})
    else:
        columns = [f"layer {k}" for k in range(1, len(hidden) + 2)]
        names = ("activation", "normalization", "output", "loss")
        table = Table(*names, *columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(row[name] for name in names), *(f"{error:.1e}" for error in row["layers"]))
        console(json).print(table)
        outcome = "passed" if passed else "FAILED"
        console(json).print(f"{outcome}: largest relative error {worst:.1e}, tolerance {TOLERANCE:.0e}", style="bold")
    if not passed:
        raise typer.Exit(1)
