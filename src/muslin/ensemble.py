"""Several networks that answer as one: Ŷ is the mean of theirs, and each may look at several views of a picture.

    Ŷ = (1 / MV) Σₘ Σᵥ o(A_m(view_v X) / T)

Hansen & Salamon, "Neural network ensembles", 1990; T is the temperature of Guo et al. 2017, arXiv:1706.04599, one for
all members, found where the loss of their mean is least (Rahaman & Thiery 2020, arXiv:2007.08792).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from muslin.errors import InputError
from muslin.files import damaged, read_tensors, write_tensors
from muslin.inputs import as_targets
from muslin.losses import target_columns
from muslin.memory import Array
from muslin.model_file import metadata_of, restored, tensors_of
from muslin.network import FeedForwardNeuralNetwork
from muslin.outputs import Answers

#: moves of a view: none, and one pixel to each side
MOVES = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
#: samples that are answered at a time
CHUNK = 4096
#: a temperature lies between these
COLDEST, HOTTEST = 0.05, 20.0
#: what the members have in common
SAME: dict[str, Callable[[Any], Any]] = {
    "number of inputs": lambda network: network.sizes[0],
    "number of outputs": lambda network: network.sizes[-1],
    "output": lambda network: network.output,
    "loss": lambda network: network.loss,
    "dtype": lambda network: network.dtype.name,
}


def views(shape: tuple[int, int], mirrored: bool, moved: bool) -> np.ndarray:
    """The views of a picture of (height, width), (views × pixels): as it is, ``mirrored`` too, each of them ``moved``
    by a pixel to each side too. Of each pixel of a view the number of the one that it shows; height × width where
    that lies outside, which is 0."""
    h, w = shape
    numbers = np.pad(np.arange(h * w).reshape(h, w), 1, constant_values=h * w)
    seen = [
        numbers[1 - down : h + 1 - down, 1 - right : w + 1 - right][:, ::step].ravel()
        for step in ((1, -1) if mirrored else (1,))
        for down, right in (MOVES if moved else MOVES[:1])
    ]
    return np.array(seen)


def view(X: np.ndarray, pixels: np.ndarray | None) -> np.ndarray:
    """The pictures X (N × pixels) in the view of these ``pixels``, or as they are."""
    if pixels is None:
        return X
    seen = X.take(pixels, axis=1, mode="clip")
    seen[:, pixels == X.shape[1]] = 0
    return seen


@dataclass(frozen=True)
class Answer:
    """What a loss is computed from: see `muslin.outputs`."""

    Z: Array
    H: dict[int, Array]


class Ensemble(Answers):
    """Networks with the same inputs, output and loss.

    members  the networks
    views    of each member what `views` gives, or None where it takes its samples as they are

    Raises InputError where there is no member, or they do not go together.
    """

    outputs: ClassVar = FeedForwardNeuralNetwork.outputs
    unit: float = 1.0

    def __init__(self, members: Sequence[FeedForwardNeuralNetwork], views: Sequence[np.ndarray | None] = ()):
        if not members:
            raise InputError("An ensemble needs one network at least.")
        for what, of in SAME.items():
            if len(values := sorted({of(member) for member in members})) > 1:
                told = ", ".join(map(str, values))
                raise InputError(f"The networks of an ensemble must have the same {what}; these have {told}.")
        self.members, self.views = list(members), list(views) or [None] * len(members)
        first = self.members[0]
        self.sizes, self.L, self.dtype = [first.sizes[0], first.sizes[-1]], first.L, first.dtype
        self.output, self.target, self.loss = first.output, first.target, first.loss

    def looks(self) -> Iterator[tuple[FeedForwardNeuralNetwork, np.ndarray | None]]:
        """Each member once a view, with the pixels of it."""
        for member, seen in zip(self.members, self.views, strict=True):
            for pixels in [None] if seen is None else seen:
                yield member, pixels

    def respond(self, X: ArrayLike) -> Array:
        """Ŷ of each sample.  X: (N × n_0) → (N × n_L).  Raises InputError as the members do."""
        X = self.samples(X)
        return np.concatenate([s.H[self.L].T for _, s in self.chunks(X, np.arange(len(X)))])

    def samples(self, X: ArrayLike) -> np.ndarray:
        """X checked: see `muslin.inputs.as_samples`."""
        return self.members[0].samples(X)

    def chunks(self, X: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Answer]]:
        """The answer to ``X[rows]``, some thousand at a time: yields (rows of the chunk, `Answer`)."""
        for i in range(0, len(rows), CHUNK):
            chunk = rows[i : i + CHUNK]
            yield chunk, self._answer([member.respond(view(X[chunk], pixels)).T for member, pixels in self.looks()])

    def _answer(self, each: Sequence[Array]) -> Answer:
        """The mean of the Ŷ of each, (n_L × B)."""
        Y_hat = np.mean(each, axis=0, dtype=self.dtype)
        return Answer(self.outputs[self.output].before(Y_hat), {self.L: Y_hat})

    def batch_loss(self, s: Answer, Y: Array) -> float:
        """The loss of an answer, summed over its samples.  Y: targets, (n_L × B)."""
        return float(np.sum(self.members[0].loss_function(s.Z, s.H[self.L], Y)))

    def at(self, temperature: float) -> "Ensemble":
        """The ensemble of copies whose A⁽ᴸ⁾ is divided by the temperature.  Raises InputError of numbers."""
        self.need_probabilities()
        twins = [member.twin() for member in self.members]
        for twin in twins:
            twin.weights[twin.L] /= twin.dtype.type(temperature)
            twin.biases[twin.L] /= twin.dtype.type(temperature)
        return Ensemble(twins, self.views)

    def temperature(self, X: ArrayLike, y: ArrayLike) -> float:
        """The temperature at which the loss on these samples, which no member was trained on, is least.

        X: (N × n_0), y: as the targets of a network.  Raises InputError of numbers.
        """
        self.need_probabilities()
        X = self.samples(X)
        Y = target_columns(as_targets(y, len(X), self.sizes[-1], self.target, self.dtype), self.sizes[-1], self.dtype)
        Z = [_before(member, view(X, pixels)) for member, pixels in self.looks()]
        function = self.outputs[self.output].function

        def loss(log_temperature: float) -> float:
            each = [np.empty_like(z) for z in Z]
            for z, Y_hat in zip(Z, each, strict=True):
                function(z / self.dtype.type(np.exp(log_temperature)), Y_hat)
            return self.batch_loss(self._answer(each), Y)

        from scipy.optimize import minimize_scalar

        minimum = minimize_scalar(loss, bounds=np.log([COLDEST, HOTTEST]), method="bounded", options={"xatol": 1e-4})
        return float(np.exp(minimum.x))

    def save(self, path: str | PathLike[str]) -> None:
        """Write all members and their views to a safetensors file, whole or not at all."""
        tensors: dict[str, np.ndarray] = {}
        for m, (member, seen) in enumerate(zip(self.members, self.views, strict=True), 1):
            tensors |= {f"{m}.{name}": tensor for name, tensor in tensors_of(member).items()}
            tensors |= {} if seen is None else {f"{m}.views": seen}
        write_tensors(path, tensors, {"ensemble": [metadata_of(member) for member in self.members]})

    @classmethod
    def load(cls, path: str | PathLike[str], engine: str = "auto") -> "Ensemble":
        """The ensemble that `save` wrote. Raises InputError where the file is missing, damaged or none of ours."""
        tensors, metadata = read_tensors(path, "model file")
        if not isinstance(each := metadata.get("ensemble"), list):
            raise InputError(damaged(path, "model file"))
        of = [
            {name.removeprefix(f"{m}."): tensor for name, tensor in tensors.items() if name.startswith(f"{m}.")}
            for m in range(1, len(each) + 1)
        ]
        pairs = zip(of, each, strict=True)
        members = [restored(FeedForwardNeuralNetwork, own, told, path, engine) for own, told in pairs]
        return cls(members, [own.get("views") for own in of])

    def __repr__(self) -> str:
        looks = sum(1 if seen is None else len(seen) for seen in self.views)
        parameters = sum(member.theta.size for member in self.members)
        return f"<Ensemble of {len(self.members)}, {looks} views in all, {parameters:,} parameters>"


def _before(network: FeedForwardNeuralNetwork, X: np.ndarray) -> Array:
    """What Ŷ is computed from, (n_L × N): A but for a number that is the same for all classes of a sample."""
    return np.concatenate([s.Z.copy() for _, s in network.chunks(network.samples(X), np.arange(len(X)))], axis=1)
