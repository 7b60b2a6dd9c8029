"""A sweep on the terminal: what is done, what runs, the best so far, rate and time left."""

import time
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

#: trials that run which are shown
SHOWN = 16


class View:
    """Draws on the console if it is a terminal; says nothing in a pipe. Called with the scheduler after each event."""

    def __init__(self, console: Console):
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.shown = 0.0

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def note(self, text: str) -> None:
        if self.live:
            self.console.print(text, markup=False)

    def __call__(self, scheduler: Any) -> None:
        now = time.monotonic()
        if self.live and now - self.shown > 0.2:
            self.shown = now
            self.live.update(picture(scheduler, now), refresh=True)


def picture(scheduler: Any, now: float) -> Table:
    """The table of the moment."""
    counts, done = scheduler.counts, scheduler.done
    new, seconds = done - scheduler.done_before, max(now - scheduler.started, 1e-9)
    rate = new / seconds
    finite = scheduler.limit != float("inf")
    of = f" of {scheduler.limit}" if finite else ""
    left = f", {_duration((scheduler.limit - done) / rate)} left" if finite and rate else ""
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "trials",
        f"[bold]{done}{of}[/] done ({counts['stopped_early']} stopped early), "
        f"{len(scheduler.pool.busy)} running, {counts['failed']} failed",
    )
    table.add_row("rate", f"{rate * 3600:,.0f} an hour, {_duration(seconds)} so far{left}")
    if nodes := scheduler.pool.nodes():
        table.add_row("nodes", escape(", ".join(f"{node} {taken} of {room}" for node, (taken, room) in nodes.items())))
    best = scheduler.best
    if best:
        searched = [leaf.path[-1] for leaf in scheduler.sweep.space.searched]
        words = ", ".join(f"{key} {_short(value)}" for key, value in best.config.items() if key in searched)
        table.add_row("best", f"[bold]{escape(scheduler.metric.name)} {best.value:.6g}[/]  {escape(words)}")
    for worker, trial in [*scheduler.pool.busy.items()][:SHOWN]:
        last = f"{trial.history[-1]:.6g} after {len(trial.history)}" if trial.history else "begins"
        table.add_row("running", escape(f"{trial.run}  {last}  {worker.node}".rstrip()))
    return table


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
