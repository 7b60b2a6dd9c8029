"""One step of training, and what it says when the numbers run away."""

import math
from dataclasses import dataclass

import numpy as np

from muslin.errors import Diverged
from muslin.losses import targets
from muslin.memory import Signals
from muslin.optimizers import PROVIDED, signature


@dataclass(frozen=True)
class Part:
    """A part of θ that is updated alike: where it is, the decay added to its gradient, the scalars of the rule."""

    where: slice
    decay: float
    scalars: dict


class Step:
    """One step of training: a batch forward, backward, and the optimizer's rule. All memory is made beforehand."""

    def __init__(self, network, X, y, rule, settings):
        self.network, self.X, self.y, self.rule = network, X, y, rule
        self.dropout, self.clip_norm = settings.dropout, settings.clip_norm
        self.freeze, self.stride = settings.freeze, settings.batch_size
        self.signals = Signals(network.sizes, self.stride, network.dtype, dropout=self.dropout > 0)
        self.table = targets(network.sizes[-1], network.dtype, settings.label_smoothing)
        slots, scalars = signature(rule)
        self.slots = {name: np.zeros_like(network.theta) for name in slots}
        self.scalars = scalars | settings.hyperparameters
        self.asked = [name for name in PROVIDED[:3] if name in scalars]
        self.parts = self._parts(settings.weight_decay, decoupled="weight_decay" in scalars)

    def _parts(self, decay, decoupled):
        weights, biases = self.network.parameters.above(self.freeze)
        parts = [(weights, decay), (biases, 0.0)] if decay or self.freeze else [(slice(None), 0.0)]
        return [
            Part(where, 0.0 if decoupled else decay, self.scalars | ({"weight_decay": decay} if decoupled else {}))
            for where, decay in parts
        ]

    def now(self, **scalars):
        """Those of the loop's scalars that the rule asks for."""
        return {name: scalars[name] for name in self.asked}

    def __call__(self, batch, state, rate, rng):
        """Train on a batch, the rows ``batch`` of X; yields (samples, mean loss, right predictions).

        rate: the learning rate of a step, by its number from 0.
        """
        network, s, labels = self.network, self.signals.first(len(batch)), self.y[batch]
        Y = self.table.take(labels, axis=1)
        network.engine.gather(self.X, batch, s.H[0].T)
        for mask in s.masks.values():
            np.greater_equal(rng.random(mask.T.shape, mask.dtype).T, self.dropout, out=mask)
            mask /= 1.0 - self.dropout
        network.forward(s)
        loss = float(network.batch_loss(s, Y)) / len(batch)
        if not math.isfinite(loss):
            raise self.diverged(s, state.epoch, state.step + 1)
        network.deltas(s, Y, self.freeze)
        network.gradients(s, self.freeze)
        if self.clip_norm:
            norm = math.sqrt(float(np.dot(network.gradient, network.gradient)))
            if not math.isfinite(norm):
                raise self.diverged(s, state.epoch, state.step + 1)
            if norm > self.clip_norm:
                network.gradient *= self.clip_norm / norm
        state.step += 1
        now = self.now(learning_rate=rate(state.step - 1), t=state.step, loss=loss)
        for part in self.parts:
            theta, g, *slots = (v[part.where] for v in (network.theta, network.gradient, *self.slots.values()))
            network.engine.update(self.rule, theta, g, slots, part.scalars | now, part.decay)
        yield len(batch), loss, int(np.count_nonzero(s.H[network.L].argmax(axis=0) == labels))

    def check(self, state):
        if not np.isfinite(self.network.theta).all():
            raise self.diverged(self.signals, state.epoch, state.step)

    def diverged(self, s, epoch, step):
        """The error that says in which layer the numbers first left the finite ones."""
        return diverged(self.network, s, epoch, step)


def diverged(network, s, epoch, step):
    """The error that says in which layer the numbers first left the finite ones."""
    arrays = {k: (network.weights[k], network.biases[k], s.A[k]) for k in s.A}
    broken = (k for k in arrays if not all(np.isfinite(array).all() for array in arrays[k]))
    return Diverged(
        f"Training diverged in epoch {epoch + 1}, step {step}: the numbers of layer {next(broken, network.L)} are no "
        "longer finite. Try a learning rate ten times smaller, clip_norm 1, or another initializer."
    )
