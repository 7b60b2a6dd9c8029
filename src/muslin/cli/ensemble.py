"""muslin ensemble"""

from pathlib import Path
from typing import Annotated

import typer

from muslin import runs
from muslin.cli.options import Json, console, emit
from muslin.ensemble import COLDEST, HOTTEST
from muslin.errors import InputError, shown


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run directories, trained on the same data.")],
    views: Annotated[
        bool, typer.Option("--views", help="Mean over the views that each was trained on: mirrored, moved by a pixel.")
    ] = False,
    temperature: Annotated[
        str | None,
        typer.Option(metavar="fit|T", help="Make its probabilities as sure as they should be: A of the output / T."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run (default: ensemble).")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder that the run directory is made in.")] = Path("runs"),
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Then measure it on the test set.")] = False,
    json: Json = False,
) -> None:
    """Their probabilities, or numbers, are averaged: a run of its own, to evaluate, predict, report and export. It has
    copies of the networks. One run is enough where --views or --temperature is wanted. A temperature is fitted on the
    validation samples that no member was trained on; it leaves the predicted classes of a single network as they are.
    """
    from muslin.runs import ensemble

    run, summary = ensemble.make([runs.Run(path) for path in paths], runs_dir, name, views, _temperature(temperature))
    result = {"run": str(run.path), "members": run.members} | summary
    if evaluate:
        from muslin.cli.evaluate import measure, show

        figures = measure(run, run.dataset(quiet=False))
        result |= figures
    if json:
        emit(result)
        return
    out = console(json)
    _show(out, run, summary)
    if evaluate:
        show(out, run, figures)


def _temperature(text):
    if text is None or text == "fit":
        return text
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not COLDEST <= number <= HOTTEST:
        right = f"fit, or a number from {COLDEST:g} to {HOTTEST:g}"
        raise InputError(f"--temperature is {shown(text)}; it must be {right}.")
    return number


def _show(out, run, summary):
    for member in run.members:
        seen = f", {member['views']} views" if member["views"] > 1 else ""
        out.print(f"member     {member['run']}{seen}")
    if summary["temperature"]:
        out.print(f"divided    A of the output by a temperature of {summary['temperature']:.4g}")
    for word, end in (("before", "_before"), ("validation", "")):
        figures = {name: summary.get(f"val_{name}{end}") for name in FORMS}
        if told := [FORMS[name].format(value) for name, value in figures.items() if value is not None]:
            out.print(f"{word:<10} {', '.join(told)}")
    out.print(f"run        {run.path}")


#: figure of the validation samples → how it is told
FORMS = {"accuracy": "accuracy {:.2%}", "r2": "R² {:.4f}", "loss": "loss {:.4f}", "ece": "calibration error {:.4f}"}
