"""muslin best"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from muslin import runs, tracking
from muslin.cli.options import Cluster, ClusterFile, Json, Workers, aside, console, emit, executor, same_command
from muslin.cli.train import fit

if TYPE_CHECKING:
    from muslin.datasets import Dataset
    from muslin.executors import Executor
    from muslin.runs.settings import Settings
    from muslin.sweeps.directory import SweepDirectory
    from muslin.sweeps.finalists import Finalist
    from muslin.sweeps.study import Trial

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def command(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="A sweep directory, such as runs/NAME.")],
    finalists: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Train the K best again, and take the best mean.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="S", help="New seeds of each finalist.")] = 3,
    workers: Workers = None,
    cluster: Cluster = None,
    cluster_file: ClusterFile = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the network (default: the trial's own).")] = None,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="The sweep's database, if it was moved.")] = None,
    tracker: Annotated[str, typer.Option(help="Show it elsewhere, too: none, or wandb.")] = "none",
    json: Json = False,
) -> None:
    """The configuration with the best value (of equals the one with fewer parameters) is trained again on all training
    data, for its own number of epochs, and measured once on the test set. The run is SWEEP/best. The best of many
    trials is the luckiest, too: --finalists 5 gives the five best new seeds first."""
    from muslin.sweeps.directory import SweepDirectory

    tracking.check(tracker)
    directory = SweepDirectory(sweep)
    out = console(json)
    log = directory.path / "workers.log"
    make = partial(executor, log=log, workers=workers, cluster=cluster, file=cluster_file)
    trial, why, table = chosen(directory, directory.trials(storage), finalists, seeds, make, None if json else out)
    run, figures = retrain(directory, trial, seed, tracker)
    best = {"trial": trial.number, "value": trial.value, "params": trial.config, "trial_run": str(sweep / trial.run)}
    if json:
        more = {"finalists": table} if finalists else {}
        emit({"sweep": str(sweep), "best": best | {"why": why}, "run": str(run.path), **more} | run.summary | figures)
        return
    from muslin.cli.evaluate import show

    show(out, run, figures)
    out.print(f"run        {run.path}")


def chosen(
    directory: "SweepDirectory",
    trials: "list[Trial]",
    count: int | None = None,
    seeds: int = 3,
    make: "Callable[[int], Executor] | None" = None,
    out: Console | None = None,
) -> "tuple[Trial, str, list[dict[str, Any]]]":
    """(trial, why, a row of each finalist): the best trial of a sweep, or of ``count`` finalists the one with the best
    mean. What is found is printed where there is an ``out``."""
    from muslin.sweeps import finalists, retrain

    table: list[dict[str, Any]] = []
    say = out.print if out else lambda line: None
    if count:
        retrain.need_ours(directory)
        with _progress(out) as show, _interruptible():
            ranking = finalists.contest(directory, trials, count, seeds, make, show)
        trial, why = ranking[0].trial, finalists.why(ranking, directory.metric)
        table = [_row(finalist) for finalist in ranking]
        for place, finalist in enumerate(ranking, 1):
            words = ", ".join(f"{key} {value}" for key, value in directory.searched(finalist.trial).items())
            say(f"finalist   {place}. {finalists.figure(finalist)}  trial {finalist.trial.number}: {words}")
    else:
        trial, why = retrain.choose(directory, trials)
    say(f"trial      {trial.number}: {why}")
    return trial, why, table


def _row(finalist: "Finalist") -> dict[str, Any]:
    facts = {"trial": finalist.trial.number, "mean": finalist.mean, "deviation": finalist.deviation}
    return facts | {"values": {str(seed): value for seed, value in finalist.values.items()}}


@contextmanager
def _progress(out: Console | None) -> Iterator[Callable[[int, int], None]]:
    """What shows how many finalists are trained: a bar on a terminal, lines in a pipe."""
    console = aside(markup=True)
    if not (out and console.is_terminal):
        yield lambda done, all: console.tell(f"finalists  {done} of {all} trained")
        return
    with Progress(*COLUMNS, console=console, transient=True) as bar:
        task = bar.add_task("finalists", total=None)
        yield lambda done, all: bar.update(task, completed=done, total=all)


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted. Go on with: {same_command()}") from None


def retrain(
    directory: "SweepDirectory", trial: "Trial", seed: int | None = None, tracker: str = "none"
) -> tuple[runs.Run, dict[str, Any]]:
    """(run, test figures): the trial's configuration trained on all data and measured. What is there already stays:
    the test set is looked at once."""
    from muslin.files import read_json, write_json
    from muslin.sweeps.retrain import final_settings

    settings = final_settings(directory, trial, seed)
    data = settings.load_data()
    runs.need_test(data)
    run = _place(directory, settings, data)
    kept = run.path / "test.json"
    if kept.exists():
        return run, read_json(kept)
    sweep = directory.sweep
    with tracking.tracker(tracker, run, data, project=sweep.project, entity=sweep.entity) as tracked:
        figures = _trained_and_measured(run, data, tracked)
    write_json(run.path / "summary.json", run.summary | {"chosen": {"trial": trial.number, "run": trial.run}})
    write_json(kept, figures)
    return run, figures


def _place(directory: "SweepDirectory", settings: "Settings", data: "Dataset") -> runs.Run:
    """The run directory: the one that has these settings already, else a new one."""
    for path in sorted(directory.path.glob("best*")):
        run = runs.Run(path)
        if run.begun and run.settings == settings:
            return run
    return runs.create(settings, data, directory.path, "best", numbered=True)


def _trained_and_measured(run: runs.Run, data: "Dataset", tracked: Any) -> dict[str, Any]:
    from muslin.cli.evaluate import measure
    from muslin.report.plots import curves

    with _interruptible():
        if not run.finished:
            fit(run, data, tracked)
        elif not (run.path / "curves.png").exists():  # a kill came before they were drawn
            curves(run.history, run.path / "curves.png")
    figures = measure(run, data)
    tracked.evaluated(figures, run.path / "confusion_matrix.png")
    return figures
