"""muslin compare"""

import csv
import io
import operator
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from muslin.cli.options import Json, console, emit
from muslin.errors import InputError, lookup, unknown, visible
from muslin.report.comparison import histories, labels, p_text, pairwise, series
from muslin.runs import Run

#: figures of a run that the table has, in this order, where the runs have them
FIGURES = ("value", "loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
AFTER = ("epochs_done", "parameters", "seconds")
OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
FORMATS = ("table", "csv", "json")
#: runs up to which every pair is tested unasked
FEW = 5


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="SWEEP_OR_RUN…", help="Sweep directories or run directories.")],
    sort: Annotated[str | None, typer.Option(help="Column to sort by, the best first.")] = None,
    filter: Annotated[str | None, typer.Option(help='Such as "optimizer=adam,epochs>5".')] = None,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    all: Annotated[bool, typer.Option("--all", help="Also the settings that all of them share.")] = False,
    test: Annotated[
        bool | None,
        typer.Option(
            "--test/--no-test", help=f"McNemar's test of each pair (default: of up to {FEW} runs).", show_default=False
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page, with the curves.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves of all runs.")] = None,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="A sweep's database, if it was moved.")] = None,
    json: Json = False,
) -> None:
    """One row a run: the settings that differ, then the figures. Below, for finished runs on the same data set,
    McNemar's test of each pair: are the two right on the test set equally often?"""
    lookup(dict.fromkeys(FORMATS), "format", format)
    rows: list[dict[str, Any]] = []
    values: set[str] = set()
    descending = {"accuracy", "val_accuracy", "test_accuracy"}
    for path in paths:
        rows += _rows(path, storage, descending, values)
    first, settings, figures = _columns(rows, all or len(rows) == 1)
    columns = [*first, *settings, *figures]
    rows = _filtered(rows, filter)
    rows = _sorted(rows, sort, columns, descending)
    rows = [{key: row.get(key) for key in columns} for row in rows]
    json, table = json or format.lower() == "json", format.lower() == "table"
    tests = _tests(rows, test) if json or table or html else []
    _draw(rows, png)
    if html:
        from muslin.report import compare_page

        compare_page.write(rows, settings, figures, tests, html)
    if json:
        emit({"runs": rows, "tests": tests, "html": html and str(html), "png": png and str(png)})
    elif table:
        _show(console(json), rows, columns)
        for metric in sorted(values & set(columns)):
            what = f"the best {metric} of a trial's epochs; the column {metric} is that of the network it ended with"
            console(json).print(f"value is {what}.")
        _show_tests(console(json), tests)
        for what, file in (("page", html), ("picture", png)):
            if file:
                console(json).print(f"{what:10} {file}")
    else:
        _write_csv(rows, columns)


def _rows(path, storage, descending, values):
    """A row for each run: {"run", "state", settings…, figures…}. Adds to the columns of which more is better, and to
    the metrics of which a sweep's ``value`` is the best."""
    if (path / "sweep.json").exists():
        return _sweep_rows(path, storage, descending, values)
    if Run(path).begun:
        return [_row(path)]
    inside = sorted(inner for inner in path.glob("*") if Run(inner).begun) if path.is_dir() else []
    if not inside:
        what = "has no run or sweep in it" if path.is_dir() else "is not there"
        raise InputError(f"{path} {what}; give sweep directories or run directories, such as runs/NAME.")
    return [_row(inner) for inner in inside]


def _sweep_rows(path, storage, descending, values):
    from muslin.sweeps.directory import SweepDirectory

    directory = SweepDirectory(path)
    values.add(directory.metric.name)
    trials = directory.study_to_read(storage).trials().values()
    if directory.metric.goal == "maximize":
        descending |= {"value", directory.metric.name}
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        run = path / trial.run
        row = _row(run) if Run(run).begun else {"run": str(run), **trial.config}
        rows.append(
            {"run": row["run"], "trial": trial.number}
            | row
            | {"state": trial.state, "value": trial.value, "reason": trial.reason}
        )
    return rows


def _row(path):
    from muslin.runs.settings import Settings

    run = Run(path)
    config = run.facts
    settings = {key: config[key] for key in Settings.model_fields if key in config} if run.ours else config["config"]
    summary = run.summary if run.finished else {}
    figures = {key: value for key, value in summary.items() if isinstance(value, int | float) and key not in settings}
    done = summary["epochs"] if "epochs" in summary else len(run.history_so_far)
    if done != settings.get("epochs", done):  # stopped early, or not at its end yet
        figures["epochs_done"] = done
    return {
        "run": str(path),
        "state": summary.get("state", "finished") if summary else "unfinished",
        **settings,
        **figures,
    }


def _columns(rows, every):
    """(run, state), the settings that differ, the figures. ``every``: also those that are the same."""
    keys = dict.fromkeys(key for row in rows for key in row)
    first = [key for key in ("run", "trial", "state") if key in keys]
    numbers = {key for row in rows for key, value in row.items() if isinstance(value, int | float)}
    figures = [key for key in (*FIGURES, *AFTER) if key in numbers]  # "loss" may be the setting of that name
    figures += ["reason"] * any(row.get("reason") for row in rows)
    settings = [key for key in keys if key not in {*first, *figures, "value", "reason", *HIDDEN}]
    differing = [key for key in settings if len({str(row.get(key)) for row in rows}) > 1]
    return first, settings if every else differing, figures


#: figures that only --format json of `muslin evaluate` has a use for
HIDDEN = ("samples_per_second", "best_epoch")


def _sorted(rows, key, columns, descending):
    if key is None:
        return rows
    if key not in columns and not any(key in row for row in rows):
        raise unknown("column", key, columns)
    known = [row for row in rows if row.get(key) is not None]
    numbers = all(isinstance(row[key], int | float) for row in known)
    known.sort(key=lambda row: row[key] if numbers else str(row[key]), reverse=numbers and key in descending)
    return known + [row for row in rows if row.get(key) is None]


def _filtered(rows, conditions):
    for condition in re.split(r",(?=\s*[\w.-]+\s*[<>!=])", conditions) if conditions else ():
        match = re.fullmatch(r"\s*([\w.-]+)\s*(<=|>=|!=|=|<|>)=?\s*(.*?)\s*", condition)
        if not match:
            raise InputError(f"--filter: {condition!r} is no condition; write such as optimizer=adam or epochs>5.")
        key, sign, wanted = match.groups()
        if rows and not any(key in row for row in rows):
            raise unknown("column", key, {key for row in rows for key in row})
        rows = [row for row in rows if _holds(row.get(key), OPERATORS[sign], wanted)]
    return rows


def _holds(value, compare, wanted):
    """Numbers are compared as numbers, all else as texts without regard to case."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return compare(value, float(wanted))
        except ValueError:
            return compare is operator.ne
    if value is None and compare not in (operator.eq, operator.ne):
        return False
    return compare(str(value).lower(), wanted.lower())


def _tests(rows, wanted):
    """McNemar's tests. Those that were not asked for are left out where they cannot be made, and that is said."""
    if wanted is False or (wanted is None and len(rows) > FEW):
        return []
    try:
        tests = pairwise([row["run"] for row in rows if Run(Path(row["run"])).begun])
    except InputError as error:
        if wanted:
            raise
        console(True).print(f"no test    {error}")
        return []
    if wanted and not tests:
        raise InputError("--test needs two finished runs, of muslin's own training, on the same data set.")
    return tests


def _draw(rows, path):
    """The curves of all runs that have some, as a PNG file, where there is a path for it."""
    if path is None:
        return
    from muslin.report.compare_plots import curves as draw

    paths = [row["run"] for row in rows]
    groups = series(histories(paths))
    if not groups:
        raise InputError("--png: none of these runs has a history to draw.")
    draw(groups, labels(paths), path)


def _write_csv(rows, columns):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.write(visible(text.getvalue(), keep="\n\t") if sys.stdout.isatty() else text.getvalue())


def _show_tests(out, tests):
    if not tests:
        return
    names = labels(dict.fromkeys(test[run] for test in tests for run in "ab"))
    title = {"title": "McNemar's test", "title_justify": "left"}
    table = Table(*HEAD, **title, box=None, pad_edge=False, header_style="bold")
    for test in tests:
        counts = (f"{test[key]:,}" for key in ("samples", "only_a", "only_b"))
        how = "exact" if test["exact"] else "χ²"
        table.add_row(names[test["a"]], names[test["b"]], *counts, p_text(test["p"]), how)
    out.print()
    _print(out, table)
    for test in tests:
        out.print(test["sentence"])


HEAD = ("A", "B", "test samples", "only A right", "only B right", "p", "by")


def _show(out, rows, columns):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        number = any(isinstance(row[name], int | float) for row in rows)
        table.add_column(name, justify="right" if number else "left", no_wrap=name != "reason", overflow="fold")
    for row in rows:
        row = row | {"run": Path(row["run"]).name}
        table.add_row(*(_text(row[name]) for name in columns))
    _print(out, table)


def _print(out, table):
    out.width = 10_000  # a pipe loses nothing, and a terminal folds the lines
    out.width = out.measure(table).maximum
    out.print(table)


def _text(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
