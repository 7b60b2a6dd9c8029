"""What the last bits of a training depend on, beside its settings and data; kept in config.json."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from muslin.engines import blas
from muslin.errors import note
from muslin.network import FeedForwardNeuralNetwork

VERSIONS = ("muslin", "numpy", "numba", "scikit-learn")
#: facts that a training which goes on elsewhere is to share with its beginning
MATTERS = ("processor", "engine", "library", "kernels", "threads")


@cache
def versions() -> dict[str, str | None]:
    """{package: its version, or None where it is not installed}"""
    return {"python": platform.python_version()} | {name: _version(name) for name in VERSIONS}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def facts(network: FeedForwardNeuralNetwork) -> dict[str, Any]:
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "engine": network.engine.name,
        "blas": blas.description(),
    }


def note_differences(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Say in which facts the machine on which the run at the path goes on is another one than that it began on."""
    then, now = ({**facts, **facts.get("blas", {})} for facts in (then, now))
    known = [key for key in MATTERS if then.get(key) is not None]
    if others := [f"{key} {then[key]}, now {now.get(key)}" for key in known if then[key] != now.get(key)]:
        note(f"{path} was begun with {'; '.join(others)}: its last bits may differ from those of an unbroken run.")
    if (threads := now.get("threads") or 1) > cores():
        note(f"{path} goes on with {threads} threads, as it was begun, on {cores()} cores: slower, and exact.")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
