"""Threads that compute side by side are kept on a core each: those that wake each other are else put on the same one,
and stay there for a tenth of a second."""

import os
from contextlib import suppress


def a_core_each(threads: int) -> list[int | None]:
    """The core that each thread is kept on, where there is just one for each; elsewhere None, for there is room to
    choose from."""
    cores = os.sched_getaffinity(0) if threads > 1 and hasattr(os, "sched_getaffinity") else ()
    return [*sorted(cores)] if len(cores) == threads else [None] * threads


class kept_on:
    """The thread that is in here computes on that core, if one is named and the system lets it."""

    def __init__(self, core: int | None):
        self.core = core

    def __enter__(self) -> None:
        if self.core is not None:
            self.before = os.sched_getaffinity(0)
            try:
                with suppress(OSError):
                    os.sched_setaffinity(0, {self.core})
            except BaseException:  # Ctrl-C
                self.__exit__()
                raise

    def __exit__(self, *error: object) -> None:
        if self.core is not None:
            with suppress(OSError):
                os.sched_setaffinity(0, self.before)
