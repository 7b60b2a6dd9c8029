"""What the last bits of a training depend on, beside its settings and data; kept in config.json."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from muslin.engines import blas
from muslin.errors import note

VERSIONS = ("muslin", "numpy", "numba", "scikit-learn")
#: facts that a training which goes on elsewhere is to share with its beginning
MATTERS = ("processor", "engine", "library", "kernels", "threads")


@cache
def versions():
    """{package: its version, or None where it is not installed}"""
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def facts(network):
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "engine": network.engine.name,
        "blas": blas.description(),
    }


def note_differences(path, then, now):
    """Say in which facts the machine on which the run at the path goes on is another one than that it began on."""
    then, now = ({**facts, **facts.get("blas", {})} for facts in (then, now))
    known = [key for key in MATTERS if then.get(key) is not None]
    if others := [f"{key} {then[key]}, now {now.get(key)}" for key in known if then[key] != now.get(key)]:
        note(f"{path} was begun with {'; '.join(others)}: its last bits may differ from those of an unbroken run.")
    if (threads := now.get("threads") or 1) > cores():
        note(f"{path} goes on with {threads} threads, as it was begun, on {cores()} cores: slower, and exact.")


def cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
