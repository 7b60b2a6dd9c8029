"""A sweep on the terminal: what is done, what runs, the best so far, rate and time left; in a pipe, a line a trial."""

import time
from collections.abc import Iterator
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from muslin.cli.options import SafeConsole

#: trials that run, and nodes, which are shown at most
SHOWN, NODES = 16, 12


class View:
    """Draws on the console if it is a terminal; elsewhere it tells of each trial that ends. Called with the scheduler
    before the first event and after each."""

    def __init__(self, console: SafeConsole):
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.shown = 0.0
        self.told: set[int] | None = None  # numbers of trials that have ended

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def note(self, text: str) -> None:
        if self.live:
            self.console.tell(text)

    def __call__(self, scheduler: Any) -> None:
        now = time.monotonic()
        if not self.live:
            self._tell(scheduler, now)
        elif now - self.shown > 0.2:
            self.shown = now
            self.live.update(picture(scheduler, now, *self.console.size), refresh=True)

    def _tell(self, scheduler, now):
        ended = {number for number, trial in scheduler.trials.items() if trial.state != "running"}
        for number in sorted(ended - (ended if self.told is None else self.told)):
            self.console.tell(line(scheduler, scheduler.trials[number], now))
        self.told = ended


def line(scheduler: Any, trial: Any, now: float) -> str:
    """What became of a trial, and how far the sweep is."""
    value = f", {scheduler.metric.name} {trial.value:.6g}" if trial.value is not None else ""
    why = f": {trial.reason}" if trial.state == "failed" else ""
    best = f", best {scheduler.best.value:.6g}" if scheduler.best else ""
    failed = f", {n} failed" if (n := scheduler.counts["failed"]) else ""
    done, rate = f"{_done(scheduler)} done{failed}", _rate(scheduler, now)
    return f"trial {trial.number} {trial.state.replace('_', ' ')}{value}{why} ({done}{best}, {rate})"


def picture(scheduler: Any, now: float, width: int, height: int) -> Table:
    """The table of the moment, for a terminal of this size."""
    table = Table.grid(padding=(0, 2))
    for name, words in _lines(scheduler, now):
        table.add_row(name, words)
    used = len(Console(width=width).render_lines(table)) + 1
    running = Table.grid(padding=(0, 2))
    for _ in range(2):
        running.add_column(no_wrap=True)
    for worker, trial in [*scheduler.pool.busy.items()][: max(1, min(SHOWN, height - used))]:
        last = f"{trial.history[-1]:.6g} after {len(trial.history)}" if trial.history else "begins"
        words = f"{trial.number}: {_searched(scheduler, trial)}"
        running.add_row(last, escape(short(worker.node)), Text(words, no_wrap=True, overflow="ellipsis"))
    if running.row_count:
        table.add_row("running", running)
    return table


def _lines(scheduler: Any, now: float) -> Iterator[tuple[str, str]]:
    """(name, words) of what is not a trial that runs."""
    counts, running = scheduler.counts, len(scheduler.pool.busy)
    ends = f"({counts['stopped_early']} stopped early), {running} running, {counts['failed']} failed"
    yield "trials", f"[bold]{_done(scheduler)}[/] done {ends}"
    yield "rate", _rate(scheduler, now)
    if nodes := scheduler.pool.nodes():
        yield "nodes", escape(_nodes(nodes))
    if best := scheduler.best:
        words = _searched(scheduler, best)
        yield "best", f"[bold]{escape(scheduler.metric.name)} {best.value:.6g}[/]  {escape(words)}"


def _done(scheduler: Any) -> str:
    of = "" if scheduler.limit == float("inf") else f" of {scheduler.limit}"
    return f"{scheduler.done}{of}{f', {n} elsewhere,' if (n := len(scheduler.elsewhere)) else ''}"


def _rate(scheduler: Any, now: float) -> str:
    seconds = max(now - scheduler.started, 1e-9)
    rate = (scheduler.done - scheduler.done_before) / seconds
    left = scheduler.limit - scheduler.done - len(scheduler.elsewhere)
    ends = f", {_duration(left / rate)} left" if rate and 0 < left < float("inf") else ""
    return f"{rate * 3600:,.0f} an hour, {_duration(seconds)} so far{ends}"


def _nodes(nodes: dict[str, tuple[int, int]]) -> str:
    """How many, how much of their room is taken, and of each of the first ones."""
    taken, room = (sum(column) for column in zip(*nodes.values(), strict=True))
    each = [f"{short(node)} {its}/{own}" for node, (its, own) in nodes.items()]
    more = f", and {len(each) - NODES} more" if len(each) > NODES else ""
    all_of_them = f"{len(nodes)}, {taken} of {room} places taken: " if len(nodes) > 1 else ""
    return f"{all_of_them}{', '.join(each[:NODES])}{more}"


def short(node: str) -> str:
    """A host's name without its domain; an address as it is."""
    return node if ":" in node or node.replace(".", "").isdecimal() else node.partition(".")[0]


def _searched(scheduler: Any, trial: Any) -> str:
    """What the trial's configuration was searched for."""
    searched = {leaf.path[-1] for leaf in scheduler.sweep.space.searched}
    return ", ".join(f"{key} {_short(value)}" for key, value in trial.config.items() if key in searched)


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
