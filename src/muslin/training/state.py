"""The whole state of a training run, in memory and on disk."""

from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from muslin import drawings
from muslin.errors import InputError
from muslin.evidence import listed
from muslin.files import damaged, read_tensors, write_tensors


class History(list[dict[str, Any]]):
    """One dictionary an epoch; ``history["loss"]`` is the list of one figure over the epochs.

    ``engine_note``  why some or all steps were not played from tape (see `muslin.engines.player`); None if all were
    """

    engine_note: str | None = None

    def __getitem__(self, key: Any) -> Any:
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)

    def _repr_html_(self) -> str:
        """The curves that a notebook shows: loss and accuracy (or what else there is) over the epochs."""
        names = [name for name, value in self[-1].items() if isinstance(value, int | float)] if self else []
        kinds = {name: [n for n in (name, f"val_{name}") if n in names] for name in ("loss", "accuracy")}
        figures = {kind: {name: self[name] for name in both} for kind, both in kinds.items() if both}
        return drawings.curves(figures, f"{len(self)} epochs")


@dataclass
class State:
    """Everything that the next step depends on, beside the data, of which it has the fingerprints.

    ``epoch`` and ``step`` count what is done. ``slots`` are the optimizer's vectors; ``best`` the network's values to
    go back to, where early stopping keeps them; ``stopped`` the reason that a callback gave to end training;
    ``rate_factor`` what a callback multiplies the learning rate by. There is no random generator: the randomness of
    epoch e is derived from (seed, e).
    """

    network: Any
    optimizer: str
    slots: dict[str, np.ndarray]
    epoch: int = 0
    step: int = 0
    history: History = field(default_factory=History)
    best: np.ndarray | None = None
    stopped: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    rate_factor: float = 1.0

    def rate(self, rate: Callable[[int], float]) -> Callable[[int], float]:
        """The learning rate of a step, by its number from 0, of what the schedule has for it."""
        return lambda step: self.rate_factor * rate(step)

    def end_epoch(self, figures: dict[str, float], engine_note: str | None = None) -> None:
        """One epoch more, and its figures into the history; engine_note: see `History`."""
        self.epoch += 1
        self.history.append({"epoch": self.epoch} | figures)
        self.history.engine_note = engine_note


#: what a checkpoint says in words, beside its vectors
FACTS = ("optimizer", "epoch", "step", "history", "stopped", "settings", "data", "rate_factor")


def save_checkpoint(state: State, path: str | PathLike[str]) -> None:
    """Write the state to one safetensors file, whole or not at all."""
    vectors = {"theta": state.network.theta} | {f"slot.{name}": slot for name, slot in state.slots.items()}
    if (running := state.network.parameters.running).size:
        vectors["running"] = running
    if state.best is not None:
        vectors["best_theta"] = state.best
    facts = {name: getattr(state, name) for name in FACTS}
    write_tensors(path, vectors, {"network": state.network.config, "state": facts})


def load_checkpoint(state: State, path: str | PathLike[str]) -> None:
    """Read what `save_checkpoint` wrote into the state of a network of the same kind.

    Of the settings ``epochs`` may be more, and ``patience`` another or None; all else must be what it was.

    Raises InputError where the file is missing or damaged, or belongs to another network or training: what differs.
    """
    vectors, metadata = read_tensors(path, "checkpoint")
    try:
        facts, theirs = metadata["state"], metadata["network"]
        theirs = {"output": "softmax", "normalization": "none"} | theirs  # which old files have not
        theirs |= {"optimizer": facts["optimizer"]} | facts["settings"]
        ours = state.network.config | {"optimizer": state.optimizer} | state.settings
        differences = [f"{name} {theirs[name]}, not {ours[name]}" for name in ours if _differs(name, ours, theirs)]
        differences += [f"other {name}" for name, print_ in state.data.items() if facts["data"].get(name) != print_]
        if differences:
            raise InputError(f"{path} is of a run with {listed(differences)}; it cannot go on here.")
        theta, best = vectors["theta"], vectors.get("best_theta")
        parameters = state.network.parameters
        running = vectors["running"] if parameters.running.size else parameters.running
        slots = {name: vectors[f"slot.{name}"] for name in state.slots}
        alike = [(vector, parameters.theta) for vector in (theta, *slots.values())]
        alike += [(running, parameters.running), *([] if best is None else [(best, parameters.values)])]
        epoch, step, history, stopped = (facts[key] for key in ("epoch", "step", "history", "stopped"))
    except (KeyError, TypeError) as error:
        raise InputError(damaged(path, "checkpoint")) from error
    if any(theirs.shape != ours.shape for theirs, ours in alike) or not _sound(epoch, step, history, stopped):
        raise InputError(damaged(path, "checkpoint"))
    if ours.get("epochs", epoch) < epoch:
        raise InputError(f"{path} has {epoch} epochs; epochs is {ours['epochs']}, it must be at least as many.")
    parameters.theta[...], parameters.running[...] = theta, running
    for name, slot in slots.items():
        state.slots[name][...] = slot
    state.best, state.epoch, state.step = best, epoch, step
    state.rate_factor = float(facts.get("rate_factor", 1.0))
    state.history = History(history)
    state.stopped = stopped if ours.get("patience") == theirs.get("patience") else None


#: what the rows of a history have of our own, in all of them or in none; callbacks may add more
FIGURES = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "samples_per_second"}
NEEDED = {"loss", "seconds", "samples_per_second"}


def _sound(epoch: Any, step: Any, history: Any, stopped: Any) -> bool:
    """Whether these can be a state's: a row of figures for each epoch that is done, all with the same."""
    rows = history if isinstance(history, list) and all(isinstance(row, dict) for row in history) else [{}]
    return (
        all(type(count) is int and count >= 0 for count in (epoch, step))
        and [row.get("epoch") for row in rows] == list(range(1, epoch + 1))
        and all(row.keys() & FIGURES == rows[0].keys() & FIGURES >= NEEDED for row in rows)
        and isinstance(stopped, str | None)
    )


def _differs(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether the value of a setting forbids to go on."""
    if name == "epochs":
        return False
    if name == "patience" and theirs[name] is not None:  # the best parameters are kept from the start, or not at all
        return False
    return bool(ours[name] != theirs[name])
