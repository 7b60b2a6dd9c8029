"""Threads that compute side by side are kept on a core each: those that wake each other are else put on the same one,
and stay there for a tenth of a second."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def a_core_each(threads: int) -> list[int | None]:
    """The core that each thread is kept on, where there is just one for each; elsewhere None, for there is room to
    choose from."""
    cores = os.sched_getaffinity(0) if threads > 1 and hasattr(os, "sched_getaffinity") else ()
    return [*sorted(cores)] if len(cores) == threads else [None] * threads


@contextmanager
def kept_on(core: int | None) -> Iterator[None]:
    """The thread that is in here computes on that core, if one is named and the system lets it."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
