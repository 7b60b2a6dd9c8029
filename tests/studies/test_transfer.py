"""From the toy network to the same bars, inverted and with a fourth class."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel
from toys import bars

from muslin import FeedForwardNeuralNetwork, InputError, datasets
from muslin.files import write_json
from muslin.runs import Run
from muslin.studies import transfer
from muslin.studies.transfer import elsewhere
from muslin.training import Callback


def inverted(n, seed):
    X, y = bars(n, seed)
    return 255 - X.reshape(n, -1), np.where(np.arange(n) % 6 == 0, 3, y)


(X, Y), (X_TEST, Y_TEST) = inverted(90, 2), inverted(30, 3)
DATA = datasets.Dataset("inverted", X, Y, X_TEST, Y_TEST, ("a", "b", "c", "d"), (8, 8), {"file": "sum"})
THREE = replace(DATA, y_train=bars(90, 2)[1], y_test=bars(30, 3)[1], class_names=("a", "b", "c"))


@pytest.fixture(scope="module")
def plan(finished):
    return transfer.plan(finished, DATA, epochs=2, min_steps=30)


class Ends(Callback):
    """The parameters before and after training."""

    def on_begin(self, state):
        self.network, self.first = state.network, state.network.theta.copy()

    def on_end(self, state):
        self.last = state.network.theta.copy()


def ends(plan, *cell):
    """The networks with which the training of a cell began and ended."""
    seen = Ends()
    plan.cell(*cell, [seen])
    networks = []
    for theta in (seen.first, seen.last):
        networks.append(FeedForwardNeuralNetwork(**seen.network.config))
        networks[-1].theta[...] = theta
    return networks


def same(one, other, layers):
    """Whether these layers of two networks are equal, and no other."""
    equal = {k for k in one.weights if np.array_equal(one.weights[k], other.weights[k])}
    if equal == set(layers):
        assert all(np.array_equal(one.biases[k], other.biases[k]) for k in equal)
    return equal == set(layers)


# Where the contestants start and what they keep


def test_scratch_starts_from_fresh_weights(plan):
    fresh = FeedForwardNeuralNetwork([64, 16, 16, 16, 4], "relu", "he", seed=1)
    assert same(ends(plan, 0.5, 1, "scratch")[0], fresh, [1, 2, 3, 4])
    assert same(ends(plan, 0.5, 2, "scratch")[0], fresh, [])


def test_the_others_start_from_the_source_s_layers_and_the_fresh_head_of_scratch(plan):
    scratch = ends(plan, 0.5, 1, "scratch")[0]
    for contestant in ("fine_tuned", "frozen"):
        start, _ = ends(plan, 0.5, 1, contestant)
        assert same(start, plan.source, [1, 2, 3])
        np.testing.assert_array_equal(start.weights[4], scratch.weights[4])
        assert not start.biases[4].any()


@pytest.mark.parametrize("keep_head", [True, False])
def test_the_head_is_kept_where_that_is_wanted(keep_head, finished):
    plan = transfer.plan(finished, THREE, keep_head=keep_head, epochs=1, min_steps=1)
    start, _ = ends(plan, 0.5, 1, "fine_tuned")
    assert same(start, plan.source, [1, 2, 3, 4] if keep_head else [1, 2, 3])


def test_scratch_and_fine_tuned_train_every_layer(plan):
    for contestant in ("scratch", "fine_tuned"):
        assert same(*ends(plan, 0.5, 1, contestant), [])


@pytest.mark.parametrize("freeze", [1, 2, 3])
def test_frozen_layers_keep_their_values_to_the_bit(freeze, finished):
    plan = transfer.plan(finished, DATA, freeze=freeze, epochs=2, min_steps=1, learning_rate=0.1)
    start, end = ends(plan, 0.5, 1, "frozen")
    assert same(start, end, range(1, freeze + 1))
    assert same(end, plan.source, range(1, freeze + 1))


def test_the_source_is_left_as_it_was(plan, finished):
    ends(plan, 0.5, 1, "fine_tuned")
    np.testing.assert_array_equal(plan.source.theta, finished.model.theta)


# What a cell is


def test_a_cell_is_what_the_loop_written_out_gives(plan):
    rows = plan.rows(0.5, 3)
    network = FeedForwardNeuralNetwork([64, 16, 16, 16, 4], "relu", "he", seed=3, engine="numpy")
    for k in (1, 2, 3):
        network.weights[k], network.biases[k] = plan.source.weights[k], plan.source.biases[k]
    history = network.fit(X, Y, rows=rows, optimizer="nadam", learning_rate=0.003, epochs=5, batch_size=8)
    cell = plan.cell(0.5, 3, "fine_tuned")
    assert (cell["fraction"], cell["seed"], cell["contestant"]) == (0.5, 3, "fine_tuned")
    assert (cell["samples"], cell["epochs"], cell["steps"]) == (45, 5, 30)
    assert (cell["loss"], cell["accuracy"]) == (history[-1]["loss"], history[-1]["accuracy"])
    assert cell["test_accuracy"] == (network.predict(X_TEST) == Y_TEST).mean()
    assert cell["test_loss"] == pytest.approx(-np.log(network.predict_proba(X_TEST)[range(30), Y_TEST]).mean(), 1e-5)


@pytest.mark.parametrize(
    ("samples", "epochs", "min_steps", "expected"),
    [
        (54_000, 10, 2000, (10, 16_880)),  # 1,688 steps an epoch
        (600, 10, 2000, (106, 2014)),  # 19 an epoch: 105.3 epochs
        (600, 10, 1, (10, 190)),
        (64, 3, 6, (3, 6)),
        (64, 3, 7, (4, 8)),
        (1, 1, 5, (5, 5)),
    ],
)
def test_the_budget(samples, epochs, min_steps, expected, plan):
    settings = plan.settings.model_copy(update={"epochs": epochs, "batch_size": 32})
    assert replace(plan, settings=settings, min_steps=min_steps).budget(samples) == expected


def test_samples_of_a_fraction(plan):
    tenth, half, full = (plan.rows(fraction, 1) for fraction in (0.1, 0.5, 1))
    assert np.bincount(Y).tolist() == [15, 30, 30, 15]
    assert np.bincount(Y[half]).tolist() == [8, 15, 15, 7]
    assert (len(tenth), len(full)) == (9, 90)
    assert set(tenth) < set(half) < set(full) == set(range(90))
    assert set(half) != set(plan.rows(0.5, 2))


def test_a_fraction_smaller_than_a_batch_is_one(finished):
    plan = transfer.plan(finished, DATA, min_steps=10, epochs=1, batch_size=64)
    assert plan.cell(0.1, 1, "scratch")["steps"] == 10


def test_a_run_s_early_stopping_and_validation_are_left_out(copy):
    write_json(copy.path / "config.json", copy.config | {"patience": 1, "monitor": "loss", "validation": 0.5})
    settings = transfer.plan(copy, DATA).settings
    assert (settings.patience, settings.monitor, settings.validation) == (None, None, 0)
    assert (settings.epochs, settings.batch_size, settings.learning_rate) == (8, 8, 0.003)


def test_the_source_s_seed_is_not_among_the_seeds(plan):
    assert plan.settings.seed == 0
    assert plan.seeds(3) == [1, 2, 3]
    other = replace(plan, settings=plan.settings.model_copy(update={"seed": 2}))
    assert [other.seeds(n) for n in (1, 2, 3)] == [[0], [0, 1], [0, 1, 3]]


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"X_train": X[:, :9]}, {}, "has 64 inputs, the samples of inverted have 9"),
        ({"X_test": None, "y_test": None}, {}, "has no test part"),
        ({}, {"keep_head": True}, "has 3 classes, inverted has 4; it needs a new head"),
        ({}, {"freeze": 0}, "freeze is 0; it must be 1 to 3"),
        ({}, {"freeze": 4}, "freeze is 4; it must be 1 to 3"),
        ({}, {"epochs": 0}, "epochs is 0"),
        ({}, {"learning_rate": -1}, "learning_rate is -1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be(change, options, sentence, finished):
    with pytest.raises(InputError, match=sentence):
        transfer.plan(finished, replace(DATA, **change), **options)


def test_a_network_without_hidden_layers(copy):
    FeedForwardNeuralNetwork([64, 3]).save(copy.path / "model.safetensors")
    with pytest.raises(InputError, match="no hidden layer"):
        transfer.plan(copy, DATA)


# The file


def test_killed_and_begun_again_it_trains_what_is_missing(plan, tmp_path):
    path, begun = tmp_path / "new" / "transfer.json", []

    class Dies(Callback):
        def on_begin(self, state):
            begun.append(len(json.loads(path.read_text())["cells"]) if path.exists() else 0)
            if len(begun) == 5:
                raise KeyboardInterrupt

    wanted = ([0.2, 0.5], [1, 2])
    with pytest.raises(KeyboardInterrupt):
        transfer.train(plan, path, *wanted, [Dies()])
    assert begun == [0, 1, 2, 3, 4]
    cells = transfer.train(plan, path, *wanted, [Dies()])
    assert begun[5:] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert cells == transfer.read(path, plan) == transfer.train(plan, path, *wanted, [Dies()])
    assert len(begun) == 13

    def figures(cells):
        return [{key: cell[key] for key in cell if key != "seconds"} for cell in cells]

    assert figures(cells) == figures(transfer.train(plan, tmp_path / "whole.json", *wanted))


def test_seed_by_seed():
    cells = [
        {"fraction": 0.5, "seed": 1, "contestant": "scratch"},
        {"fraction": 1.0, "seed": 2, "contestant": "frozen"},
    ]
    assert transfer.missing(cells, [0.5, 1.0], [1, 2]) == [
        (0.5, 1, "fine_tuned"),
        (0.5, 1, "frozen"),
        (1.0, 1, "scratch"),
        (1.0, 1, "fine_tuned"),
        (1.0, 1, "frozen"),
        (0.5, 2, "scratch"),
        (0.5, 2, "fine_tuned"),
        (0.5, 2, "frozen"),
        (1.0, 2, "scratch"),
        (1.0, 2, "fine_tuned"),
    ]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"epochs": 3}, "epochs"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"min_steps": 31}, "min_steps"),
        ({"freeze": 2, "epochs": 3}, "epochs, freeze"),
    ],
)
def test_the_cells_of_another_transfer_are_refused(options, named, plan, finished, tmp_path):
    cells = [{"fraction": 0.5, "seed": 1, "contestant": "frozen", "samples": 2, "test_accuracy": 0.5}]
    transfer.write(tmp_path / "x.json", plan, cells)
    assert transfer.read(tmp_path / "x.json", plan) == cells
    other = transfer.plan(finished, DATA, **{"epochs": 2, "min_steps": 30} | options)
    with pytest.raises(InputError, match=f"another {named}; choose another --name"):
        transfer.read(tmp_path / "x.json", other)


def test_other_data_and_another_model_are_refused(plan, copy, tmp_path):
    transfer.write(tmp_path / "x.json", plan, [])
    for run, data, named in (
        (copy, replace(DATA, checksums={"file": "other"}), "data_checksums"),
        (copy, DATA, "model"),
    ):
        if named == "model":
            network = run.model
            network.theta[0] += 1
            network.save(run.path / "model.safetensors")
        with pytest.raises(InputError, match=f"another {named};"):
            transfer.read(tmp_path / "x.json", transfer.plan(Run(run.path), data, epochs=2, min_steps=30))


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"facts": {}}', '{"facts": [], "cells": []}'])
def test_a_damaged_file(content, plan, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=r"x\.json"):
        transfer.read(tmp_path / "x.json", plan)


# The verdict

#: test accuracies by hand: contestant → of seeds 1, 2, 3
ACCURACY = {"scratch": [0.80, 0.82, 0.84], "fine_tuned": [0.83, 0.85, 0.88], "frozen": [0.79, 0.83, 0.84]}


def cells(accuracy, fraction=0.1):
    return [
        {"fraction": fraction, "seed": seed, "contestant": name, "samples": 9, "test_accuracy": value}
        for name, values in accuracy.items()
        for seed, value in enumerate(values, 1)
    ]


def test_the_table_is_that_of_hand_and_scipy():
    (row,) = transfer.table(cells(ACCURACY), [0.1], [1, 2, 3])
    assert (row["fraction"], row["samples"], row["seeds"]) == (0.1, 9, 3)
    assert row["scratch"] == pytest.approx({"mean": 0.82, "sd": 0.02})
    tuned = row["fine_tuned"]
    assert tuned["mean"] == pytest.approx(2.56 / 3)
    assert tuned["difference"] == pytest.approx(0.1 / 3)  # 3, 3 and 4 points
    assert tuned["standard_error"] == pytest.approx(0.01 / 3)
    for name in ("fine_tuned", "frozen"):
        low, high = ttest_rel(ACCURACY[name], ACCURACY["scratch"]).confidence_interval(0.95)
        assert row[name]["difference"] - row[name]["margin"] == pytest.approx(low)
        assert row[name]["difference"] + row[name]["margin"] == pytest.approx(high)


def test_the_table_of_some_of_the_cells():
    rows = transfer.table(cells(ACCURACY) + cells(ACCURACY, 0.5), [0.5], [2])
    assert [(row["fraction"], row["seeds"], row["frozen"]["mean"]) for row in rows] == [(0.5, 1, 0.83)]
    assert rows[0]["fine_tuned"]["difference"] == pytest.approx(0.03)
    assert np.isnan([rows[0]["fine_tuned"][key] for key in ("sd", "standard_error", "margin")]).all()


def rows(*differences, seeds=5):
    """Of each (fraction, difference, standard error, margin) a row, with the opposite difference for ``frozen``."""
    return [
        {
            "fraction": fraction,
            "seeds": seeds,
            "fine_tuned": {"difference": d, "standard_error": error, "margin": margin},
            "frozen": {"difference": -d, "standard_error": error, "margin": margin},
        }
        for fraction, d, error, margin in differences
    ]


@pytest.mark.parametrize(
    ("table", "tuned", "frozen"),
    [
        (
            rows((0.01, 0.021, 0.003, 0.0083), (0.05, 0.008, 0.001, 0.0028), (0.2, 0.001, 0.001, 0.003), (1, 0, 0, 0)),
            "is ahead of scratch by 2.10 ± 0.30 points with 1 % and by 0.80 ± 0.10 points with 5 %; "
            "it cannot be told from scratch with 20 % and with 100 % of the data (5 seeds, ± standard error).",
            "is behind scratch by 2.10 ± 0.30 points with 1 % and by 0.80 ± 0.10 points with 5 %; "
            "it cannot be told from scratch with 20 % and with 100 % of the data (5 seeds, ± standard error).",
        ),
        (
            rows((0.1, 0.01, 0.004, 0.011), (0.5, -0.01, 0.003, 0.009), (1, 0.02, 0.001, 0.003)),
            "is ahead of scratch by 2.00 ± 0.10 points with 100 %; it is behind scratch by 1.00 ± 0.30 points with "
            "50 %; it cannot be told from scratch with 10 % of the data (5 seeds, ± standard error).",
            "is ahead of scratch by 1.00 ± 0.30 points with 50 %; it is behind scratch by 2.00 ± 0.10 points with "
            "100 %; it cannot be told from scratch with 10 % of the data (5 seeds, ± standard error).",
        ),
        (
            rows((0.001, 0.5, np.nan, np.nan), seeds=1),
            "cannot be told from scratch with 0.1 % of the data (1 seed, ± standard error).",
            "cannot be told from scratch with 0.1 % of the data (1 seed, ± standard error).",
        ),
        (
            rows((0.1, 0, 1, 1), (0.2, 0, 1, 1), (0.3, 0, 1, 1), seeds=2),
            "cannot be told from scratch with 10 %, with 20 % and with 30 % of the data (2 seeds, ± standard error).",
            "cannot be told from scratch with 10 %, with 20 % and with 30 % of the data (2 seeds, ± standard error).",
        ),
    ],
    ids=["helps with little data", "mixed", "one seed", "chance"],
)
def test_the_conclusions(table, tuned, frozen):
    assert transfer.conclusions(table, 2) == [f"Fine-tuning {tuned}", f"Freezing layers 1–2 {frozen}"]


def test_a_node_that_has_other_data_says_so():
    with pytest.raises(InputError, match="digits is not the same data there"):
        elsewhere.work({"dataset": "digits", "data_dir": None, "checksums": {"digits": "00"}}, None)
