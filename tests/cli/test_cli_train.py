"""muslin train: what it prints, what it writes, and where its settings come from."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.numpy import load_file
from toys import files, without_epochs

from muslin import FeedForwardNeuralNetwork
from muslin.cli import main, train
from muslin.files import read_json
from muslin.runs.settings import Settings

COURSE = "hl_3_hn_128_opt_nadam_act_sigmoid_lr_0.001_bs_32_init_xavier_ep_10_l2_0"
QUICK = ["--hidden-size", "8,8", "-b", "16", "-e", "2"]

#: the contract: what --json must tell, and what is in each line of history.jsonl
TOLD = {"run", "epochs", "val_accuracy", "loss", "seconds", "samples_per_second", "engine"}
RECORDED = [
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "samples_per_second",
]  # fmt: skip
WRITTEN = {
    "config.json", "history.jsonl", "summary.json", "model.safetensors", "checkpoint.safetensors", "curves.png",
}  # fmt: skip


def lines(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows[0].pop("muslin_digest")) == len("muslin-sha256:") + 64
    return rows


def test_for_a_person(muslin, toy, alone):
    code, out, err = muslin("train", "-d", toy, *QUICK, "--name", "mine")
    assert (code, without_epochs(err)) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["trained", "accuracy", "time", "run"]
    summary = read_json(alone / "runs/mine/summary.json")
    assert f"2 epochs, {64 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3} parameters, loss {summary['loss']:.4f}" in out
    assert f"training {summary['accuracy']:.2%}, validation {summary['val_accuracy']:.2%}" in out
    assert f"{summary['engine']} engine" in out
    assert out.endswith("run        runs/mine\n")


def test_json_and_every_file_of_the_contract(child, toy, alone):
    code, out, err = child("train", "-d", toy, *QUICK, "--name", "mine", "--json")
    assert (code, without_epochs(err)) == (0, "")
    told = json.loads(out)
    assert told.keys() >= TOLD
    assert out.count("\n") == 1

    run = alone / "runs" / "mine"
    assert {path.name for path in run.iterdir()} == WRITTEN
    history = lines(run / "history.jsonl")
    assert [list(row) for row in history] == [RECORDED] * 2
    assert [row["epoch"] for row in history] == [1, 2]
    assert told["run"] == "runs/mine"
    assert (told["epochs"], told["loss"], told["val_accuracy"]) == (2, history[-1]["loss"], history[-1]["val_accuracy"])
    assert {**told, "run": None} == {**read_json(run / "summary.json"), "run": None}

    network = FeedForwardNeuralNetwork.load(run / "model.safetensors")
    with np.load(toy) as file:
        assert network.predict(file["X_test"]).shape == (30,)
    with Image.open(run / "curves.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50


def test_then_evaluated(muslin, toy, alone):
    code, out, err = muslin("train", "-d", toy, *QUICK, "--name", "a", "--evaluate")
    assert (code, without_epochs(err)) == (0, "")
    assert out.splitlines()[-1].startswith("test       accuracy ")
    code, out, err = muslin("train", "-d", toy, *QUICK, "--name", "b", "--evaluate", "--json")
    told, summary = json.loads(out), read_json(alone / "runs/b/summary.json")
    assert told.keys() >= TOLD | {"test_accuracy", "test_loss"}
    assert (told["test_accuracy"], told["test_loss"]) == (summary["test_accuracy"], summary["test_loss"])
    assert {path.name for path in (alone / "runs/b").iterdir()} == WRITTEN | {
        "confusion_matrix.png",
        "most_confused.png",
    }


class Made(Exception):
    """The run directory is made; here training would begin."""


@pytest.fixture
def settings_of(alone, toy, monkeypatch):
    """The settings in the config.json that a command line leads to, without training."""

    def stop(run, *rest):
        raise Made(run.path)

    def read(*arguments):
        with pytest.raises(Made) as made:
            main(["train", "-d", str(toy), *arguments])
        return read_json(made.value.args[0] / "config.json")

    monkeypatch.setattr(train, "fit", stop)
    return read


#: setting → what is typed, and what it means. A new setting needs a row.
TYPED = {
    "dataset": ("digits", "digits"),
    "data_dir": ("/tmp", "/tmp"),
    "target": ("y", "y"),
    "drop": ("a", "a"),
    "task": ("Regression", "regression"),
    "test": ("0.3", "0.3"),
    "encoding": ("latin-1", "latin-1"),
    "validation": ("0.25", 0.25),
    "stratify": (None, True),
    "hidden_layers": ("2", 2),
    "hidden_size": ("64", 64),
    "activation": ("ReLU", "relu"),
    "initializer": ("he", "he"),
    "initializer_scale": ("0.5", 0.5),
    "normalization": ("BatchNorm", "batch"),
    "output": ("exponential", "exponential"),
    "class_weight": ("balanced", "balanced"),
    "loss": ("mse", "mean_squared_error"),
    "optimizer": ("adam", "adam"),
    "learning_rate": ("1e-2", 0.01),
    "momentum": ("0.8", 0.8),
    "beta": ("0.7", 0.7),
    "beta1": ("0.6", 0.6),
    "beta2": ("0.5", 0.5),
    "epsilon": ("1e-6", 1e-6),
    "schedule": ("cosine", "cosine"),
    "warmup": ("1.5", 1.5),
    "epochs": ("7", 7),
    "batch_size": ("16", 16),
    "weight_decay": ("0.0005", 0.0005),
    "dropout": ("0.2", 0.2),
    "label_smoothing": ("0.1", 0.1),
    "flip": ("0.5", 0.5),
    "shift": ("2", 2.0),
    "zoom": ("0.1", 0.1),
    "rotate": ("15", 15.0),
    "shear": ("0.1", 0.1),
    "elastic": ("1", 1.0),
    "mixup": ("0.2", 0.2),
    "cutmix": ("0.5", 0.5),
    "clip_norm": ("1", 1.0),
    "patience": ("3", 3),
    "monitor": ("val_accuracy", "val_accuracy"),
    "diagnostics": (None, True),
    "seed": ("5", 5),
    "dtype": ("float64", "float64"),
    "engine": ("numpy", "numpy"),
    "threads": ("1", 1),
}


#: setting → what else must be typed
OF_A_TABLE = ["-d", "t.csv", "--target", "y"]
NEEDED = {"monitor": ["--patience", "3"], "target": OF_A_TABLE[:2]} | dict.fromkeys(
    ("drop", "task", "test", "encoding", "output"), OF_A_TABLE
)


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_has_a_flag(setting, settings_of, alone):
    (alone / "t.csv").write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{i}.5\n" for i in range(90)))
    typed, meant = TYPED[setting]
    default = Settings.model_fields[setting].default
    assert meant != default
    flag = f"--{setting.replace('_', '-')}"
    needed = NEEDED.get(setting, [])
    assert settings_of(flag, *([] if typed is None else [typed]), *needed)[setting] == meant
    if setting != "dataset":
        assert settings_of()[setting] == default


@pytest.mark.parametrize(
    ("short", "setting"),
    [("-b", "batch_size"), ("-e", "epochs"), ("-l", "loss"), ("-o", "optimizer"), ("-a", "activation")],
)
def test_short_flags(short, setting, settings_of):
    typed, meant = TYPED[setting]
    assert settings_of(short, typed)[setting] == meant


@pytest.mark.parametrize("name", ["config.yaml", "config.json"])
def test_a_config_file_and_flags_that_outrank_it(name, settings_of, alone):
    values = {"epochs": 7, "learning-rate": 0.5, "optimizer": "SGD", "hidden_size": [32, 16], "stratify": True}
    (alone / name).write_text(yaml.safe_dump(values) if name.endswith("yaml") else json.dumps(values))
    got = settings_of("--config", name, "--learning-rate", "0.25", "--no-stratify")
    expected = {"epochs": 7, "learning_rate": 0.25, "optimizer": "sgd", "stratify": False, "batch_size": 32}
    assert {key: got[key] for key in expected} == expected
    assert (got["hidden_layers"], got["hidden_size"]) == (2, [32, 16])


def test_the_course_s_name_numbered_where_it_is_taken(settings_of, alone):
    assert [settings_of()["name"] for _ in range(3)] == [COURSE, f"{COURSE}-2", f"{COURSE}-3"]
    assert sorted(path.name for path in (alone / "runs").iterdir()) == [COURSE, f"{COURSE}-2", f"{COURSE}-3"]


def test_runs_dir(settings_of, alone):
    settings_of("--runs-dir", "a/b c", "--name", "x")
    assert (alone / "a" / "b c" / "x" / "config.json").exists()
    assert not (alone / "runs").exists()


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "../x", "/etc/x", "$(touch x)", "a\nb", "[red]x"])
def test_names_stay_inside_runs_dir(name, settings_of, alone):
    assert settings_of("--name", name, "--runs-dir", "inside/runs")["name"] == name
    assert [path.name for path in alone.iterdir()] == ["inside"]
    (run,) = (alone / "inside" / "runs").iterdir()
    assert not set(run.name) & set("<>/$()[]\n\\")  # a space stays: the next command finds the run by its name


def test_without_validation_all_samples_train(muslin, toy, alone):
    code, out, _ = muslin("train", "-d", toy, "-e", "1", "-b", "120", "--validation", "0", "--name", "all", "--json")
    assert code == 0
    told = json.loads(out)
    assert told.keys() >= TOLD
    assert told["val_accuracy"] is None
    assert [list(row) for row in lines(alone / "runs/all/history.jsonl")] == [
        [key for key in RECORDED if not key.startswith("val_")]
    ]
    assert "validation" not in muslin("train", "-d", toy, *QUICK, "--validation", "0").out


def test_diagnostics_are_recorded(muslin, toy, alone):
    assert muslin("train", "-d", toy, *QUICK, "--diagnostics", "--name", "x").code == 0
    for row in lines(alone / "runs/x/history.jsonl"):
        assert len(row["gradient_norms"]) == 3
        assert len(row["dead_units"]) == 2


def test_resuming_a_finished_run_is_harmless(muslin, copy):
    assert muslin("evaluate", copy.path).code == 0
    muslin("train", "--resume", copy.path)  # draws the curves
    before = files(copy.path)
    code, out, err = muslin("train", "--resume", copy.path, "--json")
    assert (code, without_epochs(err)) == (0, "")
    assert json.loads(out).items() >= {"run": str(copy.path), "epochs": 8}.items()
    assert files(copy.path) == before


def test_resuming_begins_where_nothing_is_saved_yet(muslin, copy):
    model = (copy.path / "model.safetensors").read_bytes()
    for name in ("summary.json", "history.jsonl", "checkpoint.safetensors", "model.safetensors"):
        (copy.path / name).unlink()
    assert muslin("train", "--resume", copy.path).code == 0
    assert (copy.path / "model.safetensors").read_bytes() == model


def test_digits_are_learnt(muslin):
    flags = ["-d", "digits", "-e", "6", "--hidden-size", "32", "--hidden-layers", "1", "-a", "relu", "--json"]
    code, out, err = muslin("train", *flags, "--initializer", "he", "--learning-rate", "0.003", "--evaluate")
    assert (code, without_epochs(err)) == (0, "")
    assert json.loads(out)["test_accuracy"] > 0.9


@pytest.fixture
def short(muslin, toy, alone):
    """A run of two epochs, evaluated, and one of five that has the same settings but for that."""
    for name, epochs in ("short", "2"), ("long", "5"):
        flags = ["-e", epochs, "--hidden-size", "5", "--evaluate", "--name", name]
        assert muslin("train", "-d", toy, *flags).code == 0
    return alone / "runs/short"


def test_a_finished_run_is_trained_for_more_epochs(muslin, short):
    code, out, err = muslin("train", "--resume", short, "--epochs", "5", "--json")
    assert (code, len(err.splitlines()), json.loads(out)["epochs"]) == (0, 3, 5)
    for run in short, short.parent / "long":
        assert json.loads((run / "config.json").read_text())["epochs"] == 5
    tensors = [load_file(run / "model.safetensors") for run in (short, short.parent / "long")]
    assert all((tensors[0][name] == tensors[1][name]).all() for name in tensors[1])
    assert "test_accuracy" not in json.loads((short / "summary.json").read_text())  # it was of the shorter run


def test_what_a_longer_run_cannot_be(muslin, short):
    before = {path.name: path.read_bytes() for path in short.iterdir()}
    for flags, message in (
        (["--epochs", "1"], "has 2 epochs; epochs must be at least as many"),
        (["--epochs", "0"], "epochs is '0'; it must be a whole number from 1"),
        (["--epochs", "5", "--patience", "2"], "was trained without patience"),
        (["--epochs", "5", "--seed", "2"], "--resume can change epochs and patience, not seed"),
    ):
        code, out, err = muslin("train", "--resume", short, *flags)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
        assert {path.name: path.read_bytes() for path in short.iterdir()} == before
