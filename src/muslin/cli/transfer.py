"""muslin transfer"""

import math
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from muslin import datasets, runs
from muslin.cli.options import (
    Cluster,
    ClusterFile,
    DataDir,
    Json,
    RunPath,
    SideBySide,
    aside,
    console,
    emit,
    same_command,
    side_by_side,
)
from muslin.errors import InputError
from muslin.runs.directory import folder_name
from muslin.studies import transfer
from muslin.studies.transfer import picture


def command(
    run: RunPath,
    to: Annotated[str, typer.Option(metavar="DATASET", help="The new data set, such as mnist, an .npz or a folder.")],
    data_dir: DataDir = None,
    fraction: Annotated[str, typer.Option(metavar="X,…", help="Of its training samples.")] = "0.01,0.05,0.2,1",
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Repetitions: other samples, other weights.")] = 5,
    freeze: Annotated[int, typer.Option(metavar="K", help="The first K layers are frozen.")] = 1,
    reinit_head: Annotated[
        bool, typer.Option("--reinit-head/--keep-head", help="A new last layer, or the trained one.")
    ] = True,
    epochs: Annotated[int | None, typer.Option("--epochs", "-e", metavar="N", help="(default: the run's)")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="X", help="(default: the run's)")] = None,
    min_steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="A small fraction is trained for more epochs, up to these steps.")
    ] = 2000,
    name: Annotated[str | None, typer.Option(help="Folder of the results (default: RUN_to_DATASET).")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder that it is made in.")] = Path("runs"),
    workers: SideBySide = None,
    cluster: Cluster = None,
    cluster_file: ClusterFile = None,
    json: Json = False,
) -> None:
    """From a trained network to another data set of the same input size: fine-tuned, and with its first K layers
    frozen, against the same network from scratch with the same samples, settings and number of steps. Every training
    is saved when it is done; the same command again goes on."""
    fractions = _fractions(fraction)
    source, data = runs.Run(run), datasets.load(to, data_dir=data_dir)
    runs.need_classes(data)
    changes = {"epochs": epochs, "learning_rate": learning_rate}
    changes = {setting: value for setting, value in changes.items() if value is not None}
    plan = transfer.plan(source, data, freeze, not reinit_head, min_steps, **changes)
    usual = f"{source.path.resolve().name}_to_{data.name}"
    folder = runs_dir / folder_name(usual if name is None else name, "transfer")
    who = {"workers": workers, "cluster": cluster, "file": cluster_file}
    cells = _train(plan, folder / "transfer.json", fractions, plan.seeds(seeds), (to, data_dir), who)
    rows = transfer.table(cells, fractions, plan.seeds(seeds))
    results = {
        "run": str(source.path),
        "to": data.name,
        "freeze": plan.freeze,
        "new_head": reinit_head,
        "table": rows,
        "conclusions": transfer.conclusions(rows, plan.freeze),
    }
    transfer.write(folder / "transfer.json", plan, cells, **results)
    picture.curves(results, folder / "transfer.png")
    if json:
        emit({"folder": str(folder)} | results)
    else:
        _show(console(json), results, folder)


def _fractions(text):
    try:
        fractions = sorted({float(word) for word in text.split(",")})
    except ValueError:
        fractions = [0]
    if not all(0 < fraction <= 1 for fraction in fractions):
        raise InputError(f"fraction is {text!r}; it must be fractions above 0, up to 1, such as 0.01,0.1,1.")
    return fractions


def _train(plan, path, fractions, seeds, names, who):
    """Train what is missing, with a bar of all its steps, side by side where that is asked for. Ctrl-C says how to go
    on."""
    missing = transfer.missing(transfer.read(path, plan), fractions, seeds)
    steps = sum(plan.budget(len(plan.rows(fraction, seed)))[1] for fraction, seed, _ in missing)
    out = aside()
    try:
        with Progress(console=out, transient=True, disable=not out.is_terminal) as progress:
            bar = progress.add_task(f"{len(missing)} trainings", total=steps)
            if make := side_by_side(path.parent, **who):
                advance = partial(_advance, plan, partial(progress.advance, bar))
                return transfer.train_side_by_side(plan, path, fractions, seeds, make, names, advance)
            each = [lambda state: progress.advance(bar, state.step / state.epoch)]
            return transfer.train(plan, path, fractions, seeds, each)
    except KeyboardInterrupt:
        saved = len(transfer.read(path, plan))
        raise KeyboardInterrupt(f"Interrupted; {saved} trainings are saved. Go on with: {same_command()}") from None


def _advance(plan, advance, cell, epochs):
    """The bar, by so many epochs of a training."""
    fraction, seed, _ = cell
    all_epochs, steps = plan.budget(len(plan.rows(fraction, seed)))
    advance(epochs * steps / all_epochs)


def _show(out, results, folder):
    heads = ("data", "samples", "scratch", "fine-tuned", "frozen", "difference")
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    for row in results["table"]:
        means = [_percent(row[name]["mean"], row[name]["sd"]) for name in transfer.CONTESTANTS]
        difference = _percent(row["fine_tuned"]["difference"], row["fine_tuned"]["standard_error"], sign="+")
        table.add_row(transfer.percent(row["fraction"]), f"{row['samples']:,}", *means, difference)
    out.print(table)
    for sentence in results["conclusions"]:
        out.print(sentence)
    head = "a new head" if results["new_head"] else "the head that it had"
    out.print(f"accuracy   in % on the test set of {results['to']}, ± standard deviation over the seeds")
    out.print("difference fine-tuned − scratch of the same seed, ± standard error")
    out.print(f"network    that of {results['run']}, with {head}")
    out.print(f"results    {folder / 'transfer.json'}")
    out.print(f"picture    {folder / 'transfer.png'}")


def _percent(value, spread, sign=""):
    return f"{100 * value:{sign}.2f}" + ("" if math.isnan(spread) else f" ± {100 * spread:.2f}")
