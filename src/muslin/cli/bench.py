"""muslin bench"""

import statistics
from typing import Annotated, Any

import typer
from rich.table import Table

from muslin.cli.options import Json, console, emit, with_settings
from muslin.engines import blas
from muslin.errors import InputError
from muslin.runs import timing
from muslin.runs.settings import Settings
from muslin.training.settings import FULL_BATCH

#: settings that time nothing
WITHOUT = (
    "dataset",
    "data_dir",
    "target",
    "drop",
    "task",
    "test",
    "encoding",
    "class_weight",
    "validation",
    "stratify",
    "epochs",
    "patience",
    "monitor",
    "diagnostics",
    "warmup",
)


@with_settings
def command(
    rounds: Annotated[int, typer.Option(min=1, help="Epochs that count; the median is shown.")] = 5,
    inputs: Annotated[int, typer.Option(min=1, help="Numbers in a sample.")] = 784,
    classes: Annotated[int, typer.Option(min=2, help="Classes.")] = 10,
    json: Json = False,
    *,
    flags: dict[str, Any],
) -> None:
    """A training step of the network that the settings describe, on random images: with one thread and with all, beside
    what the machine can do at most: the same matrix products alone through BLAS, and one pass over the optimizer's
    memory. For the comparison with PyTorch, JAX and scikit-learn see benchmarks/."""
    if wrong := [name for name in WITHOUT if name in flags]:
        raise InputError(f"muslin bench trains on random images; leave out {', '.join(wrong)}.")
    settings = Settings.read(flags, {"epochs": rounds + 1})
    if settings.optimizer in FULL_BATCH:
        raise InputError(f"muslin bench times steps on batches, and {settings.optimizer} takes all samples at once.")
    counts = sorted({1, blas.n_threads()}) if settings.threads is None and blas.description() else [settings.threads]
    rows = [_timed(settings, n, rounds, inputs, classes) for n in counts]
    limit, best = (min(row[key] for row in rows) for key in ("limit", "step"))
    facts = {"share_of_limit": limit / best, "blas": blas.description(), "rows": rows}
    if json:
        emit(facts)
        return
    out = console(json)
    network = settings.network(inputs, classes)
    out.print(f"{network!r}, batch {settings.batch_size}, {settings.optimizer}, {network.engine.name} engine")
    table = Table("threads", "µs a step", "samples/s", "limit, µs", "share", box=None, pad_edge=False)
    for column in table.columns:
        column.justify = "right"
    for row in rows:
        step, limit_ = 1e6 * row["step"], 1e6 * row["limit"]
        share = f"{row['limit'] / row['step']:.0%}"
        table.add_row(str(row["threads"]), f"{step:,.1f}", f"{row['samples_per_second']:,.0f}", f"{limit_:,.1f}", share)
    out.print(table)
    for note in sorted({row["engine_note"] for row in rows} - {None}):
        out.print(f"Steps are not played from tape: {note}.")
    out.print(f"The fastest step is at {facts['share_of_limit']:.0%} of the fastest limit.")


def _timed(settings, threads, rounds, inputs, classes):
    with blas.threads(threads):
        network, batch = settings.network(inputs, classes), settings.batch_size
        steps, note = timing.step_seconds(network, settings.training(), rounds=rounds)
        step = statistics.median(steps)
        limit = statistics.median(timing.limit_seconds(network, batch, settings.optimizer, rounds=rounds))
    figures = {"threads": threads, "step": step, "limit": limit, "samples_per_second": batch / step}
    return figures | {"engine_note": note}
