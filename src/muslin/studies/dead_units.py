"""Dead units: learning rate 0.1, ReLU against tanh, without momentum and with it.

A unit is dead where its slope is below 1e-6 on every one of 1,000 training samples: a ReLU that is never on, or a tanh
that is saturated everywhere. No gradient passes through it any more. See `muslin.training.Diagnostics`.
"""

from operator import itemgetter
from pathlib import Path

import numpy as np

from muslin.evidence import listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.callbacks import AtStart
from muslin.studies.study import History, Outcomes, Row, Study, Summary, series

ACTIVATIONS = {
    "relu": {"activation": "relu", "initializer": "he"},
    "tanh": {"activation": "tanh", "initializer": "xavier"},
}


def dead(row: Row) -> float:
    """The share of all hidden units; the layers are of one size."""
    return float(np.mean(row["dead_units"]))


def figures(history: History, summary: Summary) -> dict[str, float]:
    last = history[-1]
    layers = {f"layer_{k}_dead": share for k, share in enumerate(last["dead_units"], 1)}
    return {"all_dead": dead(last)} | layers | {"val_accuracy": last["val_accuracy"]}


def picture(outcomes: Outcomes, path: Path) -> None:
    shares = series(outcomes, dead, lambda row: dead(row["at_start"]))
    accuracy = series(outcomes, itemgetter("val_accuracy"))
    panels = [
        Panel("Dead hidden units", "epoch", shares, start=0, percent=True),
        Panel("Validation accuracy", "epoch", accuracy, percent=True),
    ]
    draw(panels, path)


def conclude(outcomes: Outcomes) -> str:
    shares = [f"{o.mean('all_dead'):.1%} with {name} ({o.mean('val_accuracy'):.1%})" for name, o in outcomes.items()]
    return f"Dead hidden units at the end, and validation accuracy: {listed(shares)}."


STUDY = Study(
    about="Dead units at learning rate 0.1: ReLU against tanh.",
    base={
        "hidden_layers": 3,
        "hidden_size": 128,
        "learning_rate": 0.1,
        "epochs": 5,
        "batch_size": 32,
        "diagnostics": True,
    },
    variations={
        f"{name}-{optimizer}": {**activation, "optimizer": optimizer}
        for optimizer in ("sgd", "momentum")
        for name, activation in ACTIVATIONS.items()
    },
    figures=figures,
    draw=picture,
    conclude=conclude,
    callbacks=lambda data, rows: [AtStart(data, rows)],
)
