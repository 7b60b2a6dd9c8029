"""What is timed: A to E, and F, twelve points of the course's grid. Every network is 784 inputs … 10 classes."""

import random
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Configuration:
    hidden: tuple[int, ...]
    activation: str
    batch: int
    optimizer: str
    learning_rate: float
    initializer: str = "he"

    def __str__(self):
        shape = f"{len(self.hidden)}×{self.hidden[0]}" if len({*self.hidden}) == 1 else "-".join(map(str, self.hidden))
        return f"{shape} {self.activation}, {self.batch}, {self.optimizer}"


#: the course's optimizers, each with a learning rate that suits it
OPTIMIZERS = {"sgd": 0.1, "momentum": 0.01, "nag": 0.01, "rmsprop": 1e-3, "adam": 1e-3, "nadam": 1e-3}
#: the course's shapes: layers, size, batch
SHAPES = list(product((3, 4, 5), (32, 64, 128), (16, 32, 64)))

CONFIGURATIONS = {
    "A": Configuration((128,) * 3, "sigmoid", 32, "nadam", 1e-3, "xavier"),
    "B": Configuration((128,) * 3, "relu", 64, "adam", 1e-3),
    "C": Configuration((128,) * 3, "relu", 64, "sgd", 0.1),
    "D": Configuration((32,) * 3, "relu", 16, "adam", 1e-3),
    "E": Configuration((512,) * 2, "relu", 256, "adam", 1e-3),
}


def grid(points=12, seed=6910):
    """F: that many different shapes of the course's grid, the optimizers in turn."""
    shapes, names = random.Random(seed).sample(SHAPES, points), list(OPTIMIZERS)
    return {
        f"F{i + 1}": Configuration((size,) * layers, "relu", batch, name, OPTIMIZERS[name])
        for i, (layers, size, batch) in enumerate(shapes)
        for name in [names[i % len(names)]]
    }


def chosen(only=None):
    """{name: configuration} of the names given, such as A,D,F3; F is all of the grid. None: everything."""
    known = CONFIGURATIONS | grid()
    if only is None:
        return known
    names = [name for wanted in only for name in (grid() if wanted == "F" else [wanted])]
    if unknown := {*names} - {*known}:
        raise SystemExit(f"No configuration {', '.join(sorted(unknown))}; there are {', '.join(known)} and F.")
    return {name: known[name] for name in names}
