"""What studies record beside the usual figures. It goes into the history, and so into every checkpoint."""

import numpy as np

from muslin.datasets import Dataset
from muslin.training import Callback, Diagnostics, State


class AtStart(Callback):
    """Adds `Diagnostics` of the untrained network to the first epoch's figures, as ``at_start``."""

    def __init__(self, data: Dataset, rows: np.ndarray):
        self.diagnostics = Diagnostics(data.X_train, data.y_train, rows)

    def on_begin(self, state: State) -> None:
        self.figures = self.diagnostics.figures(state.network)

    def on_epoch(self, state: State) -> None:
        if state.epoch == 1:
            state.history[-1]["at_start"] = self.figures


class NeuronGradients(Callback):
    """Adds to each epoch's figures, for those of its steps that are among the first ``steps`` of training:

    ``neuron_gradients``  ‖∂loss/∂wᵢ‖ for the weights wᵢ into each of the first ``neurons`` units of the layer
    ``neuron_spread``     how far these gradients lie from their mean, as a share of their size: 0 where all are equal
    """

    def __init__(self, layer: int = 1, neurons: int = 5, steps: int = 50):
        self.layer, self.neurons, self.steps = layer, neurons, steps
        self.norms: list[list[float]] = []
        self.spread: list[float] = []

    def on_step(self, state: State, samples: int, loss: float, correct: int) -> None:
        if state.step <= self.steps:
            gradients = state.network.weight_gradients[self.layer][: self.neurons]
            size = np.linalg.norm(gradients)
            self.norms.append([float(norm) for norm in np.linalg.norm(gradients, axis=1)])
            self.spread.append(float(np.linalg.norm(gradients - gradients.mean(axis=0)) / size) if size else 0.0)

    def on_epoch(self, state: State) -> None:
        if self.norms:
            state.history[-1] |= {"neuron_gradients": self.norms, "neuron_spread": self.spread}
            self.norms, self.spread = [], []
