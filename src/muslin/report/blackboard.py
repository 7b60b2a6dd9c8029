"""The blackboard: a page with one step of a small network, every matrix of it with its numbers."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.optimizers import hyperparameters
from muslin.report import formulas
from muslin.report.pages import render

#: what there is room for
MOST = {"layers": 5, "units": 10, "batch": 10}
#: samples of a data set that a page takes along
SAMPLES = 200
#: data that the page draws itself: assets/toydata.js; "numbers" are any
TOYS = ("circles", "moons", "xor", "spiral")
NAMES = ("numbers", *TOYS, "iris")


def write(
    path: Path,
    sizes: Sequence[int] | None = None,
    *,
    activation: str = "tanh",
    loss: str = "cross_entropy",
    optimizer: str = "momentum",
    initializer: str = "xavier",
    data: str = "numbers",
    batch: int = 3,
    learning_rate: float = 0.1,
    weight_decay: float = 0.0,
    seed: int = 0,
    **hyperparameters: float,
) -> dict[str, Any]:
    """Write the page; returns the settings that it opens with.

    sizes      [n_0, n_1, …, n_L], default 3, 4, 2 or what suits the data
    data       one of `NAMES`, or a `muslin.datasets.Dataset` of at most ten features
    others     as in `muslin.training.fit`; everything can be changed in the page

    Raises InputError: a formula that cannot be translated, numbers that cannot be, or too many of them.
    """
    names = {"activation": activation, "loss": loss, "optimizer": optimizer, "initializer": initializer}
    tables = {"activation": "activations", "loss": "losses", "optimizer": "optimizers", "initializer": "initializers"}
    names = {kind: formulas.checked(tables[kind], name) for kind, name in names.items()}
    if isinstance(data, str) and data not in NAMES:
        raise InputError(f"data is {data!r}; it must be {', '.join(NAMES)}, or a data set.")
    own = _own(_iris() if data == "iris" else data) if data not in ("numbers", *TOYS) else None
    sizes = _sizes(sizes, data, own)
    samples = min(MOST["batch"], len(own["y"])) if own else MOST["batch"]
    _check("batch", batch, 1 <= batch <= samples, f"1 to {samples} samples")
    _check("seed", seed, 0 <= seed < 2**31, "a whole number from 0 to 2147483647")
    _check("learning_rate", learning_rate, 0 < learning_rate < np.inf, "a positive number")
    _check("weight_decay", weight_decay, 0 <= weight_decay < np.inf, "a number from 0")
    settings = names | {
        "sizes": ",".join(map(str, sizes)),
        "data": "own" if own else data,
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "seed": seed,
    }
    settings |= _hyperparameters(names["optimizer"], hyperparameters)
    opening = {"settings": {name: str(value) for name, value in settings.items()}, "own": own, "most": MOST}
    program, _ = formulas.program()
    render("blackboard.html", path, given=opening, program=program, missing=formulas.missing())
    return settings


def _sizes(sizes, data, own):
    ends = [own["inputs"], own["classes"]] if own else None if data == "numbers" else [2, 2]
    if sizes is None:
        sizes = [ends[0], 4, ends[1]] if ends else [3, 4, 2]
    fine = len(sizes) in range(2, MOST["layers"] + 2) and all(n in range(1, MOST["units"] + 1) for n in sizes)
    if not fine or sizes[-1] < 2:
        raise InputError(
            f"sizes are {','.join(map(str, sizes))}; a blackboard has room for 2 to {MOST['layers'] + 1} layers of "
            f"1 to {MOST['units']} units, and the last has 2 or more, one for each class."
        )
    if ends and [sizes[0], sizes[-1]] != ends:
        raise InputError(
            f"sizes are {','.join(map(str, sizes))}; they must begin with {ends[0]} and end with {ends[1]}, as "
            f"the data have {ends[0]} inputs and {ends[1]} classes."
        )
    return list(sizes)


def _iris():
    """Fisher's iris (1936), which comes with scikit-learn: 4 features, 3 classes."""
    from sklearn.datasets import load_iris

    iris = load_iris()
    return SimpleNamespace(name="iris", X_train=iris.data, y_train=iris.target, class_names=iris.target_names)


def _own(data):
    X, classes = data.X_train.reshape(len(data.X_train), -1), len(data.class_names)
    if X.shape[1] > MOST["units"] or classes > MOST["units"]:
        raise InputError(
            f"{data.name} has {X.shape[1]} inputs and {classes} classes; "
            f"a blackboard has room for {MOST['units']} of each."
        )
    rows = np.unique(np.linspace(0, len(X) - 1, SAMPLES).astype(int))
    numbers = X[rows] / 255 if X.dtype == np.uint8 else X[rows].astype(float)
    return {
        "name": data.name,
        "inputs": X.shape[1],
        "classes": classes,
        "X": np.round(numbers, 4).tolist(),
        "y": data.y_train[rows].tolist(),
    }


def _hyperparameters(optimizer, own):
    known = hyperparameters(formulas.tables()["optimizers"][optimizer])
    for name, value in own.items():
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "has no hyperparameters"
            raise InputError(f"The optimizer {optimizer} has no {name!r}; it {takes}.")
        below = 1 if name.startswith(("beta", "momentum")) else np.inf
        _check(name, value, 0 <= value < below, "a number from 0" + ("" if below == np.inf else ", below 1"))
    return own


def _check(name, value, right, wanted):
    if not right:
        raise InputError(f"{name} is {value!r}; it must be {wanted}.")
