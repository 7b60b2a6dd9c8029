"""muslin serve"""

import shlex
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from muslin.cli.options import Json, console, emit
from muslin.report import live


def command(
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 is any that is free.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 is for other machines too, who need the key.")
    ] = "127.0.0.1",
    runs_dir: Annotated[Path, typer.Option(help="Folder of the runs and sweeps.")] = Path("runs"),
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the sweeps' trials (default: a SQLite file each).")
    ] = None,
    json: Json = False,
) -> None:
    """A Weights & Biases server of your own: wandb.init, log, sweep and agent work with it as they are, without an
    account. Runs and sweeps lie in folders as muslin's own do. For one program, `muslin offline COMMAND` is shorter.
    A kill at any moment loses nothing: start it again, and agents go on. Ctrl-C ends it."""
    from muslin.sweeps.server.host import Host

    server = Host(runs_dir, host, port, storage)
    key = f"$(cat {shlex.quote(str(server.home / 'key'))})"
    with closing(server), suppress(KeyboardInterrupt):
        if json:
            emit({"url": server.url, "key_file": str(server.home / "key"), "runs": str(runs_dir)})
            sys.stdout.flush()
        else:
            console(json).print(
                f"serving    {runs_dir}\npage       {server.url}\n"
                f"clients    export WANDB_BASE_URL={server.url} WANDB_API_KEY={key}\nend        Ctrl-C"
            )
            sys.stdout.flush()
        if not live.loopback(host):
            print(
                f"muslin: Everyone who reaches this machine and has the key can read and write runs (--host {host}); "
                "the key travels unencrypted.",
                file=sys.stderr,
            )
        server.run()
