"""Trackers: callbacks that show a run elsewhere while it trains.

with tracker("wandb", run, data) as tracking:
    summary = runs.train(run, data, [tracking])
    tracking.trained(summary)
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from muslin.datasets import Dataset
from muslin.errors import lookup
from muslin.runs import Run
from muslin.training import Callback


class Tracker(Callback):
    """The tracker that does nothing, and what the others override."""

    def __init__(self, run: Run, data: Dataset, **options: Any):
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The run ended; ``kind`` is the class of the exception that broke it off, or None."""

    def trained(self, summary: dict[str, Any]) -> None:
        """After training, with the run's summary."""

    def evaluated(self, figures: dict[str, Any], picture: Path) -> None:
        """After the test, with its figures and the path of the confusion matrix."""


def _wandb() -> type[Tracker]:
    from muslin.tracking.wandb_run import WandbTracker

    return WandbTracker


TRACKERS = {"none": lambda: Tracker, "wandb": _wandb}


def check(name: str) -> None:
    """Raises InputError for a tracker that is unknown or not installed."""
    if lookup(TRACKERS, "tracker", name) is _wandb:
        from muslin.tracking.wandb_run import wandb

        wandb()


def tracker(name: str, run: Run, data: Dataset, **options: Any) -> Tracker:
    """The tracker of that name for a run. Options, of wandb: project, entity, group, also."""
    return lookup(TRACKERS, "tracker", name)()(run, data, **options)
