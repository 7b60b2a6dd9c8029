"""Question 10: three configurations for MNIST, recommended from what Fashion-MNIST taught. The budget is three runs."""

from operator import itemgetter

from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Study, summarized

#: the test accuracy to reach
BAR = 0.975

#: name → (the reason, the settings)
RECOMMENDED = {
    "fashion-best": (
        "the best configuration on Fashion-MNIST as it is",
        {"hidden_size": [256, 256, 256], "optimizer": "nadam", "batch_size": 64},
    ),
    "relu-he-adam": (
        "ReLU, He and Adam were never far from the best, and 3 × 128 is half as large",
        {"hidden_size": [128, 128, 128], "optimizer": "adam", "batch_size": 32},
    ),
    "cosine": (
        "a rate that falls to zero ends nearer to the minimum, so it can begin higher",
        {
            "hidden_size": [256, 256, 256],
            "optimizer": "nadam",
            "batch_size": 128,
            "learning_rate": 0.002,
            "schedule": "cosine",
        },
    ),
}


def picture(outcomes, path):
    lines = {
        f"{name}: test {outcome.mean('test_accuracy'):.2%}": outcome.curve(itemgetter("val_accuracy"))
        for name, outcome in outcomes.items()
        if outcome.diverged < len(outcome.paths)
    }
    draw([Panel("Validation accuracy", "epoch", lines, percent=True)], path)


def conclude(outcomes):
    reached = sum(outcome.mean("test_accuracy") >= BAR for outcome in outcomes.values())
    best = max(outcomes, key=lambda name: outcomes[name].mean("val_accuracy"))
    return (
        f"{reached} of {len(outcomes)} reach {BAR:.1%} on the test set; {best}, the best one by validation accuracy, "
        f"has {outcomes[best].mean('test_accuracy'):.2%}."
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
