"""muslin study: what it prints and writes, and how it goes on."""

import json

import pytest
from PIL import Image

from muslin import runs
from muslin.files import read_json
from muslin.studies import STUDIES
from muslin.training import Callback

QUICK = ["--epochs", 2, "--seeds", 2]


def test_without_a_name_all_are_listed(muslin):
    code, out, err = muslin("study")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(STUDIES)
    code, out, err = muslin("study", "--json")
    assert json.loads(out)["studies"] == {name: study.about for name, study in STUDIES.items()}


def test_for_a_person_and_for_a_program(muslin, toy, alone, monkeypatch):
    code, out, err = muslin("study", "initialization", "-d", toy, *QUICK)
    names = [f"{name}, seed {seed}" for seed in (0, 1) for name in ("zeros", "xavier")]
    assert (code, err.splitlines()) == (0, [f"run {n} of 4: {name}" for n, name in enumerate(names, 1)])
    folder = alone / "runs" / "study_initialization"
    head, _, xavier, conclusion, picture = out.splitlines()
    assert head.split() == ["variation", "spread_at_first", "largest_spread", "val_accuracy"]
    facts = read_json(folder / "study.json")
    accuracy = facts["variations"][1]["figures"]["val_accuracy"]
    assert xavier.split()[0] == "xavier"
    assert f"{accuracy['mean']:.2%} ± {accuracy['sd']:.2%}" in xavier
    assert conclusion == f"conclusion {facts['conclusion']}"
    assert picture == "picture    runs/study_initialization/study.png"
    with Image.open(folder / "study.png") as image:
        assert image.format == "PNG"

    monkeypatch.setattr(runs, "train", None)  # everything is there already
    code, out, err = muslin("study", "initialization", "-d", toy, *QUICK, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == facts
    assert muslin("compare", folder)[0] == 0


def test_reasons_stand_in_the_table(muslin, alone):
    code, out, _ = muslin("study", "mnist", "-d", "digits", "--epochs", 1, "--name", "mine", "--runs-dir", "there")
    assert code == 0
    assert {path.name for path in (alone / "there/mine").iterdir()} > {"study.json", "study.png"}
    for reason in STUDIES["mnist"].why.values():
        assert " ".join(reason.split()[:3]) in out
    assert " test_accuracy " in out


def test_diverged_runs_are_counted(muslin, toy, monkeypatch):
    wild = {"activation": "relu", "learning_rate": 1e30, "weight_decay": 1e30}
    monkeypatch.setitem(STUDIES["gradients"].variations, "relu", wild)
    code, out, err = muslin("study", "gradients", "-d", toy, *QUICK)
    assert code == 0
    assert err.splitlines()[-1] == "run 4 of 4: relu, seed 1"
    assert "relu (2 of 2 diverged)" in out
    assert "Every run of relu diverged" in out


def test_ctrl_c_tells_how_to_go_on(muslin, toy, monkeypatch):
    class Stop(Callback):
        def on_epoch(self, state):
            raise KeyboardInterrupt

    arguments = ["study", "initialization", "-d", str(toy), "--epochs", "1"]
    with monkeypatch.context() as patch:
        patch.setattr("muslin.cli.study.StudyProgress.on_epoch", Stop.on_epoch)
        patch.setattr("sys.argv", ["muslin", *arguments])
        code, out, err = muslin(*arguments)
    assert (code, out) == (130, "")
    assert err.strip().endswith(f"Go on with: muslin {' '.join(arguments)}")
    assert muslin(*arguments)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimiser"], "Did you mean 'optimizers'?"),
        (["loss", "--seeds", "0"], "--seeds"),
        (["loss", "--epochs", "0"], "--epochs"),
        (["loss", "-d", "nowhere"], "nowhere"),
        (["mnist", "-d", "digits", "--runs-dir", "a_file"], "a_file"),
    ],
)
def test_bad_input(arguments, said, muslin, alone):
    (alone / "a_file").write_text("")
    code, out, err = muslin("study", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in alone.iterdir()] == ["a_file"]
