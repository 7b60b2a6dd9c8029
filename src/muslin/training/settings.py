"""Every option of training, one row each: name, type, default, rule, help. It stands nowhere else.

The signature and the help of `fit`, its checks, the flags of the commands and the keys of config.json are read from
here. A new option is a row here and its use.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, NamedTuple, Self

import numpy as np

from muslin.errors import InputError, known, unknown
from muslin.evidence import listed
from muslin.inputs import as_seed
from muslin.optimizers import hyperparameters
from muslin.schedules import SCHEDULES, warm_up
from muslin.training.metrics import NAMES, RIGHT


class Rule(NamedTuple):
    """What a value must be: a test, and the words for it."""

    words: str
    test: Callable[[Any], object]

    def allows(self, value: Any) -> bool:
        if _truth(value) and self.test is not _truth:
            return False  # True is not the number 1
        try:
            return bool(self.test(value))
        except (TypeError, ValueError, OverflowError):
            return False


def optional(rule: Rule) -> Rule:
    return Rule(f"{rule.words}, or None", lambda v: v is None or rule.test(v))


def _truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


TEXT = Rule("a text", lambda v: isinstance(v, str))
TRUTH = Rule("true or false", _truth)
POSITIVE = Rule("a positive number", lambda v: 0 < v < math.inf)
FROM_0 = Rule("a number from 0", lambda v: 0 <= v < math.inf)
EPOCHS_FROM_0 = Rule("a number of epochs from 0", lambda v: 0 <= v < math.inf)
SHARE = Rule("a probability from 0 to 1", lambda v: 0 <= v <= 1)
ANGLE = Rule("degrees from 0 to 180", lambda v: 0 <= v <= 180)
BELOW_1 = Rule("at least 0 and below 1", lambda v: 0 <= v < 1)
WHOLE = Rule("a whole number from 1", lambda v: v >= 1 and v == int(v))
EPOCHS = Rule("a whole number of epochs from 1", WHOLE.test)
LAYERS = Rule("a whole number of layers from 0", lambda v: v >= 0 and v == int(v))
SEED = Rule("a whole number from 0", lambda v: as_seed(v) >= 0)


def option(default: Any, rule: Rule, text: str) -> Any:
    return field(default=default, metadata={"rule": rule, "help": text})


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What training depends on, beside the network and the data. Make one with `read`, whose errors are sentences."""

    optimizer: str = option("adam", TEXT, "rule that updates the parameters; lbfgs takes all samples in a step")
    learning_rate: float = option(1e-3, POSITIVE, "η, multiplied in each step by the schedule")
    schedule: str = option("constant", TEXT, "of the learning rate")
    warmup: float = option(0.0, EPOCHS_FROM_0, "epochs in which the learning rate rises from 0")
    epochs: int = option(10, WHOLE, "passes over the training samples")
    batch_size: int = option(32, WHOLE, "samples in a step; the last of an epoch may have fewer")
    shuffle: bool = option(True, TRUTH, "a new order each epoch, derived from (seed, epoch)")
    weight_decay: float = option(0.0, FROM_0, "λ of L2 weight decay")
    dropout: float = option(0.0, BELOW_1, "probability with which a hidden unit is left out")
    label_smoothing: float = option(0.0, BELOW_1, "of cross_entropy: the share of a target that all classes get alike")
    flip: float = option(0.0, SHARE, "of pictures: probability of being mirrored, left to right")
    shift: float = option(0.0, FROM_0, "of pictures: pixels by which they are moved at most, down and across")
    zoom: float = option(0.0, BELOW_1, "of pictures: share by which they are stretched at most, down and across")
    rotate: float = option(0.0, ANGLE, "of pictures: degrees by which they are turned at most")
    shear: float = option(0.0, BELOW_1, "of pictures: pixels by which a column is moved at most against the next")
    elastic: float = option(0.0, FROM_0, "of pictures: pixels by which they are bent, in the root mean square")
    mixup: float = option(0.0, FROM_0, "k > 0: a picture keeps 1 − ½uᵏ, u from 0 to 1; the rest is another's")
    cutmix: float = option(0.0, SHARE, "of pictures: probability that a box of them is another's")
    clip_norm: float | None = option(None, optional(POSITIVE), "a longer gradient is scaled down to this norm")
    freeze: int = option(0, LAYERS, "number of layers, from the first, that stay as they are")
    patience: int | None = option(None, optional(EPOCHS), "early stopping: epochs without a better figure")
    monitor: str | None = option(None, optional(TEXT), "the figure that early stopping watches (default val_loss)")
    diagnostics: bool = option(False, TRUTH, "record gradient norms and dead units each epoch")
    seed: int = option(None, optional(SEED), "of the order and of dropout (default: the network's)")
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Mapping[str, Any], optimizers: Mapping[str, Callable[..., Any]], seed: int = 0) -> Self:
        """The settings of these names and values; what is no option must be a hyperparameter of the optimizer.

        seed: the network's, which is that of the settings where they have none.

        Raises InputError for the first that cannot be.
        """
        rest = {name: value for name, value in values.items() if name not in OPTIONS}
        options = {name: _checked(name, row, values.get(name, row.default)) for name, row in OPTIONS.items()}
        options["optimizer"] = known({**optimizers, **dict.fromkeys(FULL_BATCH)}, "optimizer", options["optimizer"])
        options["schedule"] = known(SCHEDULES, "schedule", options["schedule"])
        options["seed"] = seed if options["seed"] is None else options["seed"]
        settings = cls(**options, hyperparameters=_hyperparameters(options["optimizer"], optimizers, rest))
        if settings.full_batch and (wrong := settings.not_with_full_batch):
            raise InputError(
                f"{settings.optimizer} takes all samples in each step and finds the length of the step itself: of the "
                f"options it has {listed(WITH_FULL_BATCH)}; leave out {listed(wrong)}."
            )
        if settings.warmup >= settings.epochs:
            raise InputError(f"warmup is {settings.warmup} of {settings.epochs} epochs; it must be fewer than epochs.")
        if settings.monitor is not None and settings.patience is None:
            raise InputError("monitor is the figure that early stopping watches; it needs patience too.")
        return settings

    @property
    def full_batch(self) -> bool:
        """Whether the optimizer takes all samples in each step."""
        return self.optimizer in FULL_BATCH

    @property
    def not_with_full_batch(self) -> list[str]:
        """The options that are asked for and that such an optimizer does not have."""
        own = ("optimizer", "seed", *WITH_FULL_BATCH)
        return [name for name, row in OPTIONS.items() if name not in own and getattr(self, name) != row.default]

    @property
    def of_pictures(self) -> list[str]:
        """The options that are asked for and that only pictures can have."""
        return [name for name in PICTURES if getattr(self, name)]

    def check(self, network: Any, labels: np.ndarray, validated: bool) -> None:
        """Raises InputError where the settings do not suit the network, the labels of the training samples, or that
        there are (``validated``) validation data or none."""
        n, recorded = len(labels), ["loss", *(["accuracy"] if network.target in RIGHT else [])]
        if validated:
            recorded += ["val_loss", *(f"val_{name}" for name in NAMES[network.target])]
        if self.full_batch and network.normalizer:
            raise InputError(
                f"{self.optimizer} wants the same loss each time, and batch normalization gives another for each "
                "batch; normalization must be none."
            )
        if self.batch_size > n and not self.full_batch:
            raise InputError(
                f"batch_size is {self.batch_size}, more than the {n} training samples; it must be 1 to {n}."
            )
        if network.normalizer and 1 in (self.batch_size, n % self.batch_size):
            raise InputError(
                f"batch_size is {self.batch_size}, which leaves one of the {n} training samples alone; batch "
                "normalization needs at least two in a batch."
            )
        if self.label_smoothing and (network.loss, network.output) != ("cross_entropy", "softmax"):
            raise InputError(
                "label_smoothing is for the loss cross_entropy of softmax; it must be 0 with another loss or output."
            )
        mixing = next((name for name in ("mixup", "cutmix") if getattr(self, name)), None)
        if mixing and network.target != "class":
            raise InputError(f"{mixing} mixes the targets of classes; it must be 0 where the network says others.")
        if self.freeze >= network.L:
            raise InputError(f"freeze is {self.freeze!r}; it must be a number of layers from 0 to {network.L - 1}.")
        if self.monitor not in (None, *recorded):
            raise unknown("figure to monitor", self.monitor, recorded)
        if network.target == "class" and (labels == labels[0]).all():
            raise InputError(f"y holds the one class {labels[0]}; training needs samples of at least two.")

    def rate(self, steps: int) -> Callable[[int], float]:
        """The learning rate of a step, by its number from 0, where an epoch has so many ``steps``."""
        factor = warm_up(SCHEDULES[self.schedule], self.warmup)
        return lambda step: self.learning_rate * factor((step + 0.5) / steps, self.epochs)


