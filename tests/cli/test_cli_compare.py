"""muslin compare: runs side by side, McNemar's test, the page and the picture."""

import csv
import io
import json
import shutil
from html import escape

import numpy as np
import pytest
from scipy.stats import binomtest

from muslin import datasets, runs
from muslin.files import read_json, write_json
from muslin.runs.settings import Settings


@pytest.fixture(scope="module")
def weaker(toy, tmp_path_factory):
    """A run on the same data that is wrong on some of them."""
    settings = Settings.read({"dataset": str(toy), "hidden_size": 2, "epochs": 2, "batch_size": 8, "engine": "numpy"})
    data = datasets.load(toy)
    run = runs.create(settings, data, tmp_path_factory.mktemp("weaker"), "weaker")
    runs.train(run, data)
    return run


def right(run):
    """Which test samples it has right, by its probabilities."""
    data = run.dataset()
    return run.model.predict_proba(data.X_test).argmax(axis=1) == data.y_test


def test_two_runs_are_tested(muslin, copy, weaker):
    told = json.loads(muslin("compare", copy.path, weaker.path, "--json").out)
    (test,) = told["tests"]
    one, other = right(copy), right(weaker)
    b, c = int(np.sum(one & ~other)), int(np.sum(~one & other))
    assert b > c
    assert (test["only_a"], test["only_b"], test["samples"]) == (b, c, 30)
    assert test["exact"]
    assert test["p"] == test["p_holm"] == pytest.approx(binomtest(b, b + c).pvalue)
    assert test["sentence"].startswith(f"copy is right where weaker is wrong {b} times, the other way {c} times: p ")
    assert (told["html"], told["png"]) == (None, None)


def test_for_a_person(muslin, copy, weaker):
    code, out, err = muslin("compare", copy.path, weaker.path)
    assert (code, err) == (0, "")
    assert "only A right" in out
    assert out.rstrip().splitlines()[-1].startswith("copy is right where weaker is wrong")
    assert "only A right" not in muslin("compare", copy.path, weaker.path, "--no-test").out


def test_of_several_pairs_holm_is_said(muslin, copy, weaker):
    third = shutil.copytree(weaker.path, copy.path.parent / "third")
    told = json.loads(muslin("compare", copy.path, weaker.path, third, "--json").out)
    assert [(test["a"], test["b"]) for test in told["tests"]] == [
        (str(copy.path), str(weaker.path)),
        (str(copy.path), str(third)),
        (str(weaker.path), str(third)),
    ]
    first, second, same = told["tests"]
    assert (same["only_a"], same["only_b"], same["p"], same["p_holm"]) == (0, 0, 1, 1)
    assert first["p_holm"] == second["p_holm"] == pytest.approx(min(1, 3 * first["p"]))
    assert "after Holm's correction for 3 tests" in first["sentence"]


def test_runs_of_one_name_are_told_apart(muslin, copy):
    other = shutil.copytree(copy.path, copy.path.parent / "inner" / "copy")
    told = json.loads(muslin("compare", copy.path, other, "--json").out)
    assert str(other) in told["tests"][0]["sentence"]


def test_runs_on_other_data_are_not_tested(muslin, copy, weaker):
    config = read_json(copy.path / "config.json")
    config["data_checksums"] = {"other": "00"}
    write_json(copy.path / "config.json", config)
    assert json.loads(muslin("compare", copy.path, weaker.path, "--json").out)["tests"] == []
    code, out, err = muslin("compare", copy.path, weaker.path, "--test")
    assert (code, out) == (2, "")
    assert "two finished runs" in err


def test_an_unfinished_run_is_not_tested(muslin, copy, weaker):
    (copy.path / "summary.json").unlink()
    assert json.loads(muslin("compare", copy.path, weaker.path, "--json").out)["tests"] == []


def test_data_that_are_gone_are_said(muslin, copy, weaker):
    for run in (copy.path, shutil.copytree(weaker.path, copy.path.parent / "weaker")):
        config = read_json(run / "config.json")
        write_json(run / "config.json", config | {"dataset": "gone.npz"})
    both = (copy.path, copy.path.parent / "weaker")
    code, out, err = muslin("compare", *both, "--json")
    assert code == 0
    assert json.loads(out)["tests"] == []
    assert "gone.npz" in err
    assert muslin("compare", *both, "--test").code == 2


def test_many_runs_are_tested_when_asked(muslin, copy):
    for i in range(5):
        shutil.copytree(copy.path, copy.path.parent / f"copy{i}")
    assert json.loads(muslin("compare", copy.path.parent, "--json").out)["tests"] == []
    assert len(json.loads(muslin("compare", copy.path.parent, "--json", "--test").out)["tests"]) == 15


