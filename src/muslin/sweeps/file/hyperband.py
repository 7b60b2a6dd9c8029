"""Stopping a run early: W&B's own rule, which it calls hyperband.

At each band, an iteration count that grows by the factor η, the runs that got so far are compared; about the best 1/η
of them go on. Li et al. 2016, "Hyperband", arXiv:1603.06560, gave the bands; that a run is compared with whatever
runs came by before it, rather than with a fixed bracket, is nearer to ASHA (Li et al. 2018, arXiv:1810.05934).
"""

import math
from dataclasses import dataclass
from itertools import takewhile

MANY = 1000


@dataclass(frozen=True)
class Hyperband:
    """``min_iter``: bands at ⌊min_iter ηᵏ⌋, k = 0, 1, …;  ``max_iter`` and ``s``: at ⌊max_iter / ηᵏ⌋ ≥ 1, k = 1 … s.

    ``strict``: a run is compared by its value at the band, else by the best that it had so far.
    """

    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3
    strict: bool = True

    @classmethod
    def of(cls, given):
        """From the ``early_terminate`` of a valid sweep file."""
        whole = {key: int(value) for key, value in given.items() if key in ("min_iter", "max_iter", "s")}
        return cls(**{key: value for key, value in given.items() if key != "type"} | whole)

    def bands(self, iterations):
        """The bands up to this number of iterations, ascending."""
        if self.max_iter is not None and self.s is not None:  # both pairs given: W&B takes this one
            counts = self._shrinking(MANY)
        else:
            powers = (self.min_iter * self.eta**k for k in range(100))  # W&B has 100 at most
            counts = takewhile(lambda band: band < iterations + 1, powers)
        return sorted({int(band) for band in counts if 1 <= int(band) <= iterations})

    @property
    def many(self):
        """Whether there are more bands than anyone means."""
        return self.max_iter is not None and self.s is not None and len(self._shrinking(MANY + 1)) > MANY

    def _shrinking(self, most):
        counts = (self.max_iter / self.eta**k for k in range(1, min(self.s, most) + 1))
        return [*takewhile(lambda band: band >= 1, counts)]


def stops(history, histories, rule, goal="minimize"):
    """Why the run with this history should stop, or None.

    history     its logged values of the metric, one an iteration (those that are not finite do not count)
    histories   the same of all runs so far, its own among them

    Of the n values that runs had at the band, in order from the best, the threshold is the one at place ⌊n/η⌋, counted
    from 0; a run stops when it is worse than that. So ties survive, and so does a lone run.
    """
    sign = -1 if goal == "maximize" else 1
    history, *others = ([sign * v for v in h if math.isfinite(v)] for h in (history, *histories))
    bands = rule.bands(len(history))
    if not bands:
        return None
    band = bands[-1]
    values = sorted(h[band - 1] for h in others if len(h) >= band)
    threshold = values[int(len(values) / rule.eta)]
    value = history[band - 1] if rule.strict else min(history)
    if value <= threshold:
        return None
    comparison = "above" if sign == 1 else "below"
    return (
        f"hyperband: {sign * value:.6g} at iteration {band} is {comparison} {sign * threshold:.6g}, "
        f"the threshold of {len(values)} runs"
    )
