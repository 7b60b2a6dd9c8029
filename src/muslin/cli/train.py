"""muslin train"""

from pathlib import Path
from typing import Annotated

import typer

from muslin import datasets, runs, tracking
from muslin.cli.options import Json, console, emit, with_settings
from muslin.errors import InputError
from muslin.runs.settings import Settings, read_file
from muslin.training.progress import TrainingProgress


@with_settings
def command(
    config: Annotated[Path | None, typer.Option(help="YAML or JSON file of settings; a flag outranks it.")] = None,
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
    flags: dict | None = None,
):
    """Every setting is a flag, or a line of the --config file. The state is saved after every epoch: a run that was
    interrupted or killed goes on with --resume and ends in the same parameters, to the bit."""
    out = console(json)
    tracking.check(tracker)
    if resume:
        run, data = _resumed(resume, flags, config, name)
    else:
        settings = Settings.read(read_file(config) if config else {}, flags)
        data = datasets.load(settings.dataset, data_dir=settings.data_dir)
        if evaluate:
            runs.need_test(data)
        run = runs.create(settings, data, runs_dir, name)
    with tracking.tracker(tracker, run, data, project=wandb_project, entity=wandb_entity) as tracked:
        summary = fit(run, data, tracked)
        if evaluate:
            from muslin.cli.evaluate import measure

            figures = measure(run, data)
            tracked.evaluated(figures, run.path / "confusion_matrix.png")
            summary |= {"test_accuracy": figures["test_accuracy"], "test_loss": figures["test_loss"]}
    result = {"run": str(run.path)} | {"val_accuracy": None} | summary
    if json:
        emit(result)
    else:
        show(out, run, summary)
        if evaluate:
            from muslin.cli.evaluate import show as show_test

            show_test(out, run, figures)


def _resumed(path, flags, config, name):
    if config or name:
        raise InputError("--resume takes a run as it is; leave out --config and --name, or start a new run.")
    run = runs.Run(path)
    data = run.dataset(quiet=False)
    runs.prolong(run, data, flags)
    return run, data


def fit(run, data, tracked, *callbacks):
    """Train with a progress bar, then draw the curves. Returns the summary. Ctrl-C says how to go on."""
    from muslin.report.plots import curves

    settings = run.settings
    rows, _ = runs.split(settings, data)
    try:
        with TrainingProgress(console(True), settings.epochs, len(rows)) as progress:
            summary = runs.train(run, data, [progress, tracked, *callbacks])
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted; {run.saved_epochs} of {settings.epochs} epochs are saved. Go on with: {run.resume_line}"
        ) from None
    tracked.trained(summary)
    curves(run.history, run.path / "curves.png")
    return summary


def show(out, run, summary):
    per_cent = {key: f"{summary[key]:.2%}" for key in ("accuracy", "val_accuracy") if key in summary}
    validation = f", validation {per_cent['val_accuracy']}" if "val_accuracy" in per_cent else ""
    epochs = f"{summary['epochs']} epoch{'s' * (summary['epochs'] > 1)}"
    out.print(f"trained    {epochs}, {summary['parameters']:,} parameters, loss {summary['loss']:.4f}")
    out.print(f"accuracy   training {per_cent['accuracy']}{validation}")
    rate = f"{summary['samples_per_second']:,.0f} samples/s"
    out.print(f"time       {summary['seconds']:.1f} s, {rate}, {summary['engine']} engine")
    out.print(f"run        {run.path}")
