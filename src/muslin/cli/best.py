"""muslin best"""

from pathlib import Path
from typing import Annotated

import typer

from muslin import datasets, runs, tracking
from muslin.cli.options import Json, console, emit, same_command
from muslin.cli.train import fit


def command(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="A sweep directory, such as runs/NAME.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Of the network (default: the trial's own).")] = None,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="The sweep's database, if it was moved.")] = None,
    tracker: Annotated[str, typer.Option(help="Show it elsewhere, too: none, or wandb.")] = "none",
    json: Json = False,
):
    """The configuration with the best value (of equals the one with fewer parameters) is trained again on all training
    data, for its own number of epochs, and measured once on the test set. The run is SWEEP/best."""
    from muslin.sweeps.directory import SweepDirectory
    from muslin.sweeps.retrain import choose

    tracking.check(tracker)
    directory = SweepDirectory(sweep)
    trial, why = choose(directory, directory.trials(storage))
    out = console(json)
    if not json:
        out.print(f"trial      {trial.number}: {why}")
    run, figures = retrain(directory, trial, seed, tracker)
    best = {"trial": trial.number, "value": trial.value, "params": trial.config, "trial_run": str(sweep / trial.run)}
    if json:
        emit({"sweep": str(sweep), "best": best | {"why": why}, "run": str(run.path)} | run.summary | figures)
        return
    from muslin.cli.evaluate import show

    show(out, run, figures)
    out.print(f"run        {run.path}")


def retrain(directory, trial, seed=None, tracker="none"):
    """(run, test figures): the trial's configuration trained on all data and measured. What is there already stays:
    the test set is looked at once."""
    from muslin.files import read_json, write_json
    from muslin.sweeps.retrain import final_settings

    settings = final_settings(directory, trial, seed)
    data = datasets.load(settings.dataset, data_dir=settings.data_dir)
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


def _place(directory, settings, data):
    """The run directory: the one that has these settings already, else a new one."""
    for path in sorted(directory.path.glob("best*")):
        if (path / "config.json").exists() and runs.Run(path).settings == settings:
            return runs.Run(path)
    taken = (directory.path / "best").exists()
    number = len(list(directory.path.glob("best*")))
    return runs.create(settings, data, directory.path, f"best-{number + 1}" if taken else "best")


def _trained_and_measured(run, data, tracked):
    from muslin.cli.evaluate import measure

    try:
        if not run.finished:
            fit(run, data, tracked)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted. Go on with: {same_command()}") from None
    figures = measure(run, data)
    tracked.evaluated(figures, run.path / "confusion_matrix.png")
    return figures
