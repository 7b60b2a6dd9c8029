"""Learning-rate schedules: ``schedule(epoch, epochs)`` → the factor that multiplies the learning rate.

``epoch`` counts in fractions (2.5 is halfway through the third epoch) and runs from 0 to ``epochs``. A schedule depends
on nothing else, so that a resumed run has the same one.
"""

import math
from collections.abc import Callable

Schedule = Callable[[float, float], float]


def constant(epoch: float, epochs: float) -> float:
    return 1.0


def step(epoch: float, epochs: float) -> float:
    """1, a tenth after half of the epochs, a hundredth after three quarters. He et al. 2015, arXiv:1512.03385."""
    return 1.0 if epoch < 0.5 * epochs else 0.1 if epoch < 0.75 * epochs else 0.01


def cosine(epoch: float, epochs: float) -> float:
    """½(1 + cos πe/E): from 1 down to 0. Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts."""
    return 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))


def linear(epoch: float, epochs: float) -> float:
    """1 − e/E: from 1 down to 0."""
    return 1.0 - epoch / epochs


def one_cycle(epoch: float, epochs: float) -> float:
    """From 1/25 up to 1 during the first 30 %, then down to 1/250,000, along cosines.

    Smith & Topin 2017, arXiv:1708.07120; the shape and constants of PyTorch's OneCycleLR.
    """
    p = epoch / epochs
    low, high, p = (1 / 25, 1.0, p / 0.3) if p < 0.3 else (1 / 25e4, 1.0, (1.0 - p) / 0.7)
    return low + (high - low) * 0.5 * (1.0 - math.cos(math.pi * p))


def warm_up(schedule: Schedule, warmup: float) -> Schedule:
    """The schedule with its first ``warmup`` epochs replaced by a straight line up from 0; the rest is moved after it.

    Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """

    def warmed(epoch: float, epochs: float) -> float:
        return epoch / warmup if epoch < warmup else schedule(epoch - warmup, epochs - warmup)

    return warmed if warmup else schedule


#: name → schedule. A new one is one function and a row here.
SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
    "linear": linear,
    "one_cycle": one_cycle,
}