#: optimizers that take all samples in each step, and are no rule of the table: see `muslin.training.lbfgs`
FULL_BATCH = ("lbfgs",)
#: the options that go with them
WITH_FULL_BATCH = ("epochs", "weight_decay", "patience", "monitor", "diagnostics")
#: the options that change pictures while they are gathered
PICTURES = ("flip", "shift", "zoom", "rotate", "shear", "elastic", "mixup", "cutmix")

#: name → row of `TrainingSettings`
OPTIONS: dict[str, Field[Any]] = {row.name: row for row in fields(TrainingSettings) if row.default is not MISSING}


def _checked(name: str, row: Field[Any], value: Any) -> Any:
    """The value in the type of its row."""
    rule = row.metadata["rule"]
    if not rule.allows(value):
        raise InputError(f"{name} is {value!r}; it must be {rule.words}.")
    for kind in (int, float):
        if row.type in (kind, kind | None):
            return None if value is None else kind(value)
    return value


def _hyperparameters(optimizer: str, optimizers: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    own = hyperparameters_of(optimizer, optimizers)
    if missing := [name for name, default in own.items() if default is None and name not in values]:
        raise InputError(f"The optimizer {optimizer} needs {', '.join(missing)}, which has no default.")
    for name, value in values.items():
        if name not in own:
            takes = f"takes {', '.join(own)}" if own else "has no hyperparameters"
            raise InputError(f"fit has no setting {name!r}, and the optimizer {optimizer} {takes}.")
        rule = rule_of(name)
        if not rule.allows(value):
            raise InputError(f"{name} is {value!r}; it must be {rule.words}.")
    return own | {name: float(value) for name, value in values.items()}


def hyperparameters_of(optimizer: str, optimizers: Mapping[str, Any]) -> dict[str, float | None]:
    """{name: default} of the optimizer's own scalars."""
    return {} if optimizer in FULL_BATCH else hyperparameters(optimizers[optimizer])


def rule_of(hyperparameter: str) -> Rule:
    """What a hyperparameter of an optimizer must be, by its name."""
    return BELOW_1 if hyperparameter.startswith(("beta", "momentum")) else FROM_0


def takes_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function, whose last argument is ``**options``, the signature and the help of all options."""
    *own, _ = inspect.signature(function).parameters.values()
    place = next(i for i, p in enumerate(own) if p.kind is p.KEYWORD_ONLY)
    own[place:place] = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=row.default, annotation=row.type)
        for name, row in OPTIONS.items()
    ]
    rest = inspect.Parameter("hyperparameters", inspect.Parameter.VAR_KEYWORD, annotation=float)
    function.__signature__ = inspect.signature(function).replace(parameters=[*own, rest])  # type: ignore[attr-defined]
    text = "\n".join(f"    {name:<17} {row.metadata['help']}{default(row)}" for name, row in OPTIONS.items())
    function.__doc__ = (function.__doc__ or "").replace("    {options}", text)
    return function


def default(row: Field[Any]) -> str:
    return "" if row.default is None else f" (default {row.default})"
