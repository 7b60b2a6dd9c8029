"""Zeros against Xavier: the gradients of five neurons of the first layer over the first 50 steps.

Neurons that start equal see the same inputs and get the same gradients: they stay equal, and a layer of them is one.
"""

from pathlib import Path

import numpy as np

from muslin.evidence import listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.callbacks import NeuronGradients
from muslin.studies.study import History, Outcomes, Study, Summary

STEPS, NEURONS = 50, 5


def traced(history: History, key: str) -> np.ndarray:
    """What was recorded of the first steps, which may have taken several epochs, as one array (steps × …)."""
    return np.array([value for row in history for value in row.get(key, [])])


def figures(history: History, summary: Summary) -> dict[str, float]:
    spread = traced(history, "neuron_spread")
    return {"spread_at_first": spread[0], "largest_spread": spread.max(), "val_accuracy": history[-1]["val_accuracy"]}


def picture(outcomes: Outcomes, path: Path) -> None:
    panels = []
    for name, outcome in outcomes.items():
        norms = traced(outcome.histories[0], "neuron_gradients").reshape(-1, NEURONS)
        lines = {f"neuron {i}": norms[None, :, i - 1] for i in range(1, NEURONS + 1)}
        panels.append(Panel(name, "step", lines, "norm of the gradient"))
    draw(panels, path)


def conclude(outcomes: Outcomes) -> str:
    spreads = [f"at most {o.mean('largest_spread'):.2g} of their size with {name}" for name, o in outcomes.items()]
    accuracies = [f"{o.mean('val_accuracy'):.1%} with {name}" for name, o in outcomes.items()]
    return (
        f"In the first {STEPS} steps the gradients of the {NEURONS} neurons differ by {listed(spreads)}; "
        f"validation accuracy at the end is {listed(accuracies)}."
    )


STUDY = Study(
    about="Zeros against Xavier: the gradients of five neurons over the first 50 steps.",
    base={
        "hidden_layers": 3,
        "hidden_size": 128,
        "activation": "sigmoid",
        "optimizer": "nadam",
        "learning_rate": 0.001,
        "epochs": 5,
        "batch_size": 32,
    },
    variations={name: {"initializer": name} for name in ("zeros", "xavier")},
    figures=figures,
    draw=picture,
    conclude=conclude,
    callbacks=lambda data, rows: [NeuronGradients(1, NEURONS, STEPS)],
)
