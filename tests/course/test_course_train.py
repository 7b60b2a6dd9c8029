"""train.py, whole: what it prints and writes, W&B or not, and as the program of a sweep."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import precision_recall_fscore_support
from toys import without_epochs

from muslin import FeedForwardNeuralNetwork, datasets, tracking
from muslin.course.train import main
from muslin.runs import Run

ROOT = Path(__file__).parents[2]
QUICK = ["-e", 2, "-b", 16, "-sz", 16, 8, "--engine", "numpy", "--tracker", "none"]
#: each of the steps by its first word
STEPS = ["trained", "accuracy", "time", "run", "picture", "test"]


def test_it_trains_and_ends_in_the_test_s_figures(called, toy, alone):
    code, out, err = called(main, "-d", toy, *QUICK)
    assert (code, without_epochs(err)) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == STEPS
    (path,) = (alone / "runs").iterdir()
    run = Run(path)
    assert path.name.startswith("hl_2_hn_16-8_opt_")
    assert run.settings.validation == 0.1

    data = datasets.load(toy)
    predicted = run.model.predict(data.X_test)
    scores = precision_recall_fscore_support(data.y_test, predicted, average="macro", zero_division=0)[:3]
    accuracy = (predicted == data.y_test).mean()
    expected = [f"{accuracy:.2%}", f"{run.summary['test_loss']:.4f}", *(f"{score:.4f}" for score in scores)]
    assert lines[-1].split() == expected
    assert (path / "confusion_matrix.png").exists()


def test_without_a_test_the_test_set_is_not_looked_at(called, toy, alone):
    code, out, _ = called(main, "-d", toy, *QUICK, "--test=False", "--runs_dir", "here", "--name", "mine")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == STEPS[:4]
    assert "test_accuracy" not in Run(alone / "here" / "mine").summary


@pytest.mark.parametrize(("path", "file"), [("new/best.npy", "new/best.npy"), (".", "model.safetensors")])
def test_the_model_is_saved_there_too(called, toy, alone, path, file):
    code, out, _ = called(main, "-d", toy, *QUICK, "--model_save_path", path, "--name", "mine")
    assert code == 0
    assert f"model      {file}\n" in out
    saved, own = FeedForwardNeuralNetwork.load(alone / file), Run(alone / "runs" / "mine").model
    np.testing.assert_array_equal(saved.theta, own.theta)


def test_a_path_that_cannot_be_written_is_said_before_training(called, toy, alone):
    (alone / "file").write_text("")
    code, out, err = called(main, "-d", toy, *QUICK, "--model_save_path", "file/model")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (alone / "runs").exists()


def test_the_same_again_is_a_run_of_its_own_and_a_name_must_be_free(called, toy, alone):
    for _ in range(2):
        assert called(main, "-d", toy, *QUICK).code == 0
    first, second = sorted((alone / "runs").iterdir())
    assert second.name == f"{first.name}-2"
    np.testing.assert_array_equal(Run(first).model.theta, Run(second).model.theta)
    code, _, err = called(main, "-d", toy, *QUICK, "--name", first.name)
    assert code == 2
    assert "choose another --name" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-e", 0], "epochs is '0'"),
        (["--tracker", "wandbb"], "Unknown tracker"),
        (["-d", "nowhere"], "Unknown data set"),
        (["--foo"], "Unrecognized arguments: --foo; see: python train.py --help"),
    ],
)
def test_what_is_wrong_is_one_line(called, alone, words, message):
    code, out, err = called(main, *QUICK, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("muslin: ")
    assert message in err
    assert [*alone.iterdir()] == []


class Recorded(tracking.Tracker):
    """What a tracker is told."""

    def __init__(self, run, data, **options):
        Recorded.told = [options]

    def on_epoch(self, state):
        Recorded.told.append(state.epoch)

    def trained(self, summary):
        Recorded.told.append("trained")

    def evaluated(self, figures, picture):
        Recorded.told.append((figures["test_accuracy"], picture.name))


def test_wandb_is_told_all(called, toy, alone, monkeypatch):
    monkeypatch.setitem(tracking.TRACKERS, "wandb", lambda: Recorded)
    monkeypatch.setattr(tracking, "check", lambda name: None)
    words = ["-d", toy, *QUICK[:-2], "--wandb_project", "myprojectname", "--wandb_entity", "myname"]
    assert called(main, *words).code == 0
    (run,) = (alone / "runs").iterdir()
    tested = (Run(run).summary["test_accuracy"], "confusion_matrix.png")
    assert Recorded.told == [{"project": "myprojectname", "entity": "myname"}, 1, 2, "trained", tested]


def test_without_wandb_there_is_the_run_directory(called, toy, alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    code, _, err = called(main, "-d", toy, *QUICK[:-2])
    assert (code, without_epochs(err).count("\n")) == (0, 1)
    assert "pip install 'muslin[wandb]'" in err
    assert len(list((alone / "runs").iterdir())) == 1


@pytest.mark.slow
def test_it_is_the_program_of_the_ready_sweep_file(python, toy, alone, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    raw = yaml.safe_load((ROOT / "sweeps" / "train_py.yaml").read_text())
    changes = {"epochs": {"value": 2}, "dataset": {"value": str(toy)}, "hidden_size": {"values": [4, [8, 4]]}}
    changes |= {"tracker": {"value": "none"}, "engine": {"value": "numpy"}, "diagnostics": {"value": True}}
    raw["parameters"] |= changes
    raw["parameters"].pop("num_layers")
    raw |= {"program": str(ROOT / raw["program"]), "run_cap": 2}
    (alone / "sweep.yaml").write_text(yaml.safe_dump(raw))

    code, out, err = python("-m", "muslin", "sweep", "sweep.yaml", "--workers", 1, "--json")
    assert (code, without_epochs(err)) == (0, "")
    found = json.loads(out)
    assert found["trials"] == {"finished": 2, "stopped_early": 0, "failed": 0}
    assert not list((alone / "runs").glob("hl_*"))
    values = []
    for trial in Path(found["sweep"]).glob("*/"):
        (run,) = map(Run, trial.glob("hl_*/"))
        args = json.loads((trial / "args.json").read_text())
        assert run.settings.hidden_size == args["hidden_size"]
        assert "test_accuracy" not in run.summary
        assert len(run.history[0]["gradient_norms"]) == run.settings.hidden_layers + 1
        values += [row["val_accuracy"] for row in run.history]
    assert len(values) == 4
    assert found["best"]["value"] == max(values)
