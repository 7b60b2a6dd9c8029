"""muslin playground"""

from pathlib import Path
from typing import Annotated

import typer

from muslin import runs
from muslin.cli.options import DataDir, Json, RunPath, console, emit
from muslin.files import output_folder


def command(
    run: RunPath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; default: playground.html in RUN.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many test images to put into it.")] = 200,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Draw, drop a picture or take test images; see what every unit does, and switch units off. The page is one file
    that needs neither network nor server; send it to whom you like."""
    from muslin.report import playground

    run = runs.Run(run)
    path = output or output_folder(run.path) / "playground.html"
    taken = playground.write(run, run.dataset(quiet=False, data_dir=data_dir), path, samples)
    if json:
        emit({"run": str(run.path), "page": str(path), "samples": taken, "bytes": path.stat().st_size})
    else:
        console(json).print(f"{path}  {path.stat().st_size / 1e6:.1f} MB; open it in a browser")
