"""muslin blackboard"""

from pathlib import Path
from typing import Annotated

import typer

from muslin.cli import own_formulas
from muslin.cli.options import DataDir, Json, console, emit


def command(
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Inputs, hidden units, classes; default 3,4,2 or what suits the data."),
    ] = None,
    activation: Annotated[str, typer.Option("--activation", "-a", help="Of the hidden layers.")] = "tanh",
    loss: Annotated[str, typer.Option("--loss", "-l", help="What is to become small.")] = "cross_entropy",
    optimizer: Annotated[str, typer.Option("--optimizer", "-o", help="What changes θ.")] = "momentum",
    initializer: Annotated[str, typer.Option(help="Of the weights; they are rounded to one decimal.")] = "xavier",
    data: Annotated[
        str,
        typer.Option(
            "--data", "-d", help="numbers, circles, moons, xor, spiral, iris, or a data set of at most ten features."
        ),
    ] = "numbers",
    batch: Annotated[int, typer.Option("--batch", "-b", help="Samples of the batch, 1 to 10.")] = 3,
    learning_rate: Annotated[float, typer.Option(help="η.")] = 0.1,
    weight_decay: Annotated[float, typer.Option(help="λ of the L2 penalty ½λ‖W‖².")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the numbers: each seed is another board and worksheet.")] = 0,
    hyperparameters: own_formulas.Hyperparameters = None,
    formulas: own_formulas.Formulas = None,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("blackboard.html"),
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """One training step of a small network, every matrix with its numbers, forward and back. Point at a number to see
    what made it; edit it, and all that follows moves; print worksheets. The page is one file that needs no network."""
    from muslin.report import blackboard
    from muslin.report.formulas import missing

    own_formulas.run(formulas)
    settings = blackboard.write(
        output,
        own_formulas.whole_numbers("--sizes", sizes),
        activation=activation,
        loss=loss,
        optimizer=optimizer,
        initializer=initializer,
        data=_data(data, data_dir),
        batch=batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        seed=seed,
        **own_formulas.numbers(hyperparameters),
    )
    for sentence in missing():
        console(True).print(sentence)
    if json:
        emit({"page": str(output), "bytes": output.stat().st_size, "settings": settings, "missing": missing()})
    else:
        console(json).print(f"{output}  {output.stat().st_size / 1e3:.0f} kB; open it in a browser")


def _data(name, data_dir):
    from muslin import datasets
    from muslin.report.blackboard import NAMES

    return name if name in NAMES else datasets.load(name, data_dir=data_dir)
