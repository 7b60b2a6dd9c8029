"""Resuming: 4 epochs are 2, an interruption, and 2 more, bit for bit; checkpoints that do not fit are refused."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.optimizers import OPTIMIZERS
from muslin.training import Callback

N = 50
X = np.random.default_rng(1).standard_normal((N, 5)).astype(np.float32)
y = (X @ np.random.default_rng(2).standard_normal((5, 3))).argmax(axis=1)

#: everything that a resumed run could get wrong
SETTINGS = {
    "epochs": 4,
    "batch_size": 8,
    "learning_rate": 0.02,
    "schedule": "cosine",
    "warmup": 0.7,
    "dropout": 0.2,
    "weight_decay": 0.01,
    "clip_norm": 0.5,
    "label_smoothing": 0.1,
    "patience": 3,
    "diagnostics": True,
    "validation_data": (X[::3], y[::3]),
}


def small(**settings):
    return FeedForwardNeuralNetwork(**{"sizes": [5, 6, 4, 3], "activation": "gelu"} | settings)


class Interrupt(Callback):
    """Ctrl-C in the middle of the third epoch."""

    def on_step(self, state, samples, loss, correct):
        if state.step == 2 * 7 + 3:
            raise KeyboardInterrupt


def figures(history):
    return [{name: value for name, value in row.items() if "second" not in name} for row in history]


def compare(network, history, other, other_history):
    np.testing.assert_array_equal(network.theta, other.theta)
    assert figures(history) == figures(other_history)


def interrupted(path, network=None, **settings):
    with pytest.raises(KeyboardInterrupt):
        (network or small()).fit(X, y, checkpoint=path, callbacks=[Interrupt()], **SETTINGS | settings)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_four_epochs_are_two_and_two(tmp_path, optimizer, engine):
    path, settings = tmp_path / "a.safetensors", SETTINGS | {"optimizer": optimizer}
    whole, parts = small(engine=engine), small(engine=engine)
    history = whole.fit(X, y, **settings)
    interrupted(path, small(engine=engine), optimizer=optimizer)
    compare(whole, history, parts, parts.fit(X, y, checkpoint=path, resume=True, **settings))


KILLED = """
import numpy as np
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_resume import SETTINGS, X, y, Interrupt, small

class Kill(Interrupt):
    def on_step(self, *step):
        try:
            super().on_step(*step)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGKILL)

small().fit(X, y, checkpoint=sys.argv[2], callbacks=[Kill()], **SETTINGS)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a system without SIGKILL")
def test_a_killed_process_is_resumed(tmp_path):
    path, whole, parts = tmp_path / "a.safetensors", small(), small()
    found = subprocess.run([sys.executable, "-c", KILLED, os.path.dirname(__file__), str(path)])
    assert found.returncode == -signal.SIGKILL
    history = whole.fit(X, y, **SETTINGS)
    compare(whole, history, parts, parts.fit(X, y, checkpoint=path, resume=True, **SETTINGS))


def test_more_epochs_are_the_same_as_so_many_at_once(tmp_path):
    path, whole, parts = tmp_path / "a.safetensors", small(), small()
    parts.fit(X, y, epochs=2, checkpoint=path)
    history = whole.fit(X, y, epochs=5)
    compare(whole, history, parts, parts.fit(X, y, epochs=5, checkpoint=path, resume=True))


def test_resuming_what_is_finished_changes_nothing(tmp_path):
    path, whole, again = tmp_path / "a.safetensors", small(), small()
    history = whole.fit(X, y, checkpoint=path, **SETTINGS)
    compare(whole, history, again, again.fit(X, y, checkpoint=path, resume=True, **SETTINGS))


def test_resuming_what_stopped_early_stays_stopped(tmp_path):
    path, whole, again = tmp_path / "a.safetensors", small(), small()
    settings = SETTINGS | {"epochs": 50, "patience": 2, "schedule": "constant", "learning_rate": 0.5}
    history = whole.fit(X, y, checkpoint=path, **settings)
    assert len(history) < 50
    compare(whole, history, again, again.fit(X, y, checkpoint=path, resume=True, **settings))


def test_without_resume_a_checkpoint_is_written_anew(tmp_path):
    path, network = tmp_path / "a.safetensors", small()
    network.fit(X, y, epochs=3, checkpoint=path)
    again = small()
    assert len(again.fit(X, y, epochs=2, checkpoint=path)) == 2
    assert load_file(path)["theta"].tolist() == again.theta.tolist()
    assert list(tmp_path.iterdir()) == [path]


def test_parameters_are_still_views_after_resuming(tmp_path):
    path, network = tmp_path / "a.safetensors", small()
    interrupted(path)
    network.fit(X, y, checkpoint=path, resume=True, **SETTINGS)
    assert all(np.shares_memory(W, network.theta) for W in network.weights.values())


@pytest.mark.parametrize(
    ("name", "settings", "fit"),
    [
        ("sizes", {"sizes": [5, 4, 6, 3]}, {}),
        ("activation", {"activation": "silu"}, {}),
        ("loss", {"loss": "mean_squared_error"}, {"label_smoothing": 0}),
        ("seed", {"seed": 1}, {}),
        ("dtype", {"dtype": np.float64}, {}),
        ("optimizer", {}, {"optimizer": "adamw"}),
    ],
)
def test_the_checkpoint_of_another_run(tmp_path, name, settings, fit):
    path, network = tmp_path / "a.safetensors", small(**settings)
    interrupted(path)
    before = network.theta.copy()
    with pytest.raises(InputError, match=f"{name}.*cannot") as caught:
        network.fit(X, y, checkpoint=path, resume=True, **SETTINGS | fit)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(network.theta, before)


def test_names_in_any_case_are_the_same_run(tmp_path):
    interrupted(tmp_path / "a")
    small(activation="GELU").fit(X, y, optimizer="Adam", checkpoint=tmp_path / "a", resume=True, **SETTINGS)


def metadata(**changes):
    state = {"optimizer": "adam", "epoch": 1, "step": 7, "history": [], "stopped": None}
    return {"network": json.dumps(small().config), "state": json.dumps(state)} | changes


def vectors(*but):
    return {name: small().theta for name in {"theta", "slot.m", "slot.v"} - {*but}}


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("epoch,loss\n1,0.5\n"),
    "missing": lambda path: path.unlink(),
    "model": lambda path: small().save(path),
    "no state": lambda path: save_file(vectors(), path, metadata=metadata(state="{}")),
    "state a list": lambda path: save_file(vectors(), path, metadata=metadata(state="[]")),
    "no JSON": lambda path: save_file(vectors(), path, metadata=metadata(network="{")),
    "no theta": lambda path: save_file(vectors("theta"), path, metadata=metadata()),
    "no slot": lambda path: save_file(vectors("slot.v"), path, metadata=metadata()),
    "short": lambda path: save_file(vectors() | {"theta": np.ones(1, np.float32)}, path, metadata=metadata()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_checkpoint(tmp_path, damage):
    path, network = tmp_path / "a.safetensors", small()
    interrupted(path)
    DAMAGE[damage](path)
    before = network.theta.copy()
    with pytest.raises(InputError) as caught:
        network.fit(X, y, checkpoint=path, resume=True, **SETTINGS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(network.theta, before)
