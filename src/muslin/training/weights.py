"""How much each sample counts: weights of samples, and of classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from muslin.errors import InputError, shown
from muslin.inputs import as_weights


def sample_weights(network: Any, data: Any, sample_weight: Any = None, class_weight: Any = None) -> np.ndarray | None:
    """The weight of each sample of ``data``, (N × 1) in the network's dtype, or None where all are alike.

    They are divided by their mean over the rows of training: loss and gradient are means over the batch, as ever, and
    the learning rate keeps its meaning. (PyTorch and scikit-learn divide by the sum over the *batch*; over all batches
    that is another mean, in which a sample counts more beside light ones.)

    Raises InputError for weights that cannot be, or where the network's loss gives no terms to weight.
    """
    if sample_weight is None and class_weight is None:
        return None
    w = np.ones(len(data.y)) if sample_weight is None else as_weights(sample_weight, len(data.y))
    if class_weight is not None:
        w = w * class_weights(network, data, class_weight)
    mean = w[data.rows].mean()
    if not 0 < mean < np.inf:
        raise InputError("The weights of the training samples are all 0, or their sum is not finite.")
    _check_terms(network)
    return (w / mean).astype(network.dtype)[:, None]


def class_weights(network: Any, data: Any, class_weight: Any) -> np.ndarray:
    """The weight of the class of each sample, (N,)."""
    y, classes = _classes(network, data.y)
    counts = np.bincount(y[data.rows], minlength=classes)
    if isinstance(class_weight, str) and class_weight == "balanced":
        return (len(data.rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[y]
    if not isinstance(class_weight, Mapping):
        raise InputError(f'class_weight is {shown(class_weight)}; it must be {{class number: weight}} or "balanced".')
    table = np.ones(classes)
    for c, weight in class_weight.items():
        if isinstance(c, bool) or c not in range(classes):
            raise InputError(f"class_weight has the class {shown(c)}; classes are 0 to {classes - 1}.")
        table[int(c)] = as_weights([weight], 1)[0]
    return table[y]


def _classes(network: Any, y: np.ndarray) -> tuple[np.ndarray, int]:
    """(class number of each sample, number of classes), of softmax or of one label that is there or not."""
    if network.target == "class":
        return y, network.sizes[-1]
    if network.target == "labels" and network.sizes[-1] == 1 and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(np.int64), 2
    raise InputError("class_weight is for classes; weight labels and numbers by sample_weight.")


def _check_terms(network: Any) -> None:
    two = np.full((network.sizes[-1], 2), 0.5, network.dtype)
    if np.shape(network.loss_function(two, two, two))[-1:] != (2,):
        raise InputError(
            f"The loss {network.loss} returns a sum; to weight samples it must return its terms, (outputs × samples)."
        )