def test_page_and_picture(muslin, copy, weaker, tmp_path):
    html, png = tmp_path / "pages" / "two.html", tmp_path / "two.png"
    told = json.loads(muslin("compare", copy.path, weaker.path, "--html", html, "--png", png, "--json").out)
    assert (told["html"], told["png"]) == (str(html), str(png))
    assert png.read_bytes().startswith(b"\x89PNG")
    assert escape(told["tests"][0]["sentence"], quote=False) in html.read_text()
    said = muslin("compare", copy.path, weaker.path, "--html", html).out.splitlines()
    assert said[-1].split() == ["page", str(html)]
    assert not any(line.startswith("picture") for line in said)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("hidden_size!=16", ["weaker"]),
        ("hidden_size!=many", ["copy", "weaker"]),  # no number is a word
        ("hidden_size=many", []),
        ("patience<5", []),  # neither has any
        ("patience=none", ["copy", "weaker"]),
        ("engine=NumPy", ["copy", "weaker"]),
    ],
)
def test_what_is_filtered(condition, kept, muslin, copy, weaker):
    told = json.loads(muslin("compare", copy.path, weaker.path, "--filter", condition, "--no-test", "--json").out)
    assert [row["run"].rpartition("/")[2] for row in told["runs"]] == kept


def test_a_picture_of_nothing(muslin, copy, tmp_path):
    (copy.path / "history.jsonl").unlink()
    code, _, err = muslin("compare", copy.path, "--png", tmp_path / "none.png")
    assert code == 2
    assert "has a history" in err
    assert not (tmp_path / "none.png").exists()


def test_csv_has_the_table_alone(muslin, copy, weaker):
    rows = list(csv.DictReader(io.StringIO(muslin("compare", copy.path, weaker.path, "--format", "csv").out)))
    assert [row["run"] for row in rows] == [str(copy.path), str(weaker.path)]


def test_the_setting_loss_is_a_setting(muslin, copy, weaker):
    assert "loss" not in json.loads(muslin("compare", copy.path, weaker.path, "--json").out)["runs"][0]
    config = read_json(copy.path / "config.json")
    write_json(copy.path / "config.json", config | {"loss": "mean_squared_error"})
    told = json.loads(muslin("compare", copy.path, weaker.path, "--json", "--no-test").out)
    assert [row["loss"] for row in told["runs"]] == ["mean_squared_error", "cross_entropy"]


def test_epochs_that_were_planned_are_not_taken_for_done(muslin, copy, weaker):
    """``epochs`` is the setting; what was done stands beside it where it is another number."""
    assert "epochs_done" not in json.loads(muslin("compare", copy.path, weaker.path, "--json").out)["runs"][0]
    config = read_json(copy.path / "config.json")
    write_json(copy.path / "config.json", config | {"epochs": 50})
    told = json.loads(muslin("compare", copy.path, weaker.path, "--json", "--no-test").out)
    assert [row["epochs_done"] for row in told["runs"]] == [config["epochs"], None]
    (copy.path / "summary.json").unlink()
    told = json.loads(muslin("compare", copy.path, weaker.path, "--json", "--no-test").out)
    assert told["runs"][0]["epochs_done"] == config["epochs"]


def test_runs_that_other_programs_logged(muslin, tmp_path):
    from muslin.sweeps.server.desk import Desk

    desk = Desk(tmp_path / "runs")
    for name, lr, code in (("good", 0.1, 0), ("bad", 0.2, 1)):
        desk.upsert_run({"name": name, "modelName": "p", "config": json.dumps({"lr": {"value": lr}})})
        rows = [json.dumps({"loss": lr + n, "_step": n, "_timestamp": 1.0}) for n in range(3)]
        files = {"wandb-history.jsonl": {"offset": 0, "content": rows}}
        files["wandb-summary.json"] = {"offset": 0, "content": [rows[-1]]}
        desk.stream("local", "p", name, {"files": files, "complete": True, "exitcode": code})
    desk.close()
    code, out, err = muslin("compare", tmp_path / "runs" / "p", "--json")
    assert (code, err) == (0, "")
    found = {row["run"].rpartition("/")[2]: row for row in json.loads(out)["runs"]}
    assert {name: (row["state"], row["lr"], row["loss"]) for name, row in found.items()} == {
        "good": ("finished", 0.1, 2.1),
        "bad": ("failed", 0.2, 2.2),
    }
    assert not {"_step", "_timestamp"} & found["good"].keys()
    code, out, err = muslin("report", tmp_path / "runs" / "p" / "bad")
    assert (code, err) == (0, "")
