"""muslin samples"""

from pathlib import Path
from typing import Annotated

import typer

from muslin import datasets
from muslin.cli.options import DataDir, DatasetName, Json, console, emit
from muslin.errors import InputError


def command(
    dataset: DatasetName = "fashion_mnist",
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write.")] = Path("samples.png"),
    seed: Annotated[int, typer.Option(min=0, help="Which of each class's images.")] = 0,
    json: Json = False,
) -> None:
    """A labelled grid, as a PNG file."""
    from muslin.report import plots

    if out.suffix.lower() != ".png":
        raise InputError(f"--out is {out}; it must end in .png.")
    data = datasets.load(dataset, data_dir=data_dir)
    if data.image_shape is None:
        raise InputError(f"The samples of {data.name} are not images; there is nothing to draw.")
    plots.samples(data, out, seed)
    if json:
        emit({"picture": str(out), "classes": list(data.class_names)})
    else:
        console(json).print(f"{out}  one of each: {', '.join(data.class_names)}")
