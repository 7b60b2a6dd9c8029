"""A server for the programs of one `muslin sweep`: what they log with `wandb.log` is heard while they run.

    with listening(folder, heard) as environment:
        subprocess.Popen(words, env=environment(os.environ | {"WANDB_RUN_ID": "trial-3"}))

``heard(run, row)`` is called, in a thread of the server, with the run's id and each row that it logs, in their order
and each once, also where a client sends some again; within about 2 s of `wandb.log`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any, TypeAlias

from muslin.sweeps.server.host import Host, variables
from muslin.sweeps.server.store import Row

#: environment of a child → the same, in which W&B's client logs to us
Environment: TypeAlias = Callable[[Mapping[str, str]], dict[str, str]]


@contextmanager
def listening(folder: str | PathLike[str], heard: Callable[[str, dict[str, Any]], Any]) -> Iterator[Environment]:
    """Serve in a thread. ``folder`` keeps the runs as `muslin serve` does: media, console, summary.

    Raises InputError: Starlette is missing, the folder cannot be written or has a server already.
    """
    told: dict[int, int] = {}

    def listener(run: Row, offset: int, rows: list[dict[str, Any]]) -> None:
        known = told.setdefault(run["id"], 0)
        for row in rows[max(0, known - offset) :]:
            heard(run["name"], row)
        told[run["id"]] = max(known, offset + len(rows))

    with Host(folder, listener=listener).aside() as host:
        yield lambda before: variables(host.url, host.key, before)
