"""muslin sweep"""

import math
import os
import shlex
import signal
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from muslin.cli.options import Cluster, ClusterFile, Json, Workers, aside, console, emit, executor, same_command
from muslin.errors import InputError, known
from muslin.sweeps.file import ours, spellings

LINES = "those are that print a JSON object an epoch, with the metric."


def command(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.yaml", help="A sweep file as W&B takes it, YAML or JSON.")],
    count: Annotated[int | None, typer.Option(min=1, help="Finished trials in all, over all starts.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    cluster_file: ClusterFile = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the trials (default: a SQLite file beside them).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the sweep (default: the file's name key, or its name).")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder that the sweep's directory is made in.")] = Path("runs"),
    trial_timeout: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="A trial that takes longer is ended, and failed.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Train each configuration with K seeds (default 1).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the search (default 0).", show_default=False)] = None,
    sampler: Annotated[str, typer.Option(help="Of method bayes: tpe, or gp (needs PyTorch).")] = "tpe",
    engine: Annotated[str, typer.Option(help="Who searches: local, or wandb, the W&B server.")] = "local",
    tracker: Annotated[str, typer.Option(help="Show the trials elsewhere, too: none, or wandb.")] = "none",
    check: Annotated[bool, typer.Option("--check", help="Only check the file and print the space.")] = False,
    json: Json = False,
) -> None:
    """Every trial is a run directory in the sweep's directory. The same command again goes on, and --count tells how
    far: a killed sweep loses no finished trial. Stop it with Ctrl-C."""
    from muslin import tracking
    from muslin.sweeps.file import schema

    engine = known({"local": None, "wandb": None}, "engine", engine)
    try:
        sweep = ours.read(file)
    except schema.InvalidSweep as error:
        for problem in error.problems:
            print(f"muslin: {file}: {problem}", file=sys.stderr)
        sys.exit(2)
    for warning in sweep.warnings:
        print(f"muslin: {file}: {warning}", file=sys.stderr)
    if check:
        _check(sweep, file, json)
        return
    name = name or sweep.name or file.stem
    if engine == "wandb" and sweep.runs_program:
        raise InputError(f"{file} has a program: for W&B's search there is `wandb agent`.")
    if engine == "wandb":
        tracking.check(tracker)
        _run_wandb(sweep, runs_dir, name, count, json)
        return
    place = {"name": name, "runs_dir": runs_dir, "seed": seed, "sampler": sampler, "storage": storage}
    place |= {"repeats": repeats, "tracker": tracker}
    who = {"workers": workers, "cluster": cluster, "file": cluster_file}
    _run(sweep, place, json, who, count=count, timeout=trial_timeout)


def _run(sweep, place, json, who, **limits):
    from muslin.cli.sweep_view import View
    from muslin.sweeps.scheduler import Scheduler
    from muslin.sweeps.start import begin

    out, scheduler = console(json), None
    try:
        where, study, told = begin(sweep, **place)
        with _terminable(), View(aside(markup=True)) as view, _heard(where, who) as (live, listeners):
            pool = executor(math.inf, where.path / "workers.log", asks=bool(sweep.early_terminate), **who)
            scheduler = Scheduler(where, study, pool, show=view, tracker=told, live=live, **limits)
            listeners.append(scheduler.hear)
            view(scheduler)
            if scheduler.limit == float("inf") and sweep.metric is None:
                view.note("There is no --count and no run_cap: this sweep ends with Ctrl-C.")
            scheduler.run()
    except KeyboardInterrupt:
        done = f"; trials done and stored: {scheduler.done}" if scheduler else ""
        raise KeyboardInterrupt(f"Interrupted{done}. Go on with: {same_command()}") from None
    if list(where.path.glob("*/wandb/offline-run-*")):
        print(f"muslin: W&B: offline; upload with: wandb sync {where.path}/*/wandb/offline-run-*", file=sys.stderr)
    result = _result(where, scheduler)
    pictures = _analyse(where, study) if scheduler.done > scheduler.done_before else []
    if json:
        emit(result)
    else:
        _show(out, where, scheduler, result, pictures)


@contextmanager
def _heard(where, who):
    """(variables, listeners): the variables by which programs log to a server of ours with W&B's client, so that they
    can be stopped early, and the functions that are told of it. None where they need not or cannot, for they run on
    other machines, or WANDB_MODE is set."""
    sweep, listeners = where.sweep, []
    early = sweep.early_terminate or (sweep.metric and sweep.metric.target is not None)
    away = who["cluster"] and not who["cluster"].startswith("local:")
    if not (sweep.runs_program and early) or away or "WANDB_MODE" in os.environ:
        if sweep.runs_program and early and away:
            print(
                f"muslin: programs that only call wandb.log are not stopped early elsewhere; {LINES}", file=sys.stderr
            )
        yield None, listeners
        return
    with ExitStack() as stack:
        try:
            from muslin.sweeps.server.listener import listening

            folder = stack.enter_context(TemporaryDirectory(prefix="muslin-", ignore_cleanup_errors=True))
            environment = stack.enter_context(listening(folder, lambda *heard: [hear(*heard) for hear in listeners]))
            live = {key: v for key, v in environment(os.environ).items() if os.environ.get(key) != v}
        except InputError as error:
            print(f"muslin: programs that only call wandb.log are not stopped early: {error}", file=sys.stderr)
            live = None
        yield live, listeners


