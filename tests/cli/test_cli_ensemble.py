"""muslin ensemble: a run of its own, in every command that takes a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from toys import bars, table

from muslin.runs import Run

NETWORK = ("-a", "relu", "--hidden-layers", "1", "--hidden-size", "8", "-e", "3", "-b", "16", "--engine", "numpy")


@pytest.fixture
def two(muslin, toy):
    """Two runs on the toy data; the second was trained on moved and mirrored pictures."""
    for name, more in (("a", ()), ("b", ("--shift", 1, "--flip", 0.5))):
        assert muslin("train", "-d", toy, *NETWORK, "--name", name, "--validation", 0.2, *more).code == 0
    return ["runs/a", "runs/b"]


def test_a_run_of_its_own(muslin, two):
    code, out, err = muslin("ensemble", *two, "--views", "--evaluate", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["members"] == [{"run": "runs/a", "views": 1}, {"run": "runs/b", "views": 10}]
    X, y = bars(30, 1)
    ensemble = Run(Path(told["run"])).model
    assert told["test_accuracy"] == (ensemble.predict(X.reshape(30, -1)) == y).mean()
    assert json.loads(muslin("evaluate", told["run"], "--json").out)["test_accuracy"] == told["test_accuracy"]
    Image.fromarray(X[0]).save("0.png")
    said = json.loads(muslin("predict", told["run"], "0.png", "--json").out)["predictions"][0]
    assert said["probability"] == pytest.approx(ensemble.predict_proba(X[:1].reshape(1, -1)).max(), abs=0.02)
    rows = json.loads(muslin("compare", *two, told["run"], "--json").out)["runs"]
    assert [row["state"] for row in rows] == ["finished"] * 3
    assert json.loads(muslin("report", told["run"], "--json").out)["report"] == "runs/ensemble/report.html"
    page = (Run(Path(told["run"])).path / "report.html").read_text()
    assert "the mean of 2 networks" in page
    assert "muslin ensemble runs/a runs/b --views" in page
    assert muslin("export", told["run"]).code == 0
    shutil.rmtree("runs/a")
    assert muslin("evaluate", told["run"]).code == 0


def test_for_a_person(muslin, two):
    code, out, err = muslin("ensemble", *two, "--temperature", "1.5", "--name", "x")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == ["member     runs/a", "member     runs/b", "divided    A of the output by a temperature of 1.5"]
    assert [line.split()[0] for line in lines[3:]] == ["before", "validation", "run"]
    assert "calibration error" in lines[4]
    assert lines[-1] == "run        runs/x"
    assert muslin("ensemble", *two, "--name", "x").code == 2
    assert muslin("ensemble", *two).out.splitlines()[-1] == "run        runs/ensemble"
    assert muslin("ensemble", *two).out.splitlines()[-1] == "run        runs/ensemble-2"


def test_a_temperature_is_fitted_on_what_no_member_was_trained_on(muslin, toy):
    for name, *more in (("a", "-e", 1), ("b", "-e", 1, "--seed", 1), ("c", "-e", 1, "--validation", 0)):
        assert muslin("train", "-d", toy, *NETWORK, "-b", 8, "--validation", 105, "--name", name, *more).code == 0
    alone = json.loads(muslin("ensemble", "runs/a", "--temperature", "fit", "--json").out)
    run, ensemble = Run(Path("runs/a")), Run(Path(alone["run"]))
    assert alone["val_accuracy"] == alone["val_accuracy_before"] == run.summary["val_accuracy"]
    assert alone["val_loss"] < alone["val_loss_before"] == pytest.approx(run.summary["val_loss"], rel=1e-5)
    ratio = run.model.weights[2] / ensemble.model.members[0].weights[2]
    np.testing.assert_allclose(ratio, alone["temperature"], rtol=1e-5)
    assert ensemble.settings.validation == 105
    code, _, err = muslin("ensemble", "runs/a", "runs/b", "--temperature", "fit")
    assert (code, err.count("\n")) == (2, 1)
    assert " in common; give a number" in err
    both = json.loads(muslin("ensemble", "runs/a", "runs/b", "--json").out)
    assert "val_loss" in both
    assert Run(Path(both["run"])).settings.validation == 0
    assert "have 0 in common" in muslin("ensemble", "runs/c", "--temperature", "fit").err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs/a", "--temperature", "0"], "--temperature is '0'; it must be fit, or a number from 0.05 to 20."),
        (["runs/a", "--temperature", "nan"], "--temperature is 'nan'; it must be fit, or a number from 0.05 to 20."),
        (["runs/a", "--views"], "None of these runs was trained on mirrored or moved pictures"),
        (["runs/a", "runs/none"], "There is no run directory runs/none."),
        (["runs/a", "runs/e"], "runs/e is an ensemble, of runs/a and runs/b; this is done with one network."),
    ],
)
def test_what_cannot_be(muslin, two, arguments, sentence):
    assert muslin("ensemble", *two, "--name", "e").code == 0
    code, out, err = muslin("ensemble", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_commands_for_one_network(muslin, two, toy):
    assert muslin("ensemble", *two, "--name", "e").code == 0
    for line in (
        ["playground", "runs/e"],
        ["export", "runs/e", "--to", "torch"],
        ["transfer", "runs/e", "--to", toy],
        ["train", "--resume", "runs/e"],
        ["train", "--resume", "runs/e", "--epochs", 9],
    ):
        code, _, err = muslin(*line)
        assert (code, err.count("\n")) == (2, 1), line
        assert "runs/e is an ensemble" in err
    (Run(Path("runs/e")).path / "summary.json").unlink()
    code, _, err = muslin("evaluate", "runs/e")
    assert (code, err) == (2, "muslin: runs/e was not made to its end; remove it, and make the ensemble again.\n")


def test_other_data(muslin, two, toy):
    with np.load(toy) as file:
        arrays = dict(file) | {"X": file["X"][::-1]}
    np.savez("other.npz", **arrays)
    assert muslin("train", "-d", "other.npz", *NETWORK, "--name", "other").code == 0
    code, _, err = muslin("ensemble", "runs/a", "runs/other")
    assert (code, err) == (2, "muslin: runs/a and runs/other were trained on different data.\n")


@pytest.mark.parametrize(("target", "drop"), [("kind", "size"), ("size", "kind")])
def test_of_a_table(muslin, alone, target, drop):
    table().to_csv("t.csv", index=False)
    table(30, 1).to_csv("new.csv", index=False)
    for seed in (1, 2):
        data = ("-d", "t.csv", "--target", target, "--drop", drop, "--seed", seed, "--name", seed)
        assert muslin("train", *data, *NETWORK).code == 0
        assert muslin("predict", f"runs/{seed}", "new.csv", "--out", f"{seed}.csv").code == 0
    assert muslin("ensemble", "runs/1", "runs/2", "--evaluate").code == 0
    assert muslin("predict", "runs/ensemble", "new.csv", "--out", "both.csv").code == 0
    first, second, both = (pd.read_csv(name) for name in ("1.csv", "2.csv", "both.csv"))
    column = "probability of large" if target == "kind" else "predicted size"
    np.testing.assert_allclose(both[column], (first[column] + second[column]) / 2, rtol=1e-4)
    assert muslin("report", "runs/ensemble").code == 0
    if target == "size":
        assert "which are no probabilities" in muslin("ensemble", "runs/1", "--temperature", "2").err
