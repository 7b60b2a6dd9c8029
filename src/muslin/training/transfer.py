"""From one network to another."""

from itertools import islice, takewhile
from typing import Any


def transplant(source: Any, network: Any, layers: int | None = None) -> list[int]:
    """Copy W⁽ᵏ⁾, b⁽ᵏ⁾ and what normalizes it, of the source's first ``layers`` (default: all), into the network;
    returns the layers copied.

    It ends below the first layer that has another shape or normalization in the two, for what a layer has learned is
    about the units below it.  Yosinski, Clune, Bengio & Lipson 2014, "How transferable are features in deep neural
    networks?", arXiv:1411.1792.
    """
    layers_of_both = range(1, min(source.L, network.L) + 1)
    alike = takewhile(
        lambda k: source.weights[k].shape == network.weights[k].shape and (k in source.gammas) == (k in network.gammas),
        layers_of_both,
    )
    copied = list(islice(alike, layers))
    for k in copied:
        network.weights[k], network.biases[k] = source.weights[k], source.biases[k]
        if k in source.gammas:
            ours, theirs = network.parameters, source.parameters
            ours.gammas[k], ours.running_means[k] = theirs.gammas[k], theirs.running_means[k]
            ours.running_variances[k] = theirs.running_variances[k]
    return copied
