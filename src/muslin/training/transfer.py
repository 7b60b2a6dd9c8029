"""From one network to another."""

from itertools import islice, takewhile
from typing import Any


def transplant(source: Any, network: Any, layers: int | None = None) -> list[int]:
    """Copy W⁽ᵏ⁾ and b⁽ᵏ⁾ of the source's first ``layers`` (default: all) into the network; returns the layers copied.

    It ends below the first layer that has another shape in the two, for what a layer has learned is about the units
    below it.  Yosinski, Clune, Bengio & Lipson 2014, "How transferable are features in deep neural networks?",
    arXiv:1411.1792.
    """
    layers_of_both = range(1, min(source.L, network.L) + 1)
    alike = takewhile(lambda k: source.weights[k].shape == network.weights[k].shape, layers_of_both)
    copied = list(islice(alike, layers))
    for k in copied:
        network.weights[k], network.biases[k] = source.weights[k], source.biases[k]
    return copied
