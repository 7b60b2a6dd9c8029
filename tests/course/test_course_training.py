"""training.py and datapreprocessing.py: the assignment on a tiny data set."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from toys import files

from muslin.course import samples, training
from muslin.course.training import main
from muslin.runs import Run

pytest.importorskip("optuna")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(toy, alone):
    values = {"dataset": str(toy), "engine": "numpy", "epochs": 2, "hidden_layers": 1, "batch_size": 8}
    parameters = {name: {"value": value} for name, value in values.items()}
    parameters |= {"hidden_size": {"values": [4, 8]}, "lr": {"min": 0.002, "max": 0.02}}
    raw = {"method": "random", "metric": {"name": "val_accuracy", "goal": "maximize"}, "run_cap": 3}
    path = alone / "tiny.yaml"
    path.write_text(yaml.safe_dump(raw | {"parameters": parameters}))
    return path


@pytest.fixture
def run(called, file):
    """Calls training.py's main: its outcome, output and errors."""

    def run(*words):
        outcomes = []

        def go(words):
            outcomes.append(main(file, words))

        code, out, err = called(go, "--workers", 1, "--engine", "local", *words)
        return code, out, err, outcomes

    return run


def test_from_the_data_to_the_confusion_matrix_and_again(run, alone):
    code, out, err, (outcome,) = run("--count", 2)
    assert code == 0
    steps = ["trial"] * 2 + ["finalists"] * 6 + ["epoch"] * 2  # trials, two of them again by three seeds, the best
    assert [line.split()[0] for line in err.splitlines()] == steps
    assert "108 training, 12 validation and 30 test samples of 3 classes" in out
    sweep = alone / "runs" / "tiny"
    for name in ("samples.png", "best_so_far.png", "best/confusion_matrix.png", "best/curves.png"):
        with Image.open(sweep / name) as image:
            assert min(image.size) > 150
        assert name in out or name == "best/curves.png"

    best = Run(sweep / "best")
    values = [max(row["val_accuracy"] for row in Run(path).history) for path in sweep.glob("hl_*/")]
    assert len(values) == 2
    assert "over 3 new seeds, the highest mean of 2 finalists" in out
    assert len(list(sweep.glob("finalists/*/model.safetensors"))) == 6
    assert best.settings.validation == 0
    assert outcome.confusion.sum() == 30
    assert outcome.test_accuracy == best.summary["test_accuracy"] == pytest.approx(np.trace(outcome.confusion) / 30)
    assert [row["epoch"] for row in outcome.history] == [1, 2]
    np.testing.assert_array_equal(outcome.network.theta, best.model.theta)

    before = files(sweep)
    _, _, _, (again,) = run("--count", 2)
    changed = {name for name, content in files(sweep).items() if content != before.get(name)}
    assert all(name.startswith("study.db") for name in changed)
    assert again.test_accuracy == outcome.test_accuracy
    assert run("--count", 3)[0] == 0
    assert len(list(sweep.glob("hl_*/"))) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sweep", "none.yaml"], "none.yaml"),
        (["--count", "0"], "'0' is not a whole number from 1"),
        (["--engine", "cloud"], "Unknown engine 'cloud'"),
        (["--tracker", "cloud"], "Unknown tracker 'cloud'"),
        (["--name", "..."], "no letter or digit"),
        (["--sweep", "program.yaml"], "The sweep file has a program"),
        (["--sweep", "misspelt.yaml"], "Did you mean 'learning_rate'?"),
    ],
)
def test_what_is_wrong_is_one_line(run, alone, file, words, message):
    raw = yaml.safe_load(file.read_text())
    (alone / "program.yaml").write_text(yaml.safe_dump(raw | {"program": "train.py"}))
    (alone / "misspelt.yaml").write_text(yaml.safe_dump(raw | {"parameters": {"learnig_rate": {"value": 1}}}))
    code, _, err, _ = run(*words)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_ctrl_c_says_how_to_go_on(run, monkeypatch):
    monkeypatch.setattr(training, "work", lambda given: (_ for _ in ()).throw(KeyboardInterrupt))
    code, _, err, _ = run("--name", "my sweep")
    assert code == 130
    assert "Go on with: python training.py --workers 1 --engine local --name 'my sweep'\n" in err


@pytest.mark.parametrize(("key", "engine"), [(True, "wandb"), (False, "local")])
def test_who_searches(run, monkeypatch, key, engine):
    seen = {}
    monkeypatch.setattr(training.wandb_run, "online", lambda: key)
    monkeypatch.setattr(training.sweep, "command", lambda *words, **names: seen.update(names))
    monkeypatch.setattr(training, "_best", lambda swept, tracker, given: seen.update(best=tracker))
    given = training.parser(Path("tiny.yaml")).parse_args([])
    training.work(given)
    tracker = "wandb" if key else "none"
    place = {"name": "tiny", "runs_dir": Path("runs")}
    assert seen == place | {"engine": engine, "tracker": tracker, "best": tracker}


def test_the_script_s_own_file_is_there(monkeypatch):
    seen = []
    monkeypatch.setattr(training, "main", lambda sweep: seen.append(sweep) or (1, 2, 3, 4))
    names = runpy.run_path(str(ROOT / "training.py"), run_name="__main__")
    assert seen == [ROOT / "sweeps" / "training.yaml"]
    assert seen[0].exists()
    assert [names[name] for name in ("network", "history", "test_accuracy", "confusion")] == [1, 2, 3, 4]


@pytest.mark.slow
def test_in_ipython_the_names_are_there_afterwards(python, file):
    pytest.importorskip("IPython")
    line = f"%run {ROOT / 'training.py'} --sweep {file} --engine local --workers 1"
    code = f"{line}\nprint('left', network.sizes, len(history), test_accuracy, confusion.shape)"
    found = python("-m", "IPython", "--quick", "--no-banner", "--colors=NoColor", "-c", code)
    assert all(line.startswith("epoch") for line in found.err.splitlines())
    assert re.search(r"left \[64, [48], 3\] 2 [01]\.\d+ \(3, 3\)", found.out)


@pytest.mark.parametrize("name", ["train.py", "training.py", "datapreprocessing.py"])
def test_help(name, called, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    code, out, err = called(lambda words: runpy.run_path(str(ROOT / name), run_name="__main__"))
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: {name}")


def test_one_image_of_each_class(called, toy, alone):
    code, out, err = called(samples.main, "-d", toy, "--out", "a.png", "--tracker", "none")
    assert (code, err) == (0, "")
    assert out == "a.png  one of each: left, middle, right\n"
    with Image.open(alone / "a.png") as image:
        assert image.format == "PNG"
    code, out, err = called(samples.main, "-d", toy, "--out", "a.jpg", "--tracker", "none")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_and_on_wandb_where_there_is_a_key(called, toy, monkeypatch):
    logged = []
    monkeypatch.setattr(samples.wandb_run, "online", lambda: True)
    monkeypatch.setattr(samples.tracking, "check", lambda name: None)
    monkeypatch.setattr(samples.wandb_run, "log_samples", lambda data, **where: logged.append((data.name, where)))
    assert called(samples.main, "-d", toy, "-wp", "p").code == 0
    assert logged == [("toy", {"project": "p", "entity": None})]
