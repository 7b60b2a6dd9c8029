"""muslin offline"""

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from muslin.cli.options import Json, emit
from muslin.errors import InputError

#: what stands behind COMMAND is its own
CONTEXT = {"allow_interspersed_args": False}
#: runs that are named one by one
SHOWN = 5


def command(
    words: Annotated[
        list[str], typer.Argument(metavar="COMMAND…", help="Such as python train.py, wandb agent ID, jupyter lab.")
    ],
    runs_dir: Annotated[Path, typer.Option(help="Folder of the runs and sweeps.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Runs any program that uses wandb, sweeps and agents included, without an account and without a change: it is told
    of the server that `muslin serve` runs for the folder, or of one that lasts as long as it does. Its output, exit
    code and Ctrl-C are the program's own. Options of muslin stand before COMMAND."""
    from muslin.sweeps.server import host

    began = time.time()
    with ExitStack() as stack:
        there = host.running(runs_dir)
        if there is None:
            served = stack.enter_context(host.Host(runs_dir).aside())
            there = {"url": served.url, "key": served.key}
        elif not host.answers(there["url"]):
            raise InputError(f"The server of {runs_dir} at {there['url']} does not answer.")
        before = _folders(runs_dir)
        code = _child(words, host.variables(there["url"], there["key"], os.environ), json)
    paths, local = sorted(_folders(runs_dir) - before), _uploadable(began)
    if json:
        emit({"code": code, "runs": [*map(str, paths)], "runs_dir": str(runs_dir), "upload": [*map(str, local)]})
    else:
        _say(runs_dir, paths, local)
    sys.exit(code)


def _child(words, environment, json=False):
    """Run the program; returns its exit code, as a shell has it."""
    try:
        process = subprocess.Popen(words, env=environment, stdout=sys.stderr if json else None)
    except OSError as error:
        raise InputError(f"Cannot run {words[0]!r}: {error.strerror}.") from error
    with _passed_on(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passed_on(process):
    """Signals are the program's affair. Ctrl-C on a terminal reaches it by itself."""

    def pass_on(number, frame):
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _folders(runs_dir):
    """Of all runs and sweeps that the server of a folder knows."""
    from muslin.sweeps.server.store import folders

    return {runs_dir / folder for folder in folders(runs_dir / ".server" / "state.db")}


def _uploadable(began):
    """The folders that `wandb sync` takes: what the client wrote here since then."""
    local = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
    return sorted({file.parent for file in local.glob("run-*/run-*.wandb") if file.stat().st_mtime >= began})


def _say(runs_dir, paths, local):
    def say(text):
        print(f"muslin: {text}", file=sys.stderr)

    shown = [path for path in paths if path.parent not in paths] or []
    for path in shown[:SHOWN]:
        inside = sum(other.parent == path for other in paths)
        say(f"{f'sweep of {inside} runs' if (path / 'sweep.json').exists() else 'run'}  {path}")
    if len(shown) > SHOWN:
        say(f"and {len(shown) - SHOWN} more in {runs_dir}")
    if shown:
        say(
            f"look at them: muslin report {shlex.quote(str(shown[0]))}, or all of them: muslin serve{_option(runs_dir)}"
        )
    if local:
        more = f" (and {len(local) - SHOWN} more)" if len(local) > SHOWN else ""
        say(f"to W&B's cloud, if you want: {shlex.join(['wandb', 'sync', *map(str, local[:SHOWN])])}{more}")


def _option(runs_dir):
    return "" if runs_dir == Path("runs") else f" --runs-dir {shlex.quote(str(runs_dir))}"
