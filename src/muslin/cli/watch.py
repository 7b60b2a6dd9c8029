"""muslin watch"""

import os
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from muslin.cli.options import Json, console, emit
from muslin.errors import InputError
from muslin.report import live, logged_run
from muslin.runs import Run


def command(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_SWEEP", help="Its directory; it may begin later.")],
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Of the page (default: any that is free).")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets others see the page.")] = "127.0.0.1",
    open: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Show the page in a browser (default: if there is one).")
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Curves in the terminal, and no page.")] = False,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="A sweep's database, if it was moved.")] = None,
    json: Json = False,
) -> None:
    """The report of a run or a sweep, live while it trains, as a page for this machine alone. Where there is no browser
    and none of --port, --host, --open, --no-open and --json is given, it is shown in the terminal; in a pipe, as a line
    an epoch or trial. Ctrl-C ends it."""
    _check(path)
    watched = _watched(storage)
    if (path / "sweep.json").exists():
        watched(path).need_storage()
    at_desk = _has_windows() and sys.stdout.isatty()
    if terminal or not (at_desk or json or port is not None or open is not None or not live.loopback(host)):
        from muslin.cli.watch_view import follow

        status = follow(path, watched, console(json))
        if json:
            emit({"path": str(path), "status": status})
        return
    alone = live.loopback(host)
    page = live.application(path, watched, live.names(host))
    listening, address = live.listen(host, port or 0)
    with suppress(KeyboardInterrupt):
        if json:
            emit({"path": str(path), "url": address})
            sys.stdout.flush()
        else:
            console(json).print(f"watching   {path}\npage       {address}\nend        Ctrl-C")
        if not alone:
            print(f"muslin: Everyone who reaches this machine can see the page (--host {host}).", file=sys.stderr)
        if at_desk if open is None else open:
            webbrowser.open(address)
        live.server(page).run(sockets=[listening])


def _check(path: Path) -> None:
    """Raises InputError for what neither is nor can become a run or a sweep."""
    begun = any((path / name).exists() for name in ("config.json", "sweep.json", "study.db"))
    if path.exists() and not begun and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path} is no run or sweep directory: it has neither config.json nor sweep.json.")


def _watched(storage: str | None) -> Callable[[Path], Any]:
    """path → what is there by now; raises InputError if nothing is. The database of a sweep stays open."""

    @cache
    def sweep(path: Path) -> Any:
        from muslin.sweeps.watched import WatchedSweep

        return WatchedSweep(path, storage)

    logged = cache(logged_run.LoggedRun)

    def watched(path: Path) -> Any:
        if (path / "sweep.json").exists():
            return sweep(path)
        if logged_run.is_logged(path):
            return logged(path)
        if (run := Run(path)).begun:
            return live.WatchedRun(run)
        raise InputError(f"{path} has not begun yet.")

    return watched


def _has_windows() -> bool:
    """Whether a browser can open a window. On Linux webbrowser would also take one for the terminal."""
    if sys.platform.startswith("linux") and not os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}:
        return False
    try:
        return bool(webbrowser.get())
    except webbrowser.Error:
        return False
