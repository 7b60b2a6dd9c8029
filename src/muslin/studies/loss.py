"""Question 8: cross-entropy against squared error, in two configurations."""

from operator import itemgetter
from pathlib import Path

from muslin.evidence import clear, listed, points
from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Outcome, Outcomes, Study, series, summarized

LOSSES = ("cross_entropy", "mean_squared_error")
#: The steps of Adam and Nadam hardly depend on the scale of the loss, so one learning rate is fair to both losses.
CONFIGURATIONS = {
    "sigmoid-xavier-nadam": {"activation": "sigmoid", "initializer": "xavier", "optimizer": "nadam"},
    "relu-he-adam": {"activation": "relu", "initializer": "he", "optimizer": "adam"},
}


def picture(outcomes: Outcomes, path: Path) -> None:
    accuracy = series(outcomes, itemgetter("val_accuracy"))
    lines = {name: {loss: accuracy[f"{name}-{loss}"] for loss in LOSSES} for name in CONFIGURATIONS}
    draw([Panel(name, "epoch", lines[name], "validation accuracy", percent=True) for name in lines], path)


def conclude(outcomes: Outcomes) -> str:
    gaps = [_gap(name, *(outcomes[f"{name}-{loss}"] for loss in LOSSES)) for name in CONFIGURATIONS]
    return f"Cross-entropy's validation accuracy minus that of squared error: {listed(gaps)}."


def _gap(name: str, one: Outcome, other: Outcome) -> str:
    accuracies = one.figures["val_accuracy"], other.figures["val_accuracy"], one.validation
    doubt = "" if clear(*accuracies) else ", which may be chance,"
    return f"{points(*accuracies)}{doubt} with {name}"


STUDY = Study(
    about="Cross-entropy against squared error, in two configurations.",
    base={"hidden_layers": 3, "hidden_size": 128, "learning_rate": 0.001, "epochs": 10, "batch_size": 32},
    variations={
        f"{name}-{loss}": {**configuration, "loss": loss}
        for name, configuration in CONFIGURATIONS.items()
        for loss in LOSSES
    },
    figures=summarized("accuracy", "val_accuracy", "test_accuracy", "seconds"),
    draw=picture,
    conclude=conclude,
    seeds=5,
    test=True,
)
