"""Hyperparameters and metrics by the names that course projects and other libraries give them → ours.

A name is taken apart into words, at its signs and capitals and where known words meet; each word goes to its root
(neurons → unit, initialisation → init); words that say nothing there, such as num or function, go; what is left is
looked up in any order. The values' spellings, such as MGD for momentum, are runs/settings.py's.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeAlias

from muslin.errors import InputError
from muslin.runs.settings import CHOICES, Settings, letters
from muslin.sweeps.file.schema import Sweep

#: root → words that mean it, in the singular. A word that is nobody's is its own root.
ROOTS = {
    "hidden": "hid fc dense",
    "unit": "neuron node",
    "size": "dim dimension width",
    "weight": "w",
    "init": "initial initialize initializer initialization",
    "activation": "act activ nonlinearity",
    "optimizer": "optim opt optimize optimization solver",
    "learning": "learn",
    "lr": "eta",
    "rate": "prob probability fraction ratio split share",
    "reg": "regularize regularizer regularization regpara",
    "lambda": "lambd lamda lamb lam",
    "batch": "minibatch bs",
    "epoch": "ep",
    "dropout": "drop",
    "epsilon": "eps",
    "loss": "criterion",
    "schedule": "scheduler",
    "smoothing": "smooth",
    "gradient": "grad",
    "clip": "clipping",
    "val": "valid validation",
    "train": "training",
    "accuracy": "acc",
    "input": "inp",
}

#: setting → names of it, beside its own; the words that `FILLERS` has for its kind are left out
NAMES = {
    "validation": ("val rate", "val size"),
    "hidden_layers": ("layer", "hidden", "hl", "nhl", "depth"),
    "hidden_size": (
        "hidden layer size",
        "layer size",
        "unit",
        "hidden unit",
        "layer unit",
        "hidden layer unit",
        "hl size",
        "hl unit",
        "hn",
        "sz",
        "size",
    ),
    "activation": ("hidden activation", "layer activation", "hidden layer activation"),
    "initializer": ("init", "weight init", "weight i", "weight bias init"),
    "loss": ("loss criterion",),
    "learning_rate": ("lr", "learning", "lr init", "lr rate", "learning rate init", "step size"),
    "schedule": ("lr schedule", "learning rate schedule"),
    "warmup": ("warmup epoch",),
    "batch_size": ("batch",),
    "epochs": ("train epoch",),
    "weight_decay": (
        "decay",
        "wd",
        "weight d",
        "l2",
        "l2 reg",
        "l2 lambda",
        "l2 norm",
        "l2 penalty",
        "l2 reg lambda",
        "l2 weight decay",
        "reg",
        "reg lambda",
        "lambda",
    ),
    "dropout": ("dropout rate",),
    "clip_norm": ("gradient clip", "gradient norm", "gradient clip norm"),
    "patience": ("early stopping patience",),
    "seed": ("random seed", "random state"),
}

#: what a reading of these is, is a guess, and is said
GUESSES = {frozenset(name.split()) for name in ("decay", "hidden", "size", "step size")}

COUNTS = {"hidden_layers", "hidden_size", "epochs", "warmup", "patience", "threads"}
#: words that say nothing: anywhere; in the name of a count, of a choice from a list, of another number
ANYWHERE = "the of in each per for a all by used max maximum mini"
FILLERS = {
    "count": "n nb no nr num number count total amount",
    "choice": "function func fn f type name method mode strategy technique scheme algorithm algo choice kind",
    "number": "value parameter param coefficient coeff coef factor strength term",
}

#: what the course's programs take beside hyperparameters; it is passed over
BESIDE = ("wandb project", "wandb entity", "project name", "project", "entity")
#: what the data set says here; a constant is passed over, and that is said
OF_THE_DATA = ("input", "output", "input size", "output size", "input unit", "output unit", "class", "class size")

MEASURES = ("accuracy", "loss")
OF_A_METRIC = "avg average mean epoch best final last highest lowest min per set score value overall"
METRICS = {
    frozenset({*part.split(), measure}): f"{ours}{measure}"
    for measure in MEASURES
    for part, ours in (("val", "val_"), ("train", ""), ("", ""))
}


Roots: TypeAlias = frozenset[str]

WORDS = {word: root for root, words in ROOTS.items() for word in (root, *words.split())}
WORDS |= {word: word for word in " ".join((ANYWHERE, OF_A_METRIC, *FILLERS.values())).split()}


def root(word: str) -> str | None:
    """The root of a word, in the singular or the plural, in British or American spelling; None of one not known."""
    word = re.sub(r"is(?=(e|er|ed|ation|ing)$)", "iz", word)
    ends = (word, *(word.removesuffix(end) for end in ("s", "es") if word.endswith(end) and len(word) > 3))
    return next((WORDS[end] for end in ends if end in WORDS), None)


for name in (*(other for names in (*NAMES.values(), BESIDE, OF_THE_DATA) for other in names), *Settings.model_fields):
    WORDS |= {word: word for word in name.replace("_", " ").split() if root(word) is None}


@cache
def taken_apart(joined: str) -> tuple[str, ...] | None:
    """The fewest known words, of at least two letters, that make up these letters; None if there are none."""
    if known := root(joined):
        return (known,)
    cuts = ((root(joined[:i]), i) for i in range(2, len(joined) - 1))
    ways = ((first, *rest) for first, i in cuts if first and (rest := taken_apart(joined[i:])))
    return min(ways, key=len, default=None)


def parts(name: str) -> list[str]:
    """hiddenLayer_sizes → hidden, layer, sizes"""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+", str(name)[:100])]


def roots(name: str) -> Roots | None:
    """The roots of a name's words; None where a word is not known."""
    by_part = [taken_apart(part) for part in parts(name)]
    known = [words for words in by_part if words]
    if len(known) < len(by_part):
        known = [words for words in [taken_apart(letters(name)[:100])] if words]
    return _joined(known) if known else None


