"""One step of training, and what it says when the numbers run away."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from muslin.augmentation import mix_targets
from muslin.engines import blas, dropout
from muslin.engines.denormals import flushed
from muslin.errors import Diverged
from muslin.losses import one_hot
from muslin.memory import Signals
from muslin.optimizers import PROVIDED, signature
from muslin.training.augmentation import Augmentation
from muslin.training.metrics import RIGHT
from muslin.training.settings import TrainingSettings


@dataclass(frozen=True)
class Part:
    """A part of θ that is updated alike: where it is, the decay added to its gradient, the scalars of the rule."""

    where: slice
    decay: float
    scalars: dict


class Step:
    """One step of training: a batch forward, backward, and the optimizer's rule. All memory is made beforehand.

    weights: of the samples, (N × 1) in the network's dtype, 1 in the mean, or None. augmentation: what is done to
    samples that are pictures (see `muslin.training.augmentation`), or None.
    """

    def __init__(
        self,
        network: Any,
        X: np.ndarray,
        y: np.ndarray,
        rule: Callable[..., Any],
        settings: TrainingSettings,
        weights: np.ndarray | None = None,
        augmentation: Augmentation | None = None,
    ):
        self.network, self.X, self.rule, self.weights = network, X, rule, weights
        self.augmentation, self.mixes = augmentation, augmentation is not None and augmentation.mixes
        self.y = y.astype(y.dtype.newbyteorder("="), copy=False)
        self.right = RIGHT.get(network.target)
        self.dropout, self.clip_norm = settings.dropout, settings.clip_norm  # what a tape depends on: `tried.kind`
        self.seed = network.seed if settings.seed is None else settings.seed
        self.freeze, self.stride = settings.freeze, settings.batch_size
        self.signals = Signals(
            network.sizes,
            self.stride,
            network.dtype,
            dropout=self.dropout > 0,
            normalized=[k for k in network.gammas if k > self.freeze],
        )
        self.table = one_hot(network.sizes[-1], network.dtype, settings.label_smoothing)
        slots, scalars = signature(rule)
        self.slots = {name: np.zeros_like(network.theta) for name in slots}
        self.scalars: dict[str, Any] = {**scalars, **settings.hyperparameters}
        self.asked = [name for name in PROVIDED if name in scalars and name != "weight_decay"]
        self.parts = self._parts(settings.weight_decay, decoupled="weight_decay" in scalars)

    def _parts(self, decay: float, decoupled: bool) -> list[Part]:
        weights, *others = self.network.parameters.above(self.freeze)
        parts = [(weights, decay), *((where, 0.0) for where in others)]
        parts = parts if decay or self.freeze else [(slice(None), 0.0)]
        return [
            Part(where, 0.0 if decoupled else decay, self.scalars | ({"weight_decay": decay} if decoupled else {}))
            for where, decay in parts
        ]

    def now(self, **scalars: float | None) -> dict[str, Any]:
        """Those of the loop's scalars that the rule asks for."""
        return {name: scalars[name] for name in self.asked}

    def take(self, hand: Any, s: Signals, rows: np.ndarray) -> None:
        """The order of a step, written once. ``hand`` does each part of it: `Computation` computes, and
        `muslin.engines.player.StepRecorder` writes down what is computed."""
        network = self.network
        if self.augmentation:
            hand.augment(self.augmentation, self.X, rows, s.H[0].T)
        else:
            hand.gather(self.X, rows, s.H[0].T)
        Y = hand.targets(self.table, self.y, rows)
        s.weights = None if self.weights is None else hand.weights(self.weights, rows)
        if s.masks:
            hand.draw_masks(s.masks, self.dropout)
        network.forward(s, hand)
        hand.figures(network.batch_loss(s, Y), s.H[network.L])
        network.deltas(s, Y, self.freeze, hand)
        network.gradients(s, self.freeze)
        network.remember(s, hand)
        if self.clip_norm:
            hand.clip(self.parts, self.clip_norm)
        hand.update_parts(self.parts)

    def __call__(self, batch: np.ndarray, state: Any, rate: Callable[[int], float]) -> tuple[int, float, int]:
        """Train on a batch, the rows ``batch`` of X; returns (samples, mean loss, right predictions).

        rate: the learning rate of a step, by its number from 0. Raises `Diverged`, before anything is changed.
        """
        try:
            with flushed(), blas.together():
                loss, correct = self.compute(batch, state.step + 1, rate(state.step))
        except NotFinite as error:
            raise self.diverged(error.signals, state.epoch, state.step + 1) from None
        state.step += 1
        return len(batch), loss, correct

    def compute(self, rows: np.ndarray, t: int, rate: float) -> tuple[float, int]:
        """Takes the step of number t with that learning rate; returns (mean loss, right predictions)."""
        hand, s = Computation(self, rows, t, rate), self.signals.first(len(rows))
        self.take(hand, s, rows)
        return hand.loss, hand.correct

    def update(self, t: int, rate: float, loss: float | None) -> None:
        """θ, slots ← what the rule makes of them and of the gradient."""
        network, now = self.network, self.now(learning_rate=rate, t=t, loss=loss)
        for part in self.parts:
            theta, g, *slots = (v[part.where] for v in (network.theta, network.gradient, *self.slots.values()))
            network.engine.update(self.rule, theta, g, slots, part.scalars | now, part.decay)

    def twin(self) -> Step:
        """A step that does the same with parameters, gradient and slots of its own: copies of what they are now."""
        twin = copy.copy(self)
        twin.network = self.network.twin()
        twin.slots = {name: slot.copy() for name, slot in self.slots.items()}
        return twin

    def overridden(self) -> bool:
        """Whether the network's class, or the network, has equations of its own in place of those written here."""
        network = self.network
        return any(
            getattr(type(network), name).__module__ != "muslin.network" or name in vars(network)
            for name in ("forward", "deltas", "gradients", "remember", "batch_loss")
        )

    def check_parameters(self, state: Any) -> None:
        """Raises `Diverged` where a parameter is not finite."""
        if not np.isfinite(self.network.theta).all():
            raise self.diverged(self.signals, state.epoch, state.step)

    def diverged(self, s: Signals, epoch: int, step: int) -> Diverged:
        """The error that says in which layer the numbers first left the finite ones."""
        return diverged(self.network, s, epoch, step, self._advice())

    def _advice(self) -> str:
        zero = [name for name, value in self.scalars.items() if name.startswith("epsilon") and value == 0]
        if zero:
            return f"{zero[0]} is 0, so that 0 is divided by 0 where a gradient has always been 0; give it 1e-8."
        return "Try a learning rate ten times smaller, clip_norm 1, or another initializer."


