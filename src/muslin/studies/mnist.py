"""Question 10: three configurations for MNIST, recommended from what Fashion-MNIST taught. The budget is three runs."""

from operator import itemgetter
from pathlib import Path

from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Outcomes, Study, best, means, summarized

#: the test accuracy to reach
BAR = 0.975

#: name → (the reason, the settings)
RECOMMENDED = {
    "fashion-best": (
        "the best on Fashion-MNIST by validation accuracy (mean of 5 seeds), as it is",
        {"hidden_size": [128] * 4, "optimizer": "nadam", "batch_size": 32, "schedule": "cosine"},
    ),
    "tanh-constant": (
        "the best there with a constant learning rate, as the course's space has it",
        {"hidden_size": [128] * 3, "activation": "tanh", "optimizer": "nadam", "batch_size": 64},
    ),
    "wider": (
        "there a falling rate gained most, and ReLU with He and Nadam was never far from the best; twice as many units",
        {"hidden_size": [256] * 3, "optimizer": "nadam", "batch_size": 64, "schedule": "cosine"},
    ),
}


def picture(outcomes: Outcomes, path: Path) -> None:
    lines = {
        f"{name}: test {outcome.mean('test_accuracy'):.2%}": outcome.series(itemgetter("val_accuracy"))
        for name, outcome in outcomes.items()
        if outcome.diverged < len(outcome.paths)
    }
    draw([Panel("Validation accuracy", "epoch", lines, percent=True)], path)


def conclude(outcomes: Outcomes) -> str:
    reached = sum(accuracy >= BAR for accuracy in means(outcomes, "test_accuracy").values())
    first = best(outcomes)
    return (
        f"{reached} of {len(outcomes)} reach {BAR:.1%} on the test set; {first}, the best one by validation accuracy, "
        f"has {outcomes[first].mean('test_accuracy'):.2%}."
    )


STUDY = Study(
    about="Three configurations for MNIST, recommended from what Fashion-MNIST taught.",
    base={"dataset": "mnist", "activation": "relu", "initializer": "he", "learning_rate": 0.001, "epochs": 10},
    variations={name: settings for name, (_, settings) in RECOMMENDED.items()},
    why={name: reason for name, (reason, _) in RECOMMENDED.items()},
    figures=summarized("accuracy", "val_accuracy", "test_accuracy", "parameters", "seconds"),
    draw=picture,
    conclude=conclude,
    seeds=1,
    test=True,
)
