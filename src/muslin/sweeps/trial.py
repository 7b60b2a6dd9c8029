"""What a worker does for a trial: it trains our network, or runs a program of the user's own."""

from pathlib import Path
from typing import Any

from muslin.executors import training


def network(task: dict[str, Any], parent: Any) -> dict[str, Any]:
    from muslin.tracking import tracker

    run, data = training.prepared(Path(task["run"]), task["settings"])
    with tracker(run=run, data=data, **(task["tracker"] or {"name": "none"})) as tracked:
        message = training.trained(run, data, parent, [tracked])
        tracked.trained(message["done"])
    return message


def program(task: dict[str, Any], parent: Any) -> dict[str, Any]:
    from muslin.sweeps import program

    summary, stopped = program.run_program(task, parent.row, parent.running)
    return {"done": summary, "stopped": stopped}
