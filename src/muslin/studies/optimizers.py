"""The optimizer showdown: the course's six and two more, on one network with one budget."""

from operator import itemgetter
from pathlib import Path

from muslin.evidence import clear, listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Outcomes, Study, best, series, summarized

#: optimizer → the settings of its own. Rules that divide by the gradient's size move each parameter by about η a step;
#: sgd moves it by ηg, far less, and wants a larger rate. Momentum 0.9 sums ten gradients: a tenth of sgd's is as far.
VARIATIONS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.01},
    "nag": {"learning_rate": 0.01},
    "rmsprop": {"learning_rate": 0.001},
    "adam": {"learning_rate": 0.001},
    "nadam": {"learning_rate": 0.001},
    "adamw": {"learning_rate": 0.001, "weight_decay": 0.01},
    "adagrad": {"learning_rate": 0.01},
}


def picture(outcomes: Outcomes, path: Path) -> None:
    loss, accuracy = (series(outcomes, itemgetter(figure)) for figure in ("loss", "val_accuracy"))
    draw([Panel("Training loss", "epoch", loss), Panel("Validation accuracy", "epoch", accuracy, percent=True)], path)


def conclude(outcomes: Outcomes) -> str:
    first = best(outcomes)
    scores = {name: outcome.figures["val_accuracy"] for name, outcome in outcomes.items()}
    samples = outcomes[first].validation
    near = [name for name in outcomes if name != first and not clear(scores[first], scores[name], samples)]
    score, doubt = f"{outcomes[first].mean('val_accuracy'):.2%}", _doubt(near, len(scores[first]))
    return f"At these learning rates {first} has the best validation accuracy, {score}; {doubt}."


def _doubt(near: list[str], seeds: int) -> str:
    if seeds == 1:
        return "one seed cannot tell which differences are chance"
    if near:
        return f"with {seeds} seeds {listed(near)} cannot be told apart from it"
    return f"with {seeds} seeds every other one is behind it by more than chance"


STUDY = Study(
    about="Optimizer showdown: eight optimizers, one network, one budget.",
    base={"hidden_size": [128, 128, 128], "activation": "relu", "initializer": "he", "epochs": 5, "batch_size": 32},
    variations={name: {"optimizer": name, **own} for name, own in VARIATIONS.items()},
    figures=summarized("loss", "val_loss", "val_accuracy", "seconds"),
    draw=picture,
    conclude=conclude,
    shown=("learning_rate",),
)
