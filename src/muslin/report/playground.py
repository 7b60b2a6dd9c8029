"""The playground: one page with a network inside, which anyone can open and draw for."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from muslin.datasets import Dataset, images
from muslin.errors import InputError
from muslin.normalization import folded
from muslin.report import formulas
from muslin.report.pages import render
from muslin.runs import Run


def write(run: Run, data: Dataset, path: Path, samples: int = 200) -> int:
    """Write the playground of a finished run, with up to so many samples of its data set, as one HTML file.

    Returns the number of samples. Raises InputError: not finished, not trained on images, or an activation that
    cannot be translated.
    """
    network = run.network_for(data)
    facts = contents(network, data, samples)
    render(
        "playground.html",
        path,
        name=run.name,
        dataset=data.name,
        accuracy=run.summary.get("test_accuracy"),
        dtype=network.dtype.name,
        given=facts,
        **scripts(network),
    )
    return len(facts["samples"]["rows"])


def scripts(network: Any) -> dict[str, Any]:
    """What the page runs: the formulas, and why it cannot train on, where it cannot."""
    program, missing = formulas.program()
    reason = missing.get("losses", {}).get(network.loss, "")
    return {"program": program, "untrained": f"The loss {network.loss} cannot be translated: {reason}."}


def contents(network: Any, data: Dataset, samples: int = 200) -> dict[str, Any]:
    """What the page computes with, as JSON: the network, how a picture becomes its input, and samples.

    Arrays are base64: θ as float32, pixels as bytes or, where the data set has floats, as float32 of the same scale.
    """
    if data.image_shape is None:
        raise InputError(f"The samples of {data.name} are not images; a playground is for networks that see images.")
    low, high = images.limits(data)
    network = folded(network)
    return {
        "sizes": network.sizes,
        "activation": formulas.checked("activations", network.activation),
        "loss": network.loss if network.loss in formulas.translated("losses") else None,
        "optimizer": "adam" if "adam" in formulas.translated("optimizers") else formulas.translated("optimizers")[0],
        "theta": _base64(network.theta.astype("<f4")),
        "classes": data.class_names,
        "shape": data.image_shape,
        "margin": images.margin_of(data.image_shape, data.name),
        "low": low,
        "high": high,
        "samples": _samples(data, samples, low, high),
    }


def _samples(data, n, low, high):
    """Up to n samples, evenly spread over the test part, or over the training part where there is no other."""
    part, X, y = ("training", data.X_train, data.y_train) if data.X_test is None else ("test", data.X_test, data.y_test)
    rows = np.unique(np.linspace(0, len(X) - 1, n).astype(int))
    pixels = X[rows] if X.dtype == np.uint8 else ((X[rows] - low) * (255 / (high - low or 1))).astype("<f4")
    return {
        "part": part,
        "rows": rows.tolist(),
        "labels": y[rows].tolist(),
        "bytes": X.dtype == np.uint8,
        "pixels": _base64(pixels),
    }


def _base64(array):
    return b64encode(array.tobytes()).decode()