def _run_wandb(sweep, runs_dir, name, count, json):
    from muslin.sweeps.directory import folder
    from muslin.sweeps.start import fetch
    from muslin.sweeps.wandb_agent import Agent, begin

    where = folder(runs_dir, name)
    path = begin(sweep, where)
    fetch(sweep)
    agent = Agent(sweep, where, count).run(path)
    best, trials = agent.best, agent.counts
    winner = {"value": best.value, "params": best.params, "run": str(best.run.path)} if best else None
    if json:
        emit({"sweep": str(where), "wandb": path, "trials": trials, "best": winner})
        return
    out = console(json)
    out.print(f"trials     {', '.join(f'{n} {state}'.replace('_', ' ') for state, n in trials.items() if n) or 'none'}")
    if best:
        out.print(f"best       {agent.metric.name} {best.value:.6g}", style="bold")
        out.print(f"run        {best.run.path}")


@contextmanager
def _terminable():
    """A polite kill is taken as Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _result(where, scheduler):
    best = scheduler.best
    winner = {"value": best.value, "params": best.config, "run": str(where.path / best.run)} if best else None
    return {
        "sweep": str(where.path),
        "trials": {state: scheduler.counts[state] for state in ("finished", "stopped_early", "failed")},
        "best": winner,
    }


def _analyse(where, study):
    """The names of the pictures that were drawn."""
    from muslin.sweeps.analysis import analyse

    try:
        return analyse(where, study)
    except InputError as error:  # the trials are safe; only the pictures are missing
        print(f"muslin: {error}", file=sys.stderr)
        return []


def _show(out, where, scheduler, result, pictures):
    from muslin.documents import flat

    trials, best = result["trials"], scheduler.best
    failed = f", {trials['failed']} failed" if trials["failed"] else ""
    stopped = f", {trials['stopped_early']} stopped early" if trials["stopped_early"] else ""
    out.print(f"trials     {trials['finished']} finished{stopped}{failed}")
    if isinstance(scheduler.ending, str):
        out.print(f"ended      {scheduler.ending}")
    if scheduler.elsewhere:
        out.print(f"elsewhere  {len(scheduler.elsewhere)} trials run in other processes")
    if best:
        searched = [leaf.name for leaf in scheduler.sweep.space.searched]
        out.print(f"best       {scheduler.metric.name} {best.value:.6g}, trial {best.number}", style="bold")
        out.print(f"           {', '.join(f'{k} {v}' for k, v in flat(best.config).items() if k in searched)}")
        out.print(f"run        {where.path / best.run}")
    for picture in pictures:
        out.print(f"picture    {where.path / picture}")
    if best and not scheduler.sweep.runs_program:
        out.print(f"next       muslin best {shlex.quote(str(where.path))}")


def _check(sweep, file, json):
    from muslin.sweeps.file.space import Grid

    size = Grid(sweep.space).size if sweep.method == "grid" else None
    leaves = {leaf.name: str(leaf) for leaf in sweep.space.leaves}
    if json:
        metric = {"name": sweep.metric.name, "goal": sweep.metric.goal} if sweep.metric else None
        emit({"valid": True, "method": sweep.method, "metric": metric, "parameters": leaves, "points": size})
        return
    out = console(json)
    out.print(f"{file}: valid", markup=False, style="bold")
    points = f", {size:,} points" if size is not None else ""
    out.print(f"method     {sweep.method}{points}")
    if sweep.metric:
        target = f", until {sweep.metric.target}" if sweep.metric.target is not None else ""
        out.print(f"metric     {sweep.metric.goal} {sweep.metric.name}{target}")
    if sweep.early_terminate:
        bands = ", ".join(map(str, sweep.early_terminate.bands(100)))
        out.print(f"stops      hyperband at iterations {bands} (up to 100), eta {sweep.early_terminate.eta:g}")
    if sweep.run_cap:
        out.print(f"run_cap    {sweep.run_cap}")
    width = max(map(len, leaves), default=0)
    for leaf in sweep.space.leaves:
        out.print(f"parameter  {leaf.name:<{width}}  {leaf}{_read_as(leaf, sweep)}")


def _read_as(leaf, sweep):
    """Our name of a hyperparameter, where the file has another."""
    name = None if sweep.runs_program else spellings.setting(leaf.path[-1])
    return f"  ({name})" if name not in (None, leaf.path[-1]) else ""
