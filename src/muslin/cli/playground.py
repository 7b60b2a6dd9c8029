"""muslin playground"""

from pathlib import Path
from typing import Annotated, Any

import typer

from muslin.cli import own_formulas
from muslin.cli.options import DataDir, Json, console, emit
from muslin.errors import InputError
from muslin.files import output_folder
from muslin.runs import Run


def command(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="A run directory, such as runs/NAME; none with --toy.")
    ] = None,
    toy: Annotated[
        bool, typer.Option("--toy", help="Points in the plane instead of a run: everything is trained in the page.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page to write; default: playground.html in RUN, or here toy.html."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many test images to put into it.")] = 200,
    formulas: own_formulas.Formulas = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Draw, drop a picture or take test images; see what every unit does, switch units off, and train on in the page.
    With --toy: small networks learn points in the plane while you watch, alone or in a race. The page is one file that
    needs neither network nor server; send it to whom you like."""
    if toy == (run is not None):
        raise InputError("playground takes a run directory, or --toy; one of them.")
    own_formulas.run(formulas)
    facts = _run(Run(run), output, samples, data_dir) if run else _toy(output or Path("toy.html"))
    path = Path(facts["page"])
    if json:
        emit(facts | {"bytes": path.stat().st_size})
    else:
        console(json).print(f"{path}  {path.stat().st_size / 1e6:.1f} MB; open it in a browser")


def _toy(path: Path) -> dict[str, Any]:
    from muslin.report import formulas, toy

    toy.write(path)
    for sentence in formulas.missing():
        console(True).print(sentence)
    return {"page": str(path), "missing": formulas.missing()}


def _run(run: Run, output: Path | None, samples: int, data_dir: str | None) -> dict[str, Any]:
    from muslin.report import playground

    path = output or output_folder(run.path) / "playground.html"
    taken = playground.write(run, run.dataset(quiet=False, data_dir=data_dir), path, samples)
    return {"run": str(run.path), "page": str(path), "samples": taken}