def _joined(words: Iterable[Iterable[str]]) -> Roots:
    return frozenset(r for some in words for r in some) - {*ANYWHERE.split()}


def _kind(setting: str) -> str:
    return "choice" if setting in CHOICES or setting == "dataset" else "count" if setting in COUNTS else "number"


#: roots → setting
SETTINGS = {roots(name): name for name in Settings.model_fields}  # "drop rate" is the dropout, which stands below drop
SETTINGS |= {frozenset(other.split()): name for name, others in NAMES.items() for other in others}
PASSED_OVER = {frozenset(name.split()) for name in BESIDE}
SAID_BY_DATA = {frozenset(name.split()) for name in OF_THE_DATA}


def _without(words: Roots, kind: str) -> Roots:
    return words - {*FILLERS[kind].split()} or words


@cache
def reading(name: str) -> tuple[str | None, bool]:
    """(our name of a hyperparameter, whether that is sure); (None, True) of one that is passed over.

    Raises InputError, with the nearest.
    """
    if (own := str(name).lower().replace("-", "_")) in Settings.model_fields:
        return own, True
    words = roots(name)
    if words in PASSED_OVER or is_of_the_data(name):
        return None, True
    setting = _looked_up(words) if words else None
    if setting is None or words is None:
        raise _unknown("hyperparameter", name, sorted(Settings.model_fields), _looked_up)
    return setting, _without(words, _kind(setting)) not in GUESSES


def _looked_up(words: Roots) -> str | None:
    for kind in FILLERS:
        setting = SETTINGS.get(words) or SETTINGS.get(_without(words, kind))
        if setting and (words in SETTINGS or _kind(setting) == kind):
            return setting
    return None


def setting(name: str) -> str | None:
    """Our name of a hyperparameter, None of what is passed over. Raises InputError, with the nearest."""
    return reading(name)[0]


@cache
def metric(name: str) -> str:
    """The key of a run's history that a metric's name means. Raises InputError, with the nearest."""
    words = roots(name)
    key = _measured(words) if words else None
    if key is None:
        raise _unknown("metric", name, sorted(METRICS.values()), _measured)
    return key


def _measured(words: Roots) -> str | None:
    return METRICS.get(words - {*OF_A_METRIC.split()})


class UnknownName(InputError):
    """``near``: what of ours may be meant; None if nothing is near."""

    def __init__(self, message: str, near: str | None):
        super().__init__(message)
        self.near = near


def _unknown(kind: str, name: str, ours: list[str], look_up: Callable[[Roots], str | None]) -> UnknownName:
    near = _nearest(name, look_up) or next(iter(get_close_matches(letters(name), ours, n=1)), None)
    hint = f" Did you mean {near!r}?" if near else ""
    known = ", ".join(dict.fromkeys(ours))
    return UnknownName(f"Unknown {kind} {str(name)[:100]!r}; choose from {known}.{hint}", near)


def _nearest(name: str, look_up: Callable[[Roots], str | None]) -> str | None:
    """What the name means if each word that is not known is the most similar one that is."""
    near = [
        taken_apart(part) or [WORDS[w] for w in get_close_matches(part, WORDS, n=1, cutoff=0.75)]
        for part in parts(name)
    ]
    return look_up(_joined(near)) if all(near) else None


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration, with groups or without, as an argument of `Settings.read`.

    Raises InputError for a name that is unknown, or that means the same as another one.
    """
    values: dict[str, Any] = {}
    named: dict[str, str] = {}
    for name, value in _flat(config):
        key = setting(name)
        if key in values:
            raise InputError(f"{named[key]} and {name} both mean {key}; give one of them.")
        if key is not None:
            values[key], named[key] = value, name
    return values


def fixed(sweep: Sweep) -> Settings:
    """The settings that a sweep's file gives a single value; what it searches has our default."""
    return Settings.read(settings({leaf.path[-1]: leaf(0.5) for leaf in sweep.space.leaves if leaf.constant}))


def is_of_the_data(name: str) -> bool:
    """Whether a hyperparameter's name is of what the data set says."""
    words = roots(name)
    return words is not None and words not in SETTINGS and _without(words, "count") in SAID_BY_DATA


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value
