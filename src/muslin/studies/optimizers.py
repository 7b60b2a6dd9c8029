"""The optimizer showdown: the course's six and two more, on one network with one budget."""

from operator import itemgetter

from muslin.evidence import clear, listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Study, curves, summarized

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


def picture(outcomes, path):
    loss, accuracy = (curves(outcomes, itemgetter(figure)) for figure in ("loss", "val_accuracy"))
    draw([Panel("Training loss", "epoch", loss), Panel("Validation accuracy", "epoch", accuracy, percent=True)], path)


def conclude(outcomes):
    best = max(outcomes, key=lambda name: outcomes[name].mean("val_accuracy"))
    scores = {name: outcome.figures["val_accuracy"] for name, outcome in outcomes.items()}
    samples = outcomes[best].validation
    near = [name for name in outcomes if name != best and not clear(scores[best], scores[name], samples)]
    score = f"{outcomes[best].mean('val_accuracy'):.2%}"
    return (
        f"At these learning rates {best} has the best validation accuracy, {score}; {_doubt(near, len(scores[best]))}."
    )


def _doubt(near, seeds):
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
