"""Which kinds of steps this process has tried (see `muslin.engines.player.Trial`).

A step is recorded as another one was of which all is equal that the recording looks at: the network's shape, the
functions, the options, the types and layouts of the data. So it need not be tried again. Values that only flow through
(parameters, samples, learning rate, seed) do not count. What is not muslin's own is tried each time.
"""

import sys
from types import FunctionType
from typing import Any

import numpy as np

#: the kinds that did what the plain step does
TRIED: set[tuple] = set()
#: of a step: values that flow through, and what follows from the rest
FLOWING = ("network", "seed", "scalars", "parts", "signals")
#: of its network: what says how it computes
COMPUTING = ("sizes", "dtype", "function", "slope", "loss_function", "delta_function", "output_function", "normalizer")


class _Foreign(Exception):
    """Something is not muslin's own."""


def kind(step: Any, batch: int, parts: int) -> tuple | None:
    """What says how a step on batches of that size is recorded for so many threads; None where that is not known."""
    network = step.network
    try:
        return (
            (batch, parts, *(_kind(vars(network)[name]) for name in COMPUTING), _kind(type(network.engine))),
            tuple((part.where.start, part.where.stop, part.decay != 0, *sorted(part.scalars)) for part in step.parts),
            tuple((name, _kind(value)) for name, value in sorted(vars(step).items()) if name not in FLOWING),
        )
    except _Foreign:
        return None


def _kind(value):
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape[1:], value.flags.c_contiguous, value.flags.f_contiguous
    if isinstance(value, FunctionType | type):
        return _own(value)
    if isinstance(value, dict):
        return tuple((name, _kind(x)) for name, x in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_kind, value))
    if isinstance(value, str | int | float | np.generic | np.dtype | None):
        return type(value), value
    return _own(type(value)), _kind(vars(value))


def _own(value):
    """A function or class that stands in a module of muslin under its name, and of a function what it does now."""
    module = sys.modules.get(value.__module__)
    if not value.__module__.startswith("muslin.") or vars(module).get(value.__name__) is not value:
        raise _Foreign
    return value, getattr(value, "__code__", None)
