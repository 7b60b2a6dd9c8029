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


#: option → another value of it than SETTINGS has
OTHERS = {"batch_size": 7, "learning_rate": 0.5, "seed": 9, "dropout": 0.5, "shuffle": False, "clip_norm": 3.0}


@pytest.mark.parametrize("name", OTHERS)
def test_an_option_that_differs_is_named(tmp_path, name):
    path = tmp_path / "a.safetensors"
    interrupted(path)
    with pytest.raises(InputError, match=rf"is of a run with {name} .*, not {OTHERS[name]}; it cannot go"):
        small().fit(X, y, checkpoint=path, resume=True, **SETTINGS | {name: OTHERS[name]})


def test_a_hyperparameter_that_differs_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    small().fit(X, y, epochs=2, beta1=0.8, checkpoint=path)
    with pytest.raises(InputError, match=r"with hyperparameters .*'beta1': 0.8.*, not .*'beta1': 0.9"):
        small().fit(X, y, epochs=3, checkpoint=path, resume=True)
    small().fit(X, y, epochs=3, beta1=0.8, beta2=0.999, checkpoint=path, resume=True)  # 0.999 is its default


def test_all_that_differs_is_named(tmp_path):
    path, other = tmp_path / "a.safetensors", np.roll(y, 1)
    small().fit(X, y, epochs=2, checkpoint=path)
    with pytest.raises(InputError, match=r"seed 0, not 3, batch_size 32, not 16 and other y; it cannot go on"):
        small().fit(X, other, epochs=4, batch_size=16, seed=3, checkpoint=path, resume=True)


DATA = {
    "X": {"X": X * 0.5},
    "y": {"y": np.roll(y, 1)},
    "rows": {"rows": np.arange(len(X) - 1)},
    "validation X": {"validation_data": (X * 0.5, y)},
    "validation y": {"validation_data": (X, np.roll(y, 1))},
    "validation rows": {"validation_data": (X, y, [0, 1, 2])},
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_differ_are_named(tmp_path, name):
    path, data = tmp_path / "a.safetensors", {"X": X, "y": y, "validation_data": (X, y)}
    small().fit(**data, epochs=2, checkpoint=path)
    with pytest.raises(InputError, match=rf"with other {name}; it cannot go on here"):
        small().fit(**data | DATA[name], epochs=3, checkpoint=path, resume=True)


def test_the_same_data_of_other_types_of_integer(tmp_path):
    path = tmp_path / "a.safetensors"
    small().fit(X, y.astype(np.uint8), epochs=2, checkpoint=path)
    small().fit(X, y.astype(np.int64), epochs=3, rows=np.arange(len(X)), checkpoint=path, resume=True)


def test_fewer_epochs_than_are_done(tmp_path):
    path = tmp_path / "a.safetensors"
    small().fit(X, y, epochs=3, checkpoint=path)
    with pytest.raises(InputError, match=r"a.safetensors has 3 epochs; epochs is 2, it must be at least as many"):
        small().fit(X, y, epochs=2, checkpoint=path, resume=True)


NOISE = {"epochs": 60, "learning_rate": 0.05, "validation_data": (X, np.roll(y, 3))}


@pytest.mark.parametrize("patience", [6, None])
def test_after_an_early_stop_more_patience_goes_on_as_if_it_had_had_it(tmp_path, patience):
    path, whole, parts = tmp_path / "a.safetensors", small(), small()
    stopped = len(parts.fit(X, y, patience=2, checkpoint=path, **NOISE))
    history = whole.fit(X, y, patience=patience, **NOISE)
    assert stopped < len(history)
    compare(whole, history, parts, parts.fit(X, y, patience=patience, checkpoint=path, resume=True, **NOISE))


def test_less_patience_stops_at_once_at_the_best_epoch(tmp_path):
    path, whole, parts = tmp_path / "a.safetensors", small(), small()
    history = whole.fit(X, y, patience=6, checkpoint=path, **NOISE)
    assert len(parts.fit(X, y, patience=2, checkpoint=path, resume=True, **NOISE)) == len(history)
    np.testing.assert_array_equal(parts.theta, whole.theta)


def test_patience_from_the_middle_on_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    small().fit(X, y, checkpoint=path, **NOISE | {"epochs": 3})
    with pytest.raises(InputError, match="patience None, not 2"):
        small().fit(X, y, patience=2, checkpoint=path, resume=True, **NOISE)
