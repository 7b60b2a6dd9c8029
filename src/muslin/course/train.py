"""train.py: a network from the course's arguments, trained, measured, and shown on W&B."""

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from muslin import runs, tracking
from muslin.cli import exit_codes
from muslin.cli.evaluate import measure
from muslin.cli.options import console
from muslin.cli.train import fit, show
from muslin.course import arguments
from muslin.errors import InputError
from muslin.training import Callback, State


def main(argv: list[str] | None = None) -> None:
    """Train as the arguments say, and exit as the commands do."""
    with exit_codes():
        train(arguments.parser().parse_args(argv))


def train(options: Namespace) -> runs.Run:
    """options: what `arguments.parser` makes of a command line. Returns the run. Raises InputError, Diverged."""
    settings = arguments.settings(options)
    tracker = options.tracker or usual_tracker()
    tracking.check(tracker)
    data = settings.load_data()
    if options.test:
        runs.need_test(data)
    place = _file(options.model_save_path)
    run = runs.create(settings, data, options.runs_dir or usual_runs_dir(), options.name)
    out = console(False)
    with tracking.tracker(tracker, run, data, project=options.wandb_project, entity=options.wandb_entity) as tracked:
        show(out, run, fit(run, data, tracked, *([Lines()] if in_sweep() else [])))
        if place:
            run.model.save(place)
            out.print(f"model      {place}")
        if options.test:
            figures = measure(run, data)
            tracked.evaluated(figures, run.path / "confusion_matrix.png")
            _show_test(out, figures)
    return run


def usual_tracker() -> str:
    """W&B where it is installed: online with a key, else in files. Without it there is the run directory."""
    try:
        tracking.check("wandb")
    except InputError as error:
        print(f"muslin: {error}", file=sys.stderr)
        return "none"
    return "wandb"


def in_sweep() -> bool:
    """Whether this is a trial of a sweep, W&B's or ours."""
    return "WANDB_SWEEP_ID" in os.environ


def usual_runs_dir() -> Path:
    """The trials of `muslin sweep` have each a directory of their own."""
    return Path(os.environ.get("WANDB_DIR", "runs") if in_sweep() else "runs")


class Lines(Callback):
    """Prints the figures of each epoch as a line of JSON, which is how `muslin sweep` learns them."""

    def on_epoch(self, state: State) -> None:
        print(json.dumps(state.history[-1]), flush=True)


def _file(path: Path | None) -> Path | None:
    """The file to write the model to, its folder made before hours of training end in there being none."""
    if path is None:
        return None
    place = path / "model.safetensors" if path.is_dir() else path
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _show_test(out: Console, figures: dict[str, Any]) -> None:
    names = ("test accuracy", "test loss", "macro precision", "macro recall", "macro F1")
    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    scores = (figures["test_loss"], *figures["macro"].values())
    table.add_row(f"{figures['test_accuracy']:.2%}", *(f"{score:.4f}" for score in scores))
    out.print(f"picture    {figures['pictures'][0]}")
    out.print(table)
