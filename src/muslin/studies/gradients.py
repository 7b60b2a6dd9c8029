"""Vanishing gradients: in a deep network, what reaches the first layer through sigmoids and through ReLUs.

Each layer multiplies the gradient by W⁽ᵏ⁾ᵀ and by the slope: at most ¼ for the sigmoid, 1 for a ReLU that is on.
Plain gradient descent, whose steps are as short as the gradient; Adam's would hide it.
"""

from pathlib import Path

import numpy as np

from muslin.evidence import listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.callbacks import AtStart
from muslin.studies.study import History, Outcomes, Row, Study, Summary, series

DEPTH = 8


def figures(history: History, summary: Summary) -> dict[str, float]:
    start, end = history[0]["at_start"]["gradient_norms"], history[-1]["gradient_norms"]
    return {
        "first_layer_at_start": start[0],
        "last_layer_at_start": start[-1],
        "ratio_at_start": start[0] / start[-1],
        "first_layer_at_end": end[0],
        "val_accuracy": history[-1]["val_accuracy"],
    }


def first(row: Row) -> float:
    return row["gradient_norms"][0]


def picture(outcomes: Outcomes, path: Path) -> None:
    layers = {
        name: np.array([h[0]["at_start"]["gradient_norms"] for h in outcome.histories if h])
        for name, outcome in outcomes.items()
    }
    epochs = series(outcomes, first, lambda row: first(row["at_start"]))
    panels = [
        Panel("Gradient norm before training", "layer", layers, log=True),
        Panel("That of the first layer", "epoch", epochs, start=0, log=True),
    ]
    draw(panels, path)


def conclude(outcomes: Outcomes) -> str:
    ratios = [f"{o.mean('ratio_at_start'):.2g} with {name}" for name, o in outcomes.items()]
    accuracies = [f"{o.mean('val_accuracy'):.1%} with {name}" for name, o in outcomes.items()]
    return (
        f"Before training the gradient's norm in the first layer is, over that in the last, {listed(ratios)}; "
        f"validation accuracy at the end is {listed(accuracies)}."
    )


STUDY = Study(
    about=f"Vanishing gradients: sigmoid against ReLU in a network of {DEPTH} hidden layers.",
    base={
        "hidden_layers": DEPTH,
        "hidden_size": 64,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "epochs": 5,
        "batch_size": 32,
        "diagnostics": True,
    },
    variations={
        "sigmoid": {"activation": "sigmoid", "initializer": "xavier"},
        "relu": {"activation": "relu", "initializer": "he"},
    },
    figures=figures,
    draw=picture,
    conclude=conclude,
    callbacks=lambda data, rows: [AtStart(data, rows)],
)
