"""Which way each picture of a batch is changed: see `muslin.augmentation`, where it is done.

Which way is a function of (seed, step, place in the batch), as dropout's masks are: the engines, a tape and each of its
threads make the same pictures, and a run that goes on makes those of one that was never broken off.
"""

import math
from typing import NamedTuple

import numpy as np

from muslin.augmentation import (
    BEND,
    BOTTOM,
    DOWN,
    FIELD,
    LEFT,
    M00,
    M01,
    M10,
    M11,
    OWN,
    RIGHT,
    START,
    STOP,
    TOP,
    WAYS,
)
from muslin.engines.dropout import GOLDEN, keys, mixed
from muslin.errors import InputError
from muslin.training.settings import PICTURES, TrainingSettings

#: keeps these draws apart from those of the layers' dropout
STREAM = int.from_bytes(b"augment")
#: draws of each sample
DRAWS = 16
#: smooth fields that are drawn once, and taken again and again
FIELDS = 512
#: how far a field's values go together, in pixels of a picture of 28 × 28. Simard, Steinkraus & Platt, ICDAR 2003.
SMOOTH = 4.0 / 28
#: a move is a whole number of these, so that adding it to a pixel's number rounds nothing
GRAIN = 2.0**20
#: half the sides of a box that cutmix takes, as shares of the picture's
BOX = 3.0 / 28, 11.0 / 28


class Augmentation(NamedTuple):
    """What is to be done to pictures of (height, width); see `muslin.training.settings` for its options."""

    shape: tuple[int, int]
    seed: int
    flip: float
    shift: float
    zoom: float
    rotate: float
    shear: float
    elastic: float
    mixup: float
    cutmix: float
    fields: np.ndarray

    @classmethod
    def of(cls, settings: TrainingSettings, inputs: int, shape: tuple[int, int] | None) -> "Augmentation | None":
        """That of the settings; None where they ask for none.

        shape: of the pictures that the inputs are; where none is given they are square. Raises InputError where they
        cannot be pictures.
        """
        if not (asked := settings.of_pictures):
            return None
        options = {name: float(getattr(settings, name)) for name in PICTURES}
        side = math.isqrt(inputs)
        if shape is None and side * side != inputs:
            raise InputError(f"{asked[0]} is for pictures, and {inputs} inputs are no square; give image_shape.")
        h, w = shape or (side, side)
        if h * w != inputs:
            raise InputError(
                f"image_shape is {h} × {w}, and there are {inputs} inputs; it must be their height and width."
            )
        fields = _fields(settings.seed, h, w) if settings.elastic else np.zeros((1, h * w, 2))
        return cls((h, w), settings.seed, **options, fields=fields)

    @property
    def mixes(self) -> bool:
        """Whether pictures of a batch are mixed with each other, and their targets."""
        return self.mixup > 0 or self.cutmix > 0

    def ways(self, steps: np.ndarray, batch: int) -> np.ndarray:
        """What is done to each sample of the batches of these steps (numbers from 1): (steps × batch × WAYS)."""
        u = _uniform(keys(self.seed, steps, STREAM), batch)
        (h, w), way = self.shape, np.zeros((len(steps), batch, WAYS))
        sign = np.where(u[..., 0] < self.flip, -1.0, 1.0)
        angle = np.deg2rad(self.rotate) * _around(u[..., 1])
        zoom_i, zoom_j = (1.0 / (1.0 + self.zoom * _around(u[..., k])) for k in (2, 3))
        shear = self.shear * _around(u[..., 4])
        cos, sin = np.cos(angle), np.sin(angle)
        way[..., M00], way[..., M01] = cos * zoom_i, (sin + cos * shear) * zoom_j * sign
        way[..., M10], way[..., M11] = -sin * zoom_i, (cos - sin * shear) * zoom_j * sign
        way[..., DOWN], way[..., RIGHT] = (np.rint(self.shift * _around(u[..., k]) * GRAIN) / GRAIN for k in (5, 6))
        way[..., FIELD] = np.floor(u[..., 7] * len(self.fields))
        way[..., BEND] = self.elastic * np.where(u[..., 8] < 0.5, -1.0, 1.0)
        self._mixed(way, u, h, w)
        return way

    def _mixed(self, way: np.ndarray, u: np.ndarray, h: int, w: int) -> None:
        """mixup leaves λ = 1 − ½uᵏ of a picture and takes the rest of the next one in the batch; cutmix takes a box of
        it.  Zhang et al. 2017, arXiv:1710.09412; Yun et al. 2019, arXiv:1905.04899."""
        cut = u[..., 9] < self.cutmix
        left = 1.0 - 0.5 * u[..., 10] ** self.mixup if self.mixup else np.ones(cut.shape)
        way[..., LEFT] = way[..., OWN] = np.where(cut, 1.0, left)
        low, high = BOX
        for first, last, side, k in ((TOP, BOTTOM, h, 11), (START, STOP, w, 13)):
            middle, half = u[..., k] * side, (low + (high - low) * u[..., k + 1]) * side
            way[..., first] = np.where(cut, np.floor(np.maximum(middle - half, 0)), 0)
            way[..., last] = np.where(cut, np.ceil(np.minimum(middle + half, side)), 0)
        area = (way[..., BOTTOM] - way[..., TOP]) * (way[..., STOP] - way[..., START]) / (h * w)
        way[..., OWN] -= area


def _around(u: np.ndarray) -> np.ndarray:
    """U(0, 1) as U(−1, 1)."""
    return 2.0 * u - 1.0


def _uniform(starts: np.ndarray, batch: int) -> np.ndarray:
    """Numbers in [0, 1), (steps × batch × draws), counted from where each step starts (uint64)."""
    count = np.arange(1, batch * DRAWS + 1, dtype=np.uint64).reshape(batch, DRAWS) * GOLDEN
    return (mixed(starts[:, None, None] + count) >> np.uint64(11)) * 2.0**-53


def _fields(seed: int, h: int, w: int) -> np.ndarray:
    """Smooth fields of displacements (down, right), 1 pixel in the root mean square: (fields × pixels × 2)."""
    noise = np.random.default_rng([seed, STREAM]).uniform(-1.0, 1.0, (2, FIELDS, h, w))
    smooth = _gaussian(h, SMOOTH * h) @ noise @ _gaussian(w, SMOOTH * w)
    smooth /= np.sqrt(np.mean(smooth**2, axis=(2, 3), keepdims=True))
    return np.ascontiguousarray(smooth.transpose(1, 2, 3, 0).reshape(FIELDS, h * w, 2))


def _gaussian(n: int, sigma: float) -> np.ndarray:
    distance = np.arange(n)[:, None] - np.arange(n)
    return np.exp(-0.5 * (distance / sigma) ** 2)
