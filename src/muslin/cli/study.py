"""muslin study"""

from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from muslin.cli.options import (
    Cluster,
    ClusterFile,
    DataDir,
    Json,
    SafeConsole,
    SideBySide,
    aside,
    console,
    emit,
    same_command,
    side_by_side,
)
from muslin.errors import known
from muslin.runs.directory import folder_name, need_classes
from muslin.runs.settings import Settings
from muslin.studies import STUDIES, study

#: last word of a figure's name → how it is written; all others with three digits
FORMATS = {"accuracy": "{:.2%}", "dead": "{:.1%}", "loss": "{:.4f}", "seconds": "{:.1f}", "parameters": "{:,.0f}"}


def command(
    name: Annotated[str | None, typer.Argument(metavar="STUDY", help="Without it, all are listed.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="(default: the study's)")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Networks of each (default: the study's).")
    ] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="(default: the study's)")] = None,
    data_dir: DataDir = None,
    folder: Annotated[str | None, typer.Option("--name", help="Folder of the results (default: study_STUDY).")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder that it is made in.")] = Path("runs"),
    workers: SideBySide = None,
    cluster: Cluster = None,
    cluster_file: ClusterFile = None,
    json: Json = False,
) -> None:
    """One of the course's comparisons: a few configurations, each trained with several seeds, give a table, a picture
    and a sentence. Every network is a run directory; the same command again goes on, and trains nothing twice."""
    if name is None:
        _list(json)
        return
    name = known(STUDIES, "study", name)
    settings = {"epochs": epochs, "dataset": dataset, "data_dir": data_dir}
    settings = {setting: value for setting, value in settings.items() if value is not None}
    path = runs_dir / folder_name(f"study_{name}" if folder is None else folder, "study")
    who = {"workers": workers, "cluster": cluster, "file": cluster_file}
    outcomes = _conduct(STUDIES[name], settings, seeds, path, who)
    facts = study.record(name, STUDIES[name], outcomes, path)
    if json:
        emit(facts)
    else:
        _show(console(json), facts)


def _list(json: bool) -> None:
    if json:
        emit({"studies": {name: entry.about for name, entry in STUDIES.items()}})
        return
    for name, entry in STUDIES.items():
        console(json).print(f"{name:<15} {entry.about}")


def _conduct(
    chosen: study.Study, changes: dict[str, Any], seeds: int | None, path: Path, who: dict[str, Any]
) -> study.Outcomes:
    """Train with a progress bar, side by side where workers or a cluster are asked for. Ctrl-C says how to go on."""
    make = side_by_side(path, **who)
    plan = chosen.plan(changes, seeds or chosen.seeds)
    settings = plan[0][1]
    data = settings.load_data()
    need_classes(data)
    with StudyProgress(aside(), plan) as progress:
        try:
            return study.conduct(chosen, plan, data, path, progress, make)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Interrupted; every epoch so far is saved. Go on with: {same_command()}") from None


class StudyProgress(study.Progress):
    """A bar of all epochs of a study if the console is a terminal; elsewhere a line a run."""

    def __init__(self, console: SafeConsole, plan: Any):
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=sum(settings.epochs for _, settings in plan))
        self.console, self.runs, self.of = console, 0, len(plan)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.stop()

    def on_run(self, name: str, settings: Settings, done: int) -> None:
        told = f"{name}, seed {settings.seed}"
        self.bar.update(self.task, description=told, advance=done)
        self.runs += 1
        if done < settings.epochs and not self.console.is_terminal:
            self.console.tell(f"run {self.runs} of {self.of}: {told}")

    def on_epoch(self, state: Any) -> None:
        self.on_rows(1)

    def on_rows(self, n: int) -> None:
        self.bar.advance(self.task, n)


def _show(out: Console, facts: dict[str, Any]) -> None:
    rows = facts["variations"]
    figures = list(dict.fromkeys(key for row in rows for key in row["figures"]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variation", no_wrap=True)
    for column in (*rows[0]["shown"], *figures):
        table.add_column(column, justify="right", no_wrap=True)
    if any("why" in row for row in rows):
        table.add_column("why", max_width=44)
    for row in rows:
        cells = [_text(key, row["figures"].get(key, {})) for key in figures]
        table.add_row(_name(row), *map(str, row["shown"].values()), *cells, row.get("why"))
    out.width = 10_000  # a pipe loses nothing, and a terminal folds the lines
    out.width = out.measure(table).maximum
    out.print(table)
    for line in ("conclusion", "picture"):
        out.print(f"{line:<10} {facts[line]}")


def _name(row):
    return (
        f"{row['variation']} ({row['diverged']} of {len(row['runs'])} diverged)"
        if row["diverged"]
        else row["variation"]
    )


def _text(key, figure):
    """Mean ± standard deviation over the seeds that finished."""
    write = FORMATS.get(key.rpartition("_")[2], "{:.3g}").format
    return " ± ".join(write(value) for value in figure.values() if value is not None)
