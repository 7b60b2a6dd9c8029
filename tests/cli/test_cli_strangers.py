"""What others put into names and files reaches neither the terminal raw nor a folder that was not meant; what cannot be
written is shown all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toys import bars, files

from muslin.cli import study
from muslin.runs import Run

RED = "\x1b[31mred\x07\x9b2J\u202e"
TWICE = """
import time
from muslin.cli import exit_codes
with exit_codes():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("stopping", flush=True)
        time.sleep(60)
"""
IMPORTING = """
import os, signal, sys
class Press:
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
from muslin.cli import main
main(["evaluate", {run!r}])
"""


def raw(text):
    return [c for c in text if c in RED and not c.isprintable()]


@pytest.fixture
def hostile(alone):
    (X, y), (X_test, y_test) = bars(60, 0), bars(30, 1)
    names = np.array([RED, "a\nb", "[bold]c"])
    np.savez(alone / "hostile.npz", X=X, y=y, X_test=X_test, y_test=y_test, class_names=names)
    return "hostile.npz"


def test_escape_sequences_of_others_are_shown_and_not_sent(hostile, muslin):
    commands = [
        ("data", hostile),
        ("train", "-d", hostile, "-b", "8", "-e", "1", "--engine", "numpy", "--name", "x", "--evaluate"),
        ("evaluate", "runs/x"),
        ("compare", "runs/x", "--all"),
        ("data", RED),
        ("train", "-d", RED),
        ("train", f"--{RED}"),
        (RED,),
        ("evaluate", RED),
        ("train", "-d", hostile, "--optimizer", RED),
        ("train", "-d", hostile, "--monitor", RED, "--patience", "3"),
    ]
    shown = 0
    for command in commands:
        _, out, err = muslin(*command)
        assert not raw(out + err), command
        shown += "\\x1b[31mred" in out + err
    assert shown >= 7
    told = muslin("data", hostile, "--json").out
    assert not raw(told)
    assert RED in json.loads(told)["classes"]


@pytest.mark.parametrize("name", ["../../x", "/tmp/muslin_outside", "a/../../b"])
def test_the_results_of_a_transfer_stay_in_runs_dir(name, finished, toy, muslin, alone):
    np.savez(alone / "other.npz", **np.load(toy))
    few = ["--fraction", "1", "--seeds", "1", "--epochs", "1", "--min-steps", "1"]
    code, out, _ = muslin("transfer", finished.path, "--to", "other.npz", *few, "--name", name, "--json")
    assert code == 0
    (folder,) = (alone / "runs").iterdir()
    assert json.loads(out)["folder"] == f"runs/{folder.name}"
    assert {path.name for path in alone.iterdir()} == {"other.npz", "runs"}
    assert not os.path.exists("/tmp/muslin_outside")


@pytest.mark.parametrize("name", ["../../x", "/tmp/muslin_outside"])
def test_those_of_a_study_too(name, muslin, alone, monkeypatch):
    places = []
    monkeypatch.setattr(study, "_conduct", lambda chosen, given, seeds, path, who: places.append(path))
    monkeypatch.setattr(study.study, "record", lambda *arguments: {})
    assert muslin("study", "loss", "--name", name, "--json").code == 0
    assert [place.parent for place in places] == [Path("runs")]


@pytest.fixture
def archive(copy, monkeypatch):
    """A run that cannot be written to, not even by root."""
    access = os.access

    def locked(path, mode, **options):
        return access(path, mode, **options) and not (mode & os.W_OK and str(path).startswith(str(copy.path)))

    monkeypatch.setattr(os, "access", locked)
    return copy.path


def test_a_read_only_archive_can_be_looked_at(archive, muslin, alone):
    before = files(archive)
    for command in (("compare", archive), ("evaluate", archive), ("report", archive), ("playground", archive)):
        code, _, err = muslin(*command)
        assert code == 0, err
        assert files(archive) == before
        assert err == "" or f"{archive} is read-only" in err
    made = {path.name for path in (alone / "copy-pages").iterdir()}
    assert made >= {"report.html", "curves.png", "confusion_matrix.png", "playground.html"}
    assert json.loads(muslin("evaluate", archive, "--json").out)["test_accuracy"] > 0.9


def test_a_second_ctrl_c_ends_at_once():
    process = subprocess.Popen([sys.executable, "-c", TWICE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        for word in ("ready\n", "stopping\n"):
            assert process.stdout.readline() == word
            process.send_signal(2)
        assert process.wait(20) == 130
        assert process.stderr.read() == ""


LATER = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("muslin.network", "pydantic", "safetensors", "matplotlib")
]


@pytest.mark.parametrize("name", ["typer", "numpy", *LATER])
def test_ctrl_c_while_something_is_imported(name, copy):
    script = IMPORTING.format(name=name, run=str(copy.path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (130, "muslin: Interrupted.\n")


def test_the_model_of_a_hostile_run_is_no_program(copy, muslin):
    """Nothing that is read of a run is ever executed: there is no pickle in it, and NumPy is told so."""
    (copy.path / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    assert muslin("evaluate", copy.path).code == 2
    assert not os.path.exists("pwned")
    assert isinstance(Run(copy.path).config, dict)
