"""Run directories: their names, what is in them, and what is said where something is missing or damaged."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from toys import bars, files

from muslin import datasets, runs
from muslin.errors import InputError
from muslin.files import read_tensors, write_json
from muslin.runs import directory, machine
from muslin.runs.settings import Settings

COURSE = "hl_3_hn_128_opt_nadam_act_sigmoid_lr_0.001_bs_32_init_xavier_ep_10_l2_0"


@pytest.fixture
def data(toy):
    return datasets.load(toy)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, COURSE),
        ({"hidden_size": "256,128"}, COURSE.replace("hl_3_hn_128", "hl_2_hn_256-128")),
        ({"weight_decay": 0.0005}, COURSE.replace("l2_0", "l2_0.0005")),
        ({"learning_rate": 1e-4}, COURSE.replace("0.001", "0.0001")),
        ({"learning_rate": 2, "optimizer": "sgd"}, COURSE.replace("nadam", "sgd").replace("0.001", "2")),
        ({"activation": "ReLU", "initializer": "He"}, COURSE.replace("sigmoid", "relu").replace("xavier", "he")),
        ({"epochs": 1, "batch_size": 64}, COURSE.replace("ep_10", "ep_1").replace("bs_32", "bs_64")),
    ],
    ids=str,
)
def test_course_names(settings, name):
    assert runs.default_name(Settings.read(settings)) == name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mine", "mine"),
        ("a b/c", "a b_c"),
        ("../../x", "_.._x"),
        ("/etc/x", "_etc_x"),
        (".hidden", "hidden"),
        ("<script>alert(1)</script>", "_script_alert_1_script_"),
        ("C:\\x", "C_x"),
        ("நான்", "ந_ன_"),
        ("ந" * 100, "ந" * 66),
        ("a" * 300, "a" * 200),
        ("lr=0.1,b@2", "lr=0.1,b@2"),
        ("x\ny\0z", "x y_z"),
    ],
)
def test_names_become_folders_inside_runs_dir(name, folder, data, tmp_path):
    run = runs.create(Settings(), data, tmp_path / "runs", name)
    assert run.path.parent == tmp_path / "runs"
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    assert run.path.name == folder
    assert run.name == name


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../..", "___", "<>"])
def test_names_without_a_letter(name, data, tmp_path):
    with pytest.raises(InputError, match="has no letter or digit"):
        runs.create(Settings(), data, tmp_path / "runs", name)
    assert list(tmp_path.iterdir()) == []


def test_default_names_are_numbered_and_own_names_must_be_free(data, tmp_path):
    made = [runs.create(Settings(), data, tmp_path).path.name for _ in range(3)]
    assert made == [COURSE, f"{COURSE}-2", f"{COURSE}-3"]
    runs.create(Settings(), data, tmp_path, "mine")
    with pytest.raises(InputError, match=r"There is a run .*mine already; .* muslin train --resume .*mine"):
        runs.create(Settings(), data, tmp_path, "mine")


def test_config_says_everything_that_made_the_run(data, tmp_path):
    settings = Settings.read({"dataset": "toy.npz", "seed": 3, "hidden_size": [8, 4]})
    run = runs.create(settings, data, tmp_path)
    config = json.loads((run.path / "config.json").read_text())
    assert run.settings == settings
    assert {key: config[key] for key in settings.model_dump()} == settings.model_dump()
    assert config["data_checksums"] == data.checksums
    assert config["versions"]["numpy"] == np.__version__
    assert set(config["versions"]) == {"python", "muslin", "numpy", "numba", "scikit-learn"}
    assert set(config["machine"]) == {"system", "processor", "engine", "blas"}


def test_nothing_is_made_for_settings_that_do_not_suit_the_data(data, tmp_path):
    with pytest.raises(InputError, match="batch_size is 109, more than the 108 training samples"):
        runs.create(Settings.read({"batch_size": 109}), data, tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_the_resume_line_is_quoted_for_the_shell(tmp_path):
    assert runs.Run(tmp_path / "a b").resume_line == f"muslin train --resume '{tmp_path / 'a b'}'"


def trained(data, folder, **settings):
    defaults = {"hidden_size": [8], "epochs": 2, "batch_size": 8, "engine": "numpy"}
    run = runs.create(Settings.read(defaults | settings), data, folder)
    return run, runs.train(run, data)


def test_the_summary_is_that_of_the_last_epoch(data, tmp_path):
    run, summary = trained(data, tmp_path, epochs=3)
    last = run.history[-1]
    assert {key: summary[key] for key in ("loss", "accuracy", "val_loss", "val_accuracy")} == {
        key: last[key] for key in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    assert (summary["epochs"], summary["engine"], summary["parameters"]) == (3, "numpy", 64 * 8 + 8 + 8 * 3 + 3)
    assert summary["seconds"] == pytest.approx(sum(row["seconds"] for row in run.history))
    rates = [row["samples_per_second"] for row in run.history]
    assert min(rates) <= summary["samples_per_second"] <= max(rates)
    assert run.summary == summary


def test_with_patience_it_is_that_of_the_best_epoch(data, tmp_path):
    data = replace(data, y_train=np.random.default_rng(0).integers(0, 3, 120))  # nothing to learn: soon it gets worse
    run, summary = trained(data, tmp_path, epochs=60, patience=3, learning_rate=0.01)
    losses = [row["val_loss"] for row in run.history]
    assert (summary["best_by"], summary["val_loss"]) == ("val_loss", min(losses))
    assert losses[-1] > min(losses)
    assert summary["epochs"] == len(losses) == summary["best_epoch"] + 3 == losses.index(min(losses)) + 4
    _, rows = runs.split(run.settings, data)
    P = run.model.predict_proba(data.X_train[rows])
    assert -np.log(P[np.arange(len(rows)), data.y_train[rows]]).mean() == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize(("validation", "trains", "steps"), [(0.1, 108, 14), (20, 100, 13), (0, 120, 15)])
def test_validation_samples_are_kept_from_training(validation, trains, steps, data, tmp_path):
    run, _ = trained(data, tmp_path, validation=validation, epochs=2)
    rows, rows_val = runs.split(run.settings, data)
    assert (len(rows), len(rows_val)) == (trains, 120 - trains)
    assert sorted([*rows, *rows_val]) == list(range(120))
    assert read_tensors(run.checkpoint, "checkpoint")[1]["state"]["step"] == 2 * steps


def test_without_validation_every_sample_trains(data, tmp_path):
    run, summary = trained(data, tmp_path, validation=0, batch_size=len(data.X_train))
    assert not {key for row in run.history for key in row if key.startswith("val_")}
    assert summary["best_by"] == "loss"


def test_threads_are_those_of_the_settings(data, tmp_path, monkeypatch):
    asked = []
    threads = directory.blas.threads
    monkeypatch.setattr(directory.blas, "threads", lambda n: asked.append(n) or threads(n))
    trained(data, tmp_path, threads=1)
    assert asked == [1]
    trained(data, tmp_path)
    assert asked == [1, directory.blas.description().get("threads")]


def test_test_figures_against_a_count_by_hand(copy, data):
    X, y = bars(30, 1)
    y[:5] = (y[:5] + 1) % 3  # five mistakes at least
    figures, predicted = runs.evaluate_test(copy, replace(data, y_test=y))
    P = copy.model.predict_proba(X.reshape(30, -1))
    np.testing.assert_array_equal(predicted, P.argmax(axis=1))
    assert figures["test_accuracy"] == (predicted == y).mean() < 0.9
    assert figures["test_loss"] == pytest.approx(-np.log(P[np.arange(30), y]).mean(), rel=1e-5)
    assert figures["confusion_matrix"] == [
        [int(((y == t) & (predicted == p)).sum()) for p in range(3)] for t in range(3)
    ]
    for c, row in enumerate(figures["per_class"]):
        right = ((y == c) & (predicted == c)).sum()
        precision, recall = right / (predicted == c).sum(), right / (y == c).sum()
        expected = precision, recall, 2 * precision * recall / (precision + recall), (y == c).sum()
        assert [row[key] for key in ("precision", "recall", "f1", "samples")] == pytest.approx(expected)
        assert row["class"] == data.class_names[c]
    for key, value in figures["macro"].items():
        assert value == pytest.approx(np.mean([row[key] for row in figures["per_class"]]))
    assert copy.summary.items() >= figures.items()
    assert copy.summary["epochs"] == 8


def test_resuming_a_finished_run_changes_nothing(copy, data):
    runs.evaluate_test(copy, data)
    before = files(copy.path)
    runs.train(copy, data)
    assert files(copy.path) == before


def test_resuming_mends_a_model_that_was_lost(copy, data):
    before = files(copy.path)
    (copy.path / "model.safetensors").unlink()
    runs.train(copy, data)
    assert files(copy.path) == before


def other_data(toy, tmp_path):
    X, y = bars(120, 7)
    np.savez(tmp_path / "other.npz", X=X[:, :4], y=y % 2)
    return datasets.load(tmp_path / "other.npz")


def test_a_model_is_used_on_data_that_fit_only(copy, data, toy, tmp_path):
    assert copy.model_for(data).sizes == [64, 16, 16, 16, 3]
    with pytest.raises(InputError, match="has 64 inputs and 3 classes; the data set other has 32 and 2"):
        copy.model_for(other_data(toy, tmp_path))


def test_the_data_must_be_those_that_it_was_trained_on(copy, toy, tmp_path):
    assert copy.dataset().checksums == datasets.load(toy).checksums
    other_data(toy, tmp_path)
    write_json(copy.path / "config.json", copy.config | {"dataset": str(tmp_path / "other.npz")})
    with pytest.raises(InputError, match="is not the one that"):
        copy.dataset()


def write(name, text):
    return lambda run: (run.path / name).write_text(text)


def without(name):
    return lambda run: (run.path / name).unlink()


@pytest.mark.parametrize(
    ("damage", "ask", "sentence"),
    [
        (without("config.json"), "settings", "is not a run directory: it has no config.json"),
        (write("config.json", "{"), "settings", "config.json is not valid JSON"),
        (write("config.json", "[]"), "settings", "config.json is damaged: it holds [] where an object must be."),
        (write("config.json", "{}"), "name", "config.json is damaged"),
        (without("summary.json"), "summary", "has not finished training; go on with: muslin train --resume"),
        (without("summary.json"), "model", "has not finished training"),
        (write("summary.json", ""), "summary", "summary.json is not valid JSON"),
        (write("summary.json", "3"), "summary", "summary.json is damaged: it holds 3 where an object must be."),
        (write("summary.json", "[]"), "model", "summary.json is damaged"),
        (write("model.safetensors", "model"), "model", "model.safetensors is not a model file that muslin wrote"),
        (without("model.safetensors"), "model", "There is no model file"),
        (write("history.jsonl", '{"epoch": 1}\n{"epo'), "history", "history.jsonl is not valid JSON"),
        (without("history.jsonl"), "history", "There is no file"),
    ],
)
def test_damage_is_named(damage, ask, sentence, copy):
    damage(copy)
    with pytest.raises(InputError) as error:
        getattr(copy, ask)
    assert sentence in str(error.value)
    assert str(copy.path) in str(error.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="There is no run directory"):
        _ = runs.Run(tmp_path / "none").summary


# What is free, gone, damaged, or on another machine


def test_a_folder_whose_maker_was_killed_is_free(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / f".{'ab' * 8}.host-4194304.part").write_text("half a config")
    run = runs.create(Settings(), data, tmp_path, "mine")
    assert run.path == tmp_path / "mine"
    assert run.config["name"] == "mine"


@pytest.mark.parametrize("name", ["sweep.json", "notes.txt", "checkpoint.safetensors"])
def test_a_folder_with_anything_in_it_is_not(name, data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("{}")
    with pytest.raises(InputError, match=r"There is a run .*mine already"):
        runs.create(Settings(), data, tmp_path, "mine")
    assert runs.create(Settings(), data, tmp_path, "mine", numbered=True).path.name == "mine-2"


def test_of_several_that_make_a_run_of_one_name_one_has_it(data, tmp_path):
    def make(_):
        try:
            return runs.create(Settings(), data, tmp_path, "mine")
        except InputError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(run is not None for run in pool.map(make, range(8))) == 1
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: runs.create(Settings(), data, tmp_path).path.name, range(8))
        assert len(set(made)) == 8


def test_a_run_whose_directory_is_removed_while_it_trains_ends_in_a_sentence(data, tmp_path):
    run = runs.create(Settings.read({"hidden_size": [8], "batch_size": 8, "engine": "numpy"}), data, tmp_path, "x")

    def remove(state):
        if state.epoch == 2:
            shutil.rmtree(run.path)

    with pytest.raises(InputError, match=r"The run directory .*x is gone: it was removed or moved while it trained\.$"):
        runs.train(run, data, [remove])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_of_a_trial_costs_time_and_no_more(data, tmp_path, capsys):
    whole, _ = trained(data, tmp_path, epochs=4)
    run, _ = trained(data, tmp_path, epochs=4)
    (run.path / "summary.json").unlink()
    os.truncate(run.checkpoint, 900)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors is damaged"):
        runs.train(run, data)
    directory.drop_damaged_checkpoint(run)
    runs.train(run, data)
    told = capsys.readouterr().err
    assert "checkpoint.safetensors is damaged" in told
    assert "is trained from its beginning, to the same result." in told
    assert np.array_equal(run.model.theta, whole.model.theta)
    directory.drop_damaged_checkpoint(run)  # a sound one stays
    assert run.checkpoint.exists()


def test_a_checkpoint_that_is_gone_is_told(data, tmp_path, capsys):
    whole, _ = trained(data, tmp_path, epochs=4)
    run, _ = trained(data, tmp_path, epochs=4)
    assert capsys.readouterr().err == ""
    (run.path / "summary.json").unlink()
    run.checkpoint.unlink()
    runs.train(run, data)
    assert "has no checkpoint to go on from; it is trained from its beginning" in capsys.readouterr().err
    assert np.array_equal(run.model.theta, whole.model.theta)


@pytest.mark.parametrize("named", ["toy.npz", "./toy.npz", "../here/toy.npz"])
def test_data_are_found_from_any_folder(named, toy, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(toy, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    run = runs.create(Settings.read({"dataset": named}), datasets.load(named), tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run.dataset().checksums == datasets.load(toy).checksums
    assert (
        Settings.read({"dataset": "Digits", "data_dir": "x"}).model_dump().items()
        >= {
            "dataset": "Digits",
            "data_dir": str(tmp_path / "elsewhere" / "x"),
        }.items()
    )


def test_a_run_goes_on_with_the_threads_that_it_began_with(data, tmp_path, monkeypatch, capsys):
    run = runs.create(Settings.read({"hidden_size": [8], "batch_size": 8, "engine": "numpy"}), data, tmp_path)
    began = run.config["machine"]["blas"]
    write_json(
        run.path / "config.json", run.config | {"machine": run.config["machine"] | {"blas": began | {"threads": 3}}}
    )
    asked, threads = [], directory.blas.threads
    monkeypatch.setattr(directory.blas, "threads", lambda n: asked.append(n) or threads(n))
    runs.train(run, data, [lambda state: "enough"])
    assert (asked, capsys.readouterr().err) == ([3], "")
    monkeypatch.setattr(machine, "cores", lambda: 2)
    runs.train(run, data)
    assert asked == [3, 3]
    assert "goes on with 3 threads, as it was begun, on 2 cores: slower, and exact." in capsys.readouterr().err


def test_what_else_the_bits_depend_on_is_said(data, tmp_path, capsys):
    run, _ = trained(data, tmp_path)
    facts = run.config["machine"]
    other = facts | {"engine": "numba", "blas": facts["blas"] | {"kernels": "Nonesuch"}}
    write_json(run.path / "config.json", run.config | {"machine": other})
    runs.train(run, data)
    told = capsys.readouterr().err
    assert "was begun with engine numba, now numpy; kernels Nonesuch, now " in told
    assert "its last bits may differ" in told


def test_an_old_run_without_these_facts_goes_on(data, tmp_path, capsys):
    run, _ = trained(data, tmp_path)
    write_json(run.path / "config.json", {k: v for k, v in run.config.items() if k != "machine"})
    runs.train(run, data)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["class", "labels"])
def test_figures_of_each_class_are_scikit_learn_s(kind):
    """Of a class that no sample has, or that is never said, too."""
    rng, names = np.random.default_rng(0), [*"abcde"]
    for n in (1, 3, 40):
        of = rng.integers(0, 2, (2, n, 5)) if kind == "labels" else rng.integers(0, 5, (2, n))
        figures = directory.PER_CLASS[kind](*of, names)
        labels = range(5)
        theirs = precision_recall_fscore_support(*of, labels=labels, zero_division=0)
        for key, expected in zip(("precision", "recall", "f1", "samples"), theirs, strict=True):
            np.testing.assert_allclose([row[key] for row in figures["per_class"]], expected)
        if kind == "class":
            assert figures["confusion_matrix"] == confusion_matrix(*of, labels=labels).tolist()
            assert figures["macro"]["f1"] == pytest.approx(theirs[2].mean())
