"""A run or a sweep on the terminal while it goes on: curves, redrawn in place; in a pipe, a line for what is new."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from muslin.cli.options import SafeConsole
from muslin.errors import InputError

#: columns from which on charts stand side by side; rows of a chart, at least and at most
BESIDE, ROWS = 70, (6, 15)


def follow(path: Path, watched: Callable[[Path], Any], out: Console) -> str:
    """Show what is at the path until it is over, or Ctrl-C; returns its last status."""
    show = _drawn if out.is_terminal else _told
    with suppress(KeyboardInterrupt):
        show(path, watched, out)
    return _now(path, watched)[2]


def _now(path: Path, watched: Callable[[Path], Any]) -> tuple[Any, bool, str]:
    """(what is there or None, whether it is over, its status in words)"""
    try:
        subject = watched(path)
        return subject, subject.over, subject.status()
    except InputError as error:
        return None, False, str(error)


def _drawn(path: Path, watched: Callable[[Path], Any], out: Console) -> None:
    console, over = SafeConsole(stderr=out.stderr, highlight=False), False
    with Live(console=console, auto_refresh=False) as live:
        while not over:
            subject, over, status = _now(path, watched)
            live.update(picture(path.name, status, subject, console.width, console.height), refresh=True)
            time.sleep(0 if over else 1)


def picture(name: str, status: str, subject: Any, width: int, height: int) -> Group:
    """The terminal of the moment: name, status, charts, what was last."""
    beside = width >= BESIDE
    rows = sorted((ROWS[0], (height - 5) // (1 if beside else 2), ROWS[1]))[1]
    charts = [Text.from_ansi(chart) for chart in subject.charts(width // (1 + beside), rows)] if subject else []
    grid = Table.grid()
    for row in [charts] if beside else [[chart] for chart in charts]:
        grid.add_row(*row)
    last = subject.lines()[-1:] if subject else []
    return Group(Text(name, "bold"), Text(status), grid, Text("".join(last), no_wrap=True, overflow="ellipsis"))


def _told(path: Path, watched: Callable[[Path], Any], out: Console) -> None:
    told, waiting, over = 0, None, False
    while not over:
        subject, over, status = _now(path, watched)
        lines = [*subject.lines(), *[status] * over] if subject else []
        for line in lines[told:] if subject else [status] * (status != waiting):
            out.print(line)
        told, waiting = max(told, len(lines)), status
        time.sleep(0 if over else 1)
