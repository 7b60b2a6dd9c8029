"""The whole state of a training run, in memory and on disk."""

import json
from dataclasses import dataclass, field

import numpy as np

from muslin.errors import InputError
from muslin.files import atomic


class History(list):
    """One dictionary an epoch; ``history["loss"]`` is the list of one figure over the epochs."""

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


@dataclass
class State:
    """Everything that the next step depends on, beside the data and the settings.

    ``epoch`` and ``step`` count what is done. ``slots`` are the optimizer's vectors; ``best_theta`` the parameters to
    go back to, where early stopping keeps them; ``stopped`` the reason that a callback gave to end training. There is
    no random generator: the randomness of epoch e is derived from (seed, e).
    """

    network: object
    optimizer: str
    slots: dict[str, np.ndarray]
    epoch: int = 0
    step: int = 0
    history: History = field(default_factory=History)
    best_theta: np.ndarray | None = None
    stopped: str | None = None


def save_checkpoint(state, path):
    """Write the state to one safetensors file, whole or not at all."""
    from safetensors.numpy import save_file

    vectors = {"theta": state.network.theta} | {f"slot.{name}": s for name, s in state.slots.items()}
    if state.best_theta is not None:
        vectors["best_theta"] = state.best_theta
    facts = {name: getattr(state, name) for name in ("optimizer", "epoch", "step", "history", "stopped")}
    metadata = {"network": json.dumps(state.network.config), "state": json.dumps(facts)}
    with atomic(path) as temporary:
        save_file(vectors, temporary, metadata=metadata)


def load_checkpoint(state, path):
    """Read what `save_checkpoint` wrote into the state of a network of the same kind.

    Raises InputError where the file is missing or damaged, or belongs to another network or optimizer.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            network, facts = json.loads(metadata["network"]), json.loads(metadata["state"])
            vectors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise InputError(f"There is no checkpoint {path}.") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a checkpoint that muslin saved, or it is damaged ({error}).") from error
    ours = state.network.config | {"optimizer": state.optimizer}
    for name, theirs in (network | {"optimizer": facts["optimizer"]}).items():
        if ours.get(name) != theirs:
            raise InputError(f"{path} is of a run with {name} {theirs}, not {ours.get(name)}; it cannot go on here.")
    state.network.theta[...] = vectors["theta"]
    for name, slot in state.slots.items():
        slot[...] = vectors[f"slot.{name}"]
    state.best_theta = vectors.get("best_theta")
    state.epoch, state.step, state.stopped = facts["epoch"], facts["step"], facts["stopped"]
    state.history = History(facts["history"])
