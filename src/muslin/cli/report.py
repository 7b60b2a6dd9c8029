"""muslin report"""

from pathlib import Path
from typing import Annotated

import typer

from muslin.cli.options import Json, console, emit
from muslin.files import output_folder


def command(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_SWEEP", help="A run directory, or a sweep directory.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; default: report.html in that directory.")
    ] = None,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="A sweep's database, if it was moved.")] = None,
    json: Json = False,
) -> None:
    """The page is one file that needs no network: open it in a browser, send it to others. The same plots are written
    as PNG files into its directory."""
    output = output or output_folder(path) / "report.html"
    written = _write(path, output, storage)
    result = {
        "report": str(output),
        "bytes": output.stat().st_size,
        "pictures": [str(picture) for picture in written["pictures"]],
        "left_out": written["left_out"],
    }
    if json:
        emit(result)
        return
    out = console(json)
    for picture in result["pictures"]:
        out.print(f"picture    {picture}")
    for sentence in result["left_out"]:
        out.print(f"left out   {sentence}")
    out.print(f"report     {output} ({result['bytes'] / 1e6:.1f} MB)")


def _write(path, output, storage):
    """Make the report of what is there; returns {"pictures", "left_out"}."""
    if (path / "sweep.json").exists():
        from muslin.sweeps import report

        return report.write(path, output, storage)
    from muslin.report import logged_run, run_report
    from muslin.runs import Run

    if logged_run.is_logged(path):
        return logged_run.write(path, output)
    return run_report.write(Run(path), output)
