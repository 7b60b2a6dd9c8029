"""Stopping a run early: W&B's own rule, which it calls hyperband.

At each band, an iteration count that grows by the factor η, the runs that got so far are compared; about the best 1/η
of them go on. Li et al. 2016, "Hyperband", arXiv:1603.06560, gave the bands; that a run is compared with whatever
runs came by before it, rather than with a fixed bracket, is nearer to ASHA (Li et al. 2018, arXiv:1810.05934).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Self

from muslin.documents import is_number
from muslin.sweeps.file.fields import EARLY_TERMINATE
from muslin.sweeps.file.keys import wrong_keys

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
    def of(cls, rule: Mapping[str, Any]) -> Self:
        """From the ``early_terminate`` of a valid sweep file."""
        rule = unlisted(rule)
        whole = {key: int(value) for key, value in rule.items() if key in ("min_iter", "max_iter", "s")}
        return cls(**{key: value for key, value in rule.items() if key != "type"} | whole)

    def bands(self, iterations: int) -> list[int]:
        """The bands up to this number of iterations, ascending."""
        if self.max_iter is not None and self.s is not None:  # both pairs given: W&B takes this one
            counts: Iterable[float] = self._shrinking(self.max_iter, min(self.s, MANY))
        else:
            powers = ((self.min_iter or 0) * self.eta**k for k in range(100))  # W&B has 100 at most
            counts = takewhile(lambda band: band < iterations + 1, powers)
        return sorted({int(band) for band in counts if 1 <= int(band) <= iterations})

    @property
    def many(self) -> bool:
        """Whether there are more bands than anyone means."""
        if self.max_iter is None or self.s is None:
            return False
        return len(self._shrinking(self.max_iter, min(self.s, MANY + 1))) > MANY

    def _shrinking(self, longest: int, most: int) -> list[float]:
        counts = (longest / self.eta**k for k in range(1, most + 1))
        return [*takewhile(lambda band: band >= 1, counts)]


def unlisted(rule: Mapping[str, Any]) -> dict[str, Any]:
    """``early_terminate`` with each list of one number, ``min_iter: [3]``, as that number."""
    return {key: v[0] if isinstance(v, list) and len(v) == 1 and is_number(v[0]) else v for key, v in rule.items()}


def problems(rule: object) -> Iterator[str]:
    """What is wrong with the ``early_terminate`` of a sweep file, a sentence each."""
    if not isinstance(rule, dict):
        return
    rule = unlisted(rule)
    if wrong := [*wrong_keys("early_terminate", rule, EARLY_TERMINATE)]:
        yield from wrong
    elif "min_iter" not in rule and not {"max_iter", "s"} <= rule.keys():
        yield "early_terminate has neither min_iter nor both max_iter and s; give one of them, such as min_iter: 3."
    elif Hyperband.of(rule).many:
        yield f"early_terminate has more than {MANY:,} bands; a larger eta, or a smaller s, has fewer."
    elif not Hyperband.of(rule).bands(max(rule.get("min_iter", 1), rule.get("max_iter", 1))):
        yield "early_terminate has no band: the last one, max_iter/eta, must be at least 1, and s at least 1."


def warnings(rule: Mapping[str, Any]) -> Iterator[str]:
    """What in a valid one W&B refuses, or does not use."""
    for key, value in unlisted(rule).items():
        if value is not rule[key]:
            yield f"early_terminate.{key} is the list {rule[key]}, which W&B refuses; it is taken for {value}."
    pair = rule.keys() & {"max_iter", "s"}
    if "min_iter" in rule and len(pair) == 2:
        yield "early_terminate.min_iter is not used where max_iter and s are given, as on W&B."
    elif len(pair) == 1:
        yield f"early_terminate.{pair.pop()} is not used, as on W&B: max_iter and s go together."


def stops(
    history: Sequence[float], histories: Iterable[Sequence[float]], rule: Hyperband, goal: str = "minimize"
) -> str | None:
    """Why the run with this history should stop, or None.

    history     its logged values of the metric, one an iteration (those that are not finite do not count)
    histories   the same of all runs so far, its own among them

    Of the n values that runs had at the band, in order from the best, the threshold is the one at place ⌊n/η⌋, counted
    from 0; a run stops when it is worse than that. So ties survive, and so does a lone run.
    """
    sign = -1 if goal == "maximize" else 1
    ours, *others = ([sign * v for v in h if math.isfinite(v)] for h in (history, *histories))
    bands = rule.bands(len(ours))
    if not bands:
        return None
    band = bands[-1]
    values = sorted(h[band - 1] for h in others if len(h) >= band)
    threshold = values[int(len(values) / rule.eta)]
    value = ours[band - 1] if rule.strict else min(ours)
    if value <= threshold:
        return None
    comparison = "above" if sign == 1 else "below"
    return (
        f"hyperband: {sign * value:.6g} at iteration {band} is {comparison} {sign * threshold:.6g}, "
        f"the threshold of {len(values)} runs"
    )
