"""The toy playground: a page that trains small networks on points in the plane."""

from pathlib import Path
from urllib.parse import urlencode

from muslin.report import formulas
from muslin.report.pages import render


def _both(**settings):
    """Settings of both configurations."""
    return {f"{letter}.{name}": value for name, value in settings.items() for letter in "ab"}


#: title, what to see, text of the link, settings (those of the two configurations behind "a." and "b.")
LESSONS = (
    (
        "Vanishing gradients",
        "Six layers of sigmoids: each multiplies the gradient by its slope, at most ¼, so that little is left of it "
        "for the first layer (the norms beneath the layers), and A learns nothing. B has the same six layers with "
        "ReLU, whose slope is 1 where it is on, and He's initial weights.",
        "Sigmoid against ReLU, six layers deep",
        {"data": "circles", "race": 1, "epochs": 200}
        | _both(layers="8,8,8,8,8,8", optimizer="sgd", learning_rate=0.1)
        | {"a.activation": "sigmoid", "b.activation": "relu", "b.initializer": "he"},
    ),
    (
        "Dead units",
        "A step that is too long pushes a ReLU below zero for every point: its slope is 0 from then on, no gradient "
        "reaches it, and it stays crossed out. In A a whole layer dies, and with it the network. B takes steps just as "
        "long with leaky ReLU, whose slope is 0.01 there: no unit is lost.",
        "ReLU against leaky ReLU at a high learning rate",
        {"data": "circles", "race": 1, "epochs": 150}
        | _both(initializer="he", optimizer="sgd", learning_rate=1.5)
        | {"a.activation": "relu", "b.activation": "leaky_relu"},
    ),
    (
        "Zeros",
        "With all weights at zero every unit of a layer computes the same, gets the same gradient, and stays the "
        "twin of the others: the tiles of A are all alike, however long it trains. B differs in nothing but random "
        "initial weights.",
        "Zeros against Xavier",
        {"data": "xor", "race": 1, "epochs": 200, "a.initializer": "zeros", "b.initializer": "xavier"},
    ),
    (
        "The learning rate",
        "The same network, the same initial weights. At 0.0003 A creeps: after 200 epochs it has hardly begun. At 30 "
        "B jumps over every valley, and its loss goes up and down. Set one of them to 0.3 and see what lies between.",
        "Too small against too large",
        {"data": "moons", "race": 1, "epochs": 200}
        | _both(optimizer="sgd")
        | {"a.learning_rate": 0.0003, "b.learning_rate": 30},
    ),
    (
        "Momentum against Adam",
        "On the spiral some weights get gradients a hundred times as large as others. Momentum adds up past gradients, "
        "so that what agrees grows; Adam also divides each by its own size, so that weak directions move as fast as "
        "strong ones. Give momentum a higher learning rate: does it catch up?",
        "Momentum against Adam on the spiral",
        {"data": "spiral", "race": 1, "epochs": 300, "noise": 0.02, "test": 20}
        | _both(layers="12,12", activation="relu", initializer="he", learning_rate=0.01)
        | {"a.optimizer": "momentum", "b.optimizer": "adam"},
    ),
    (
        "Overfitting",
        "Forty points to train on, a fifth of them with a wrong label, and two layers of sixteen units. A learns the "
        "wrong ones by heart: its training loss falls, its test loss (dashed) rises. B pays for large weights (weight "
        "decay), leaves the wrong points wrong, and is right more often on the test points.",
        "Without and with weight decay",
        {"data": "moons", "race": 1, "epochs": 400, "samples": 80, "test": 50, "noise": 0.12, "label_noise": 20}
        | _both(layers="16,16", activation="relu", initializer="he", learning_rate=0.03)
        | {"b.weight_decay": 0.02},
    ),
)


def write(path: Path) -> None:
    """Write the page. What is not in it, because it cannot be translated, it says itself."""
    lessons = [
        {"title": title, "text": text, "link": link, "address": urlencode(settings)}
        for title, text, link, settings in LESSONS
    ]
    program, _ = formulas.program()
    render("toy.html", path, given={"lessons": lessons}, program=program, missing=formulas.missing())
