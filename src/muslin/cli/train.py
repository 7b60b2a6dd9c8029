"""muslin train"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from muslin import recipes, runs, tracking
from muslin.cli.columns import show_columns
from muslin.cli.options import Json, aside, console, emit, with_settings
from muslin.datasets import Dataset
from muslin.errors import InputError, visible
from muslin.runs import Run
from muslin.runs.settings import Settings, read_file
from muslin.tracking import Tracker
from muslin.training.progress import TrainingProgress


@with_settings
def command(
    config: Annotated[Path | None, typer.Option(help="YAML or JSON file of settings; a flag outranks it.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"Settings found to be good, outranked by --config and flags: {', '.join(recipes.RECIPES)}."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run (default: made from its settings).")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder that the run directory is made in.")] = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run; --epochs may be more, --patience another.")
    ] = None,
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Then measure it on the test set.")] = False,
    tracker: Annotated[str, typer.Option(help="Show it elsewhere, too: none, or wandb.")] = "none",
    wandb_project: Annotated[str | None, typer.Option(help="Of W&B (default: muslin).")] = None,
    wandb_entity: Annotated[str | None, typer.Option(help="Of W&B (default: one's own).")] = None,
    json: Json = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Every setting is a flag, or a line of the --config file. The state is saved after every epoch: a run that was
    interrupted or killed goes on with --resume and ends in the same parameters, to the bit."""
    out = console(json)
    tracking.check(tracker)
    if resume:
        run, data = _resumed(resume, flags, config or recipe, name)
    else:
        good = recipes.recipe(recipe) if recipe else {}
        settings = Settings.read(good, read_file(config) if config else {}, flags)
        data = settings.load_data()
        if evaluate:
            runs.need_test(data)
        if data.table:
            show_table(out, data)
        run = runs.create(settings, data, runs_dir, recipe if name is None else name, numbered=name is None)
    with tracking.tracker(tracker, run, data, project=wandb_project, entity=wandb_entity) as tracked:
        summary = fit(run, data, tracked)
        if evaluate:
            from muslin.cli.evaluate import measure

            figures = measure(run, data)
            tracked.evaluated(figures, run.path / "confusion_matrix.png")
            summary |= {key: value for key, value in figures.items() if key.startswith("test_")}
    result = {"run": str(run.path)} | ({"val_accuracy": None} if "accuracy" in summary else {}) | summary
    if json:
        emit(result)
    else:
        show(out, run, summary)
        if evaluate:
            from muslin.cli.evaluate import show as show_test

            show_test(out, run, figures)


def _resumed(path: Path, flags: dict[str, Any], config: Any, name: str | None) -> tuple[Run, Dataset]:
    if config or name:
        raise InputError("--resume takes a run as it is; leave out --config, --recipe and --name, or start a new run.")
    run = runs.Run(path)
    data = run.dataset(quiet=False)
    runs.prolong(run, data, flags)
    return run, data


def fit(run: Run, data: Dataset, tracked: Tracker, *callbacks: Any) -> dict[str, Any]:
    """Train with a progress bar, then draw the curves. Returns the summary. Ctrl-C says how to go on."""
    from muslin.report.plots import curves

    settings = run.settings
    rows, _ = runs.split(settings, data)
    try:
        with TrainingProgress(aside(), settings.epochs, len(rows)) as progress:
            summary = runs.train(run, data, [progress, tracked, *callbacks])
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted; {run.saved_epochs} of {settings.epochs} epochs are saved. Go on with: {run.resume_line}"
        ) from None
    tracked.trained(summary)
    curves(run.history, run.path / "curves.png")
    return summary


def show_table(out: Console, data: Dataset) -> None:
    """What each column of a table is, before training."""
    facts = data.table
    show_columns(out, facts.columns)
    target, test = facts.target, 0 if data.X_test is None else len(data.X_test)
    some = ", ".join(visible(name[:30]) for name in target.classes[:8])
    what = f"{len(target.classes)} classes: {some}" + ", …" * (len(target.classes) > 8)
    out.print(f"target     {target.name}: {what if target.classes else 'numbers'} ({target.task})", style="bold")
    if facts.without_target:
        out.print(f"left out   {facts.without_target:,} rows without a value in {target.name}")
    for note in facts.notes:
        out.print(f"note       {visible(note)}")
    out.print(f"rows       {len(data.X_train):,} for training and validation, {test:,} for the test")
    out.print(f"inputs     {data.X_train.shape[1]} numbers, made of {len(facts.preparation.columns)} columns")


def show(out: Console, run: Run, summary: dict[str, Any]) -> None:
    epochs = f"{summary['epochs']} epoch{'s' * (summary['epochs'] > 1)}"
    out.print(f"trained    {epochs}, {summary['parameters']:,} parameters, loss {summary['loss']:.4f}")
    if "accuracy" in summary:
        validation = f", validation {summary['val_accuracy']:.2%}" if "val_accuracy" in summary else ""
        out.print(f"accuracy   training {summary['accuracy']:.2%}{validation}")
    elif "val_r2" in summary:
        errors = f"errors {summary['val_mae']:.6g} in the mean, {summary['val_rmse']:.6g} in the root mean square"
        out.print(f"R²         validation {summary['val_r2']:.4f}, {errors}")
    rate = f"{summary['samples_per_second']:,.0f} samples/s"
    out.print(f"time       {summary['seconds']:.1f} s, {rate}, {summary['engine']} engine")
    out.print(f"run        {run.path}")
