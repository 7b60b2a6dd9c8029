"""Trackers: callbacks that show a run elsewhere while it trains.

with tracker("wandb", run, data) as tracking:
    summary = runs.train(run, data, [tracking])
    tracking.trained(summary)
"""

from muslin.errors import lookup
from muslin.training import Callback


class Tracker(Callback):
    """The tracker that does nothing, and what the others override."""

    def __init__(self, run, data, **options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        """The run ended; ``kind`` is the class of the exception that broke it off, or None."""

    def trained(self, summary):
        """After training, with the run's summary."""

    def evaluated(self, figures, picture):
        """After the test, with its figures and the path of the confusion matrix."""


def _wandb():
    from muslin.tracking.wandb_run import WandbTracker

    return WandbTracker


TRACKERS = {"none": lambda: Tracker, "wandb": _wandb}


def check(name):
    """Raises InputError for a tracker that is unknown or not installed."""
    if lookup(TRACKERS, "tracker", name) is _wandb:
        from muslin.tracking.wandb_run import wandb

        wandb()


def tracker(name, run, data, **options):
    """The tracker of that name for a run. Options, of wandb: project, entity, group, also."""
    return lookup(TRACKERS, "tracker", name)()(run, data, **options)
