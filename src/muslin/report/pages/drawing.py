"""The network as a picture: where its units and weights are drawn."""

from typing import Any

import numpy as np

#: units of a layer that are drawn; of more, the dots between them stand for the rest
MOST = 10
HEIGHT, TOP, STEP, SPACE = 350, 40, 30, 96
#: weights between two layers that are drawn: the strongest
EDGES = 40


def drawing(network: Any) -> dict[str, Any]:
    """Layers with their units, and between two layers the strongest of the weights of the units shown.

    {"width", "height", "layers": [{"x", "label", "units": [y], "dots": [y]}],
    "edges": [{"x1", "y1", "x2", "y2", "strength" from 0 to 1, "sign"}]}
    """
    width = max(720, SPACE * len(network.sizes))
    gap = (width - SPACE) / network.L
    shown = [_shown(n) for n in network.sizes]
    layers = [
        {"x": round(SPACE / 2 + k * gap, 1), "label": f"{n:,}", **_places(n)} for k, n in enumerate(network.sizes)
    ]
    edges = []
    for k, W in network.weights.items():
        edges += _edges(W[np.ix_(shown[k], shown[k - 1])], layers[k - 1], layers[k])
    return {"width": width, "height": HEIGHT, "layers": layers, "edges": edges}


def _shown(n):
    """The units that are drawn: all, or some at equal distances."""
    return np.linspace(0, n - 1, min(n, MOST - 1 if n > MOST else n)).round().astype(int)


def _places(n):
    """The heights at which a layer's units are drawn."""
    drawn = len(_shown(n))
    slots = drawn + (n > MOST)
    y = (HEIGHT + TOP) / 2 + STEP * (np.arange(slots) - (slots - 1) / 2)
    middle = slots // 2 if n > MOST else None
    dots = [] if middle is None else [float(y[middle]) + offset for offset in (-7, 0, 7)]
    return {"units": [float(v) for i, v in enumerate(y) if i != middle], "dots": dots}


def _edges(W, left, right):
    strength = np.abs(W) / (np.abs(W).max() or 1)
    strongest = np.argsort(-strength, axis=None, kind="stable")[:EDGES][::-1]  # the strongest is drawn last
    return [
        {
            "x1": left["x"],
            "y1": left["units"][j],
            "x2": right["x"],
            "y2": right["units"][i],
            "strength": round(float(strength[i, j]), 2),
            "sign": "positive" if W[i, j] > 0 else "negative",
        }
        for i, j in zip(*np.unravel_index(strongest, W.shape), strict=True)
    ]
