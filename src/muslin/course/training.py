"""training.py: the assignment from the data to the confusion matrix. Run again, it goes on where it was."""

import shlex
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from muslin import runs
from muslin.cli import best, exit_codes, samples, sweep
from muslin.cli.evaluate import show
from muslin.cli.options import console, executor
from muslin.course.arguments import Parser, add_runs_dir, positive
from muslin.errors import InputError
from muslin.network import FeedForwardNeuralNetwork
from muslin.sweeps import directory
from muslin.sweeps.file import ours, spellings
from muslin.sweeps.file.schema import Sweep
from muslin.tracking import wandb_run


class Outcome(NamedTuple):
    """The network trained on all training data, a row of figures an epoch, and what the test set says:
    confusion [true][predicted] counts its samples."""

    network: FeedForwardNeuralNetwork
    history: list
    test_accuracy: float
    confusion: np.ndarray


def main(default_sweep: Path, argv: list[str] | None = None) -> Outcome:
    """Do as the arguments say; returns the `Outcome`. Exits as the commands do where it does not get so far."""
    words = ["python", "training.py", *(sys.argv[1:] if argv is None else argv)]
    with exit_codes():
        try:
            return work(parser(default_sweep).parse_args(argv))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Interrupted; what is done is stored. Go on with: {shlex.join(words)}") from None


def parser(default_sweep: Path) -> Parser:
    reader = Parser(
        "training.py", description="Data, sweep, best model, test: the whole assignment.", allow_abbrev=False
    )
    reader.add_argument("--sweep", type=Path, default=default_sweep, metavar="FILE", help="sweep file (%(default)s)")
    reader.add_argument("--count", type=positive, metavar="N", help="trials in all (default: the file's run_cap)")
    reader.add_argument("--workers", type=positive, metavar="N", help="processes that train (default: a core each)")
    text = "the best that are trained again before one is chosen by its mean (%(default)s)"
    reader.add_argument("--finalists", type=positive, default=4, metavar="K", help=text)
    reader.add_argument(
        "--seeds", type=positive, default=3, metavar="S", help="new ones of each finalist (%(default)s)"
    )
    reader.add_argument("--name", metavar="X", help="of the sweep (default: the file's name key, or its name)")
    add_runs_dir(reader)
    reader.add_argument(
        "--engine", metavar="X", help="who searches: wandb (the default where there is a key), or local"
    )
    reader.add_argument("--tracker", metavar="X", help="show runs elsewhere, too: wandb (as with that engine), or none")
    return reader


def work(options: Namespace) -> Outcome:
    """options: what `parser` makes of a command line. Returns the `Outcome`. Raises InputError, Diverged."""
    engine = options.engine or ("wandb" if wandb_run.online() else "local")
    tracker = options.tracker or ("wandb" if engine.lower() == "wandb" else "none")
    file, runs_dir = ours.read(options.sweep), options.runs_dir or Path("runs")
    where = directory.folder(runs_dir, options.name or file.name or options.sweep.stem)
    _show_data(file, where)
    sweep.command(
        options.sweep,
        options.count,
        options.workers,
        name=where.name,
        runs_dir=runs_dir,
        engine=engine,
        tracker=tracker,
    )
    return _best(directory.SweepDirectory(where), tracker, options)


def _show_data(file: Sweep, where: Path) -> None:
    """Get the data that the sweep is about, say how they are split, and draw an image of each class."""
    if file.runs_program:
        raise InputError("The sweep file has a program; only that can train its best configuration again.")
    settings = spellings.fixed(file)
    data = settings.load_data()
    X_test, _ = runs.need_test(data)
    train, validation = runs.split(settings, data)
    numbers = f"{len(train):,} training, {len(validation):,} validation and {len(X_test):,} test samples"
    console(False).print(f"data       {data.name}: {numbers} of {len(data.class_names)} classes")
    if data.image_shape:
        samples.command(settings.dataset, settings.data_dir, where / "samples.png")


def _best(swept: directory.SweepDirectory, tracker: str, options: Namespace) -> Outcome:
    out, make = console(False), partial(executor, log=swept.path / "workers.log", workers=options.workers)
    trial, _, _ = best.chosen(swept, swept.trials(), options.finalists, options.seeds, make, out)
    run, figures = best.retrain(swept, trial, tracker=tracker)
    show(out, run, figures)
    out.print(f"run        {run.path}")
    return Outcome(run.network, run.history, figures["test_accuracy"], np.array(figures["confusion_matrix"]))