class NotFinite(FloatingPointError):
    """A figure of a step is not finite; ``signals`` are its numbers."""

    def __init__(self, signals: Signals):
        super().__init__("a figure of the step is not finite")
        self.signals = signals


class Computation:
    """A step that is computed at once; what is the network's engine's to do, it does."""

    def __init__(self, step: Step, rows: np.ndarray, t: int, rate: float):
        self.step, self.rows, self.t, self.rate = step, rows, t, rate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step.network.engine, name)

    def augment(self, augmentation: Augmentation, X: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        """out ← the samples of the batch, (B × n_0), each changed in its own way."""
        self.ways = augmentation.ways(np.array([self.t]), len(rows))[0]
        self.step.network.engine.augment(augmentation, X, rows, self.ways, out)

    def targets(self, table: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The targets of the batch, (n_L × B)."""
        if y.ndim == 2:
            return y[rows].T
        Y = table.take(y[rows], axis=1)
        return mix_targets(Y, self.ways) if self.step.mixes else Y

    def weights(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Those of the batch, (1 × B)."""
        return weights[rows].T

    def draw_masks(self, masks: dict[int, np.ndarray], share: float) -> None:
        """See `muslin.engines.dropout.draw`."""
        for k, mask in masks.items():
            dropout.draw(mask, dropout.keys(self.step.seed, np.array([self.t]), k)[0], share)

    def figures(self, loss: Any, P: np.ndarray) -> None:
        """The figures of the batch: ``loss``, the mean, and ``correct``, how many are predicted right."""
        self.loss = float(loss) / len(self.rows)
        self.correct = self.step.right(P, self.step.y[self.rows]) if self.step.right else 0
        self._finite(self.loss)

    def clip(self, parts: list[Part], longest: float) -> None:
        """g ← g · longest/‖g‖ where ‖g‖ is larger, over what is trained."""
        gradients = [self.step.network.gradient[part.where] for part in (parts if self.step.freeze else [_ALL])]
        norm = math.sqrt(sum(float(np.dot(g, g)) for g in gradients))
        self._finite(norm)
        if norm > longest:
            for g in gradients:
                g *= longest / norm

    def _finite(self, figure: float) -> None:
        if not math.isfinite(figure):
            raise NotFinite(self.step.signals.first(len(self.rows)))

    def update_parts(self, parts: list[Part]) -> None:
        self.step.update(self.t, self.rate, self.loss)


_ALL = Part(slice(None), 0.0, {})


def diverged(network: Any, s: Signals, epoch: int, step: int, advice: str) -> Diverged:
    """The error that says in which layer the numbers first left the finite ones."""
    arrays = {k: (network.weights[k], network.biases[k], s.A[k]) for k in s.A}
    broken = (k for k in arrays if not all(np.isfinite(array).all() for array in arrays[k]))
    return Diverged(
        f"Training diverged in epoch {epoch + 1}, step {step}: the numbers of layer {next(broken, network.L)} are no "
        f"longer finite. {advice}"
    )
