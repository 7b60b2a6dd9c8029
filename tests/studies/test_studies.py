"""Studies: every one of the table on a tiny data set, what is kept between two starts, and what is said of figures."""

import dataclasses
import re
import statistics
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from toys import CLASSES, bars, files

from muslin import FeedForwardNeuralNetwork, InputError, datasets, runs
from muslin.executors import executor
from muslin.files import read_json, read_json_lines
from muslin.report.study_plots import Panel, draw, spread
from muslin.runs.settings import Settings
from muslin.studies import STUDIES, callbacks
from muslin.studies.study import Outcome, Progress, Study, conclude, conduct, record

GIVEN = {"batch_size": 32, "epochs": 2, "engine": "numpy"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """160 training and 30 test images of bars, enough for the largest batch of a study."""
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    (X, y), (X_test, y_test) = bars(160, 0), bars(30, 1)
    np.savez(path, X=X, y=y, X_test=X_test, y_test=y_test, class_names=np.array(CLASSES))
    return datasets.load(path)


def given(data, **more):
    return GIVEN | {"dataset": data.name} | more


def summaries(history, summary):
    return {"val_accuracy": history[-1]["val_accuracy"], "epochs": summary["epochs"]}


#: a study that trains in no time
SMALL = Study(
    about="Two rates.",
    base={"hidden_size": [4], "batch_size": 16, "optimizer": "sgd"},
    variations={"slow": {"learning_rate": 0.01}, "fast": {"learning_rate": 0.1}},
    figures=summaries,
    draw=lambda outcomes, path: draw([Panel("", "", {"a": np.ones((1, 2))})], path),
    conclude=lambda outcomes: "Nothing.",
)


def plan(data, study=SMALL, seeds=1, **more):
    return study.plan(given(data, **more), seeds)


# Side by side


@pytest.mark.parametrize(
    "who",
    [
        pytest.param({"workers": 2}, id="processes"),
        pytest.param({"cluster": "local:2"}, id="Dask", marks=pytest.mark.slow),
    ],
)
def test_side_by_side_it_comes_to_the_same(who, tmp_path):
    """With one thread each, for then the bits are the same; and nothing is trained twice."""
    data = datasets.load("digits")
    if "cluster" in who:
        pytest.importorskip("distributed")
    study = STUDIES["mnist"]
    tasks, heard, rows = study.plan(given(data, threads=1), 1), [], []
    (tmp_path / "there").mkdir()
    make = partial(executor, log=tmp_path / "there" / "workers.log", **who)

    class Heard(Progress):
        def on_run(self, name, settings, done):
            heard.append(name)

        def on_rows(self, n):
            rows.append(n)

    there = conduct(study, tasks, data, tmp_path / "there", Heard(), make)
    here = conduct(study, tasks, data, tmp_path / "here")
    for name, outcome in there.items():
        assert outcome.figures["test_accuracy"] == here[name].figures["test_accuracy"]
        ours, theirs = (runs.Run(found[name].paths[0]).model.theta for found in (here, there))
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(heard) == sorted(study.variations)
    assert sum(rows) == 2 * len(study.variations)
    conduct(study, tasks, data, tmp_path / "there", Heard(), make)
    assert len(heard) == len(study.variations)


def test_what_a_worker_cannot_do_is_said(data, tmp_path):
    """This data set has no file of its name."""
    study = STUDIES["loss"]
    tasks = study.plan(given(data), 1)[:1]
    with pytest.raises(InputError, match="_seed_0: Unknown data set or path"):
        conduct(study, tasks, data, tmp_path, make=partial(executor, log=tmp_path / "workers.log", workers=1))


# Every study of the table


@pytest.fixture(scope="module", params=STUDIES)
def done(request, data, tmp_path_factory):
    """(study, outcomes, what was recorded, the folder)"""
    study, folder = STUDIES[request.param], tmp_path_factory.mktemp(request.param)
    outcomes = conduct(study, plan(data, study, 2), data, folder)
    return study, outcomes, record(request.param, study, outcomes, folder), folder


def test_every_variation_has_a_finished_run_of_each_seed(done):
    study, outcomes, _, folder = done
    assert outcomes.keys() == study.variations.keys()
    for name, outcome in outcomes.items():
        assert [path.name for path in outcome.paths] == [f"{name}_seed_0", f"{name}_seed_1"]
        for seed, path in enumerate(outcome.paths):
            run = runs.Run(path)
            assert run.finished
            assert run.settings.seed == seed
            assert ("test_accuracy" in run.summary) == study.test
            for key, value in Settings.read(study.base, study.variations[name], GIVEN).model_dump().items():
                assert key in ("seed", "dataset") or getattr(run.settings, key) == value
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"study.json", "study.png"}


def test_the_record(done):
    study, _, facts, folder = done
    assert facts == read_json(folder / "study.json")
    assert facts["seeds"] == 2
    assert facts["settings"]["epochs"] == 2
    assert facts["conclusion"].endswith(".")
    assert "nan" not in facts["conclusion"]
    for row in facts["variations"]:
        assert row["diverged"] == 0
        assert row["figures"]
        assert row.get("why") == study.why.get(row["variation"])
        for name, figure in row["figures"].items():
            values = [run[name] for run in row["runs"]]
            assert figure["mean"] == pytest.approx(statistics.mean(values), nan_ok=False)
            assert figure["sd"] == pytest.approx(statistics.stdev(values), abs=1e-12)


def test_the_figures_are_those_in_the_run_directories(done):
    for outcome in done[1].values():
        for seed, path in enumerate(outcome.paths):
            summary, last = read_json(path / "summary.json"), read_json_lines(path / "history.jsonl")[-1]
            for name, values in outcome.figures.items():
                if name in last | summary:
                    assert values[seed] == (last | summary)[name]


def test_the_picture(done):
    with Image.open(done[3] / "study.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50


@pytest.mark.parametrize("name", STUDIES)
def test_the_table(name):
    study = STUDIES[name]
    assert study.about.endswith(".")
    assert "epochs" in study.base
    assert study.why.keys() <= study.variations.keys()
    for variation, settings in study.variations.items():
        Settings.read(study.base, settings)
        assert re.fullmatch(r"[\w+.=,@-]+", variation), "is part of a folder's name"


def test_the_course_s_budget_for_mnist():
    study = STUDIES["mnist"]
    assert len(study.variations) * study.seeds == 3
    assert study.why.keys() == study.variations.keys()
    assert all(Settings.read(study.base, own).epochs <= 10 for own in study.variations.values())
    assert study.base["dataset"] == "mnist"


# Starting again


class Counts(Progress):
    def __init__(self, stop=None):
        self.runs, self.epochs, self.stop = [], 0, stop

    def on_run(self, name, settings, done):
        self.runs.append((name, settings.seed, done))

    def on_epoch(self, state):
        if self.epochs == self.stop:
            raise KeyboardInterrupt
        self.epochs += 1


def test_seed_by_seed(data, tmp_path):
    counts = Counts()
    conduct(SMALL, plan(data, seeds=2), data, tmp_path, counts)
    assert counts.runs == [("slow", 0, 0), ("fast", 0, 0), ("slow", 1, 0), ("fast", 1, 0)]
    assert counts.epochs == 8


def test_nothing_is_trained_twice(data, tmp_path):
    conduct(SMALL, plan(data), data, tmp_path)
    before, counts = files(tmp_path), Counts()
    conduct(SMALL, plan(data), data, tmp_path, counts)
    assert counts.runs == [("slow", 0, 2), ("fast", 0, 2)]
    assert counts.epochs == 0
    assert files(tmp_path) == before


def test_more_seeds_are_added(data, tmp_path):
    counts = Counts()
    conduct(SMALL, plan(data), data, tmp_path)
    conduct(SMALL, plan(data, seeds=2), data, tmp_path, counts)
    assert counts.epochs == 4


def without_times(path):
    times = ("seconds", "samples_per_second")
    return [{k: v for k, v in row.items() if k not in times} for row in read_json_lines(path / "history.jsonl")]


@pytest.mark.parametrize("epoch", [1, 6])
@pytest.mark.parametrize("name", ["gradients", "initialization"])
def test_an_interrupted_study_goes_on(name, epoch, data, tmp_path):
    """Also what the callbacks record, before training and over several epochs, is as if nothing had happened."""
    small = {"hidden_layers": 1, "hidden_size": 6, "batch_size": 16, "epochs": 4}
    study = dataclasses.replace(STUDIES[name], base=STUDIES[name].base | small)
    planned = study.plan(given(data, epochs=4), 1)
    whole = conduct(study, planned, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        conduct(study, planned, data, tmp_path / "parts", Counts(stop=epoch))
    counts = Counts()
    parts = conduct(study, planned, data, tmp_path / "parts", counts)
    assert counts.epochs == 8 - epoch
    for name in study.variations:
        assert without_times(parts[name].paths[0]) == without_times(whole[name].paths[0])


def test_other_settings_are_another_run(data, tmp_path):
    conduct(SMALL, plan(data), data, tmp_path)
    (tmp_path / "fast_seed_0-2").mkdir()  # of a start that was killed before there was a config: it is free
    outcomes = conduct(SMALL, plan(data, epochs=3), data, tmp_path)
    assert [outcomes[name].paths[0].name for name in SMALL.variations] == ["slow_seed_0-2", "fast_seed_0-2"]
    assert {len(outcome.histories[0]) for outcome in outcomes.values()} == {3}


def test_other_data_are_another_run(data, tmp_path):
    conduct(SMALL, plan(data), data, tmp_path)
    changed = dataclasses.replace(data, checksums={"bars.npz": "0" * 64})
    outcomes = conduct(SMALL, plan(data), changed, tmp_path)
    assert outcomes["slow"].paths[0].name == "slow_seed_0-2"


def test_a_study_that_tests_needs_a_test_part(data, tmp_path):
    untested = dataclasses.replace(data, X_test=None, y_test=None)
    with pytest.raises(InputError, match="no test part"):
        conduct(STUDIES["mnist"], plan(data, STUDIES["mnist"]), untested, tmp_path)
    assert not list(tmp_path.iterdir())


# Divergence

WILD = {"learning_rate": 1e30, "weight_decay": 1e30}


def test_a_run_that_diverges_is_told(data, tmp_path):
    wild = dataclasses.replace(SMALL, variations={"calm": {}, "wild": WILD})
    outcomes = conduct(wild, plan(data, wild, 2), data, tmp_path)
    facts = record("wild", wild, outcomes, tmp_path)
    assert [row["diverged"] for row in facts["variations"]] == [0, 2]
    assert facts["conclusion"] == "Every run of wild diverged: nothing is concluded."
    assert facts["variations"][1]["figures"] == {}


@pytest.mark.parametrize("name", ["gradients", "initialization", "mnist"])
def test_a_picture_bears_divergence(name, data, tmp_path):
    wild = dataclasses.replace(STUDIES[name], base=STUDIES[name].base | {"hidden_size": 4, "hidden_layers": 1})
    variations = {key: {**own, **WILD} for key, own in wild.variations.items()}
    variations = {key: {k: v for k, v in own.items() if k != "hidden_size"} for key, own in variations.items()}
    wild = dataclasses.replace(wild, base=wild.base | {"optimizer": "sgd"}, variations=variations)
    outcomes = conduct(wild, plan(data, wild), data, tmp_path)
    facts = record(name, wild, outcomes, tmp_path)
    assert {row["diverged"] for row in facts["variations"]} == {1}
    assert (tmp_path / "study.png").exists()


def outcome(**figures):
    return Outcome(
        None, [None] * len(next(iter(figures.values()))), [], {k: np.array(v) for k, v in figures.items()}, 0
    )


def test_means_leave_out_what_diverged():
    o = outcome(loss=[1.0, np.nan, 4.0])
    assert (o.mean("loss"), o.sd("loss")) == (2.5, pytest.approx(statistics.stdev([1, 4])))
    assert outcome(loss=[np.nan]).mean("loss") is None
    assert outcome(loss=[3.0]).sd("loss") is None


def test_a_series_is_filled_up():
    histories = [[{"a": 1.0, "s": 9.0}, {"a": 2.0}], [{"a": 3.0, "s": 8.0}], []]
    o = Outcome(None, [], histories, {}, 0)
    nan = np.nan
    np.testing.assert_equal(o.series(lambda row: row["a"]), [[1, 2], [3, nan], [nan, nan]])
    from_start = o.series(lambda row: row["a"], lambda row: row["s"])
    np.testing.assert_equal(from_start, [[9, 1, 2], [8, 3, nan], [nan, nan, nan]])


# What the callbacks record


def network(**settings):
    return FeedForwardNeuralNetwork(
        **{"sizes": [64, 6, 5, 3], "activation": "tanh", "dtype": np.float64, "engine": "numpy"} | settings
    )


def test_norms_before_training(data):
    X, y, rows = data.X_train, data.y_train, np.arange(100)
    at_start = callbacks.AtStart(data, rows)
    untrained = network().loss_and_gradients(X[rows], y[rows])[1]
    history = network().fit(X, y, rows=rows, epochs=2, callbacks=[at_start])
    assert history[0]["at_start"]["gradient_norms"] == pytest.approx(
        [np.sqrt((dW**2).sum()) for dW in untrained.values()]
    )
    assert history[0]["at_start"]["dead_units"] == [0, 0]
    assert "at_start" not in history[1]


def test_recording_changes_nothing(data):
    plain, watched = network(), network()
    plain.fit(data.X_train, data.y_train, epochs=2)
    own = [callbacks.AtStart(data, np.arange(160)), callbacks.NeuronGradients()]
    watched.fit(data.X_train, data.y_train, epochs=2, callbacks=own)
    np.testing.assert_array_equal(watched.theta, plain.theta)


@pytest.mark.parametrize("layer", [1, 2])
def test_the_gradients_of_neurons(layer, data):
    """By plain gradient descent, whose step is −η times the gradient."""
    trained, before, steps = network(), network().weights[layer].copy(), callbacks.NeuronGradients(layer, 5, 50)
    history = trained.fit(
        data.X_train, data.y_train, optimizer="sgd", learning_rate=0.01, batch_size=160, epochs=1, callbacks=[steps]
    )
    rows = (before - trained.weights[layer])[:5] / 0.01
    assert history[0]["neuron_gradients"] == [pytest.approx(np.sqrt((rows**2).sum(axis=1)))]


def test_only_the_first_steps_over_several_epochs(data):
    history = network().fit(
        data.X_train, data.y_train, batch_size=40, epochs=3, callbacks=[callbacks.NeuronGradients(1, 5, steps=6)]
    )
    assert [len(row.get("neuron_gradients", [])) for row in history] == [4, 2, 0]
    assert [len(row.get("neuron_spread", [])) for row in history] == [4, 2, 0]


@pytest.mark.parametrize(
    ("gradients", "norms", "spread"),
    [
        ([[3, 4], [0, 0]], [5, 0], np.sqrt(12.5) / 5),  # the mean is (1.5, 2)
        ([[3, 4], [3, 4]], [5, 5], 0),
        ([[0, 0], [0, 0]], [0, 0], 0),
    ],
)
def test_spread_by_hand(gradients, norms, spread):
    steps = callbacks.NeuronGradients(1, 2, 50)
    steps.on_step(SimpleNamespace(step=1, network=SimpleNamespace(weight_gradients={1: np.array(gradients)})), 1, 0, 0)
    assert steps.norms == [norms]
    assert steps.spread == [pytest.approx(spread)]


def test_twins_stay_twins_from_zeros(data, tmp_path):
    study = STUDIES["initialization"]
    outcomes = conduct(study, plan(data, study, epochs=4), data, tmp_path)
    assert outcomes["zeros"].mean("largest_spread") < 1e-5
    assert outcomes["xavier"].mean("spread_at_first") > 0.1


def test_sigmoids_let_the_gradient_vanish(data, tmp_path):
    study = STUDIES["gradients"]
    outcomes = conduct(study, plan(data, study), data, tmp_path)
    assert outcomes["sigmoid"].mean("ratio_at_start") < 1e-2 < 1e-1 < outcomes["relu"].mean("ratio_at_start")


# What is said of figures


SCORES = {"sgd": [0.80, 0.81, 0.82], "adam": [0.90, 0.91, 0.92], "nadam": [0.91, 0.90, 0.93]}


@pytest.mark.parametrize(
    ("names", "seeds", "expected"),
    [
        (
            ["sgd", "adam", "nadam"],
            3,
            "nadam has the best validation accuracy, 91.33%; with 3 seeds adam cannot be told",
        ),
        (["sgd", "adam"], 3, "adam has the best validation accuracy, 91.00%; with 3 seeds every other one is behind"),
        (["sgd", "adam"], 1, "adam has the best validation accuracy, 90.00%; one seed cannot tell"),
    ],
)
def test_the_verdict_on_optimizers(names, seeds, expected):
    outcomes = {name: outcome(val_accuracy=SCORES[name][:seeds]) for name in names}
    assert expected in conclude(STUDIES["optimizers"], outcomes)


def test_the_verdict_on_losses():
    def scores(name, loss, values):
        return {f"{name}-{loss}": outcome(val_accuracy=values)}

    outcomes = scores("sigmoid-xavier-nadam", "cross_entropy", [0.90, 0.91]) | scores(
        "sigmoid-xavier-nadam", "mean_squared_error", [0.88, 0.89]
    )
    outcomes |= scores("relu-he-adam", "cross_entropy", [0.90, 0.91]) | scores(
        "relu-he-adam", "mean_squared_error", [0.91, 0.90]
    )
    said = conclude(STUDIES["loss"], outcomes)
    assert "2.00 ± 0.00 points with sigmoid-xavier-nadam" in said
    assert "which may be chance, with relu-he-adam" in said


def test_the_verdict_on_mnist():
    names = list(STUDIES["mnist"].variations)
    figures = zip(names, [0.975, 0.98, 0.97], [0.97, 0.9749, 0.9751], strict=True)
    outcomes = {name: outcome(val_accuracy=[v], test_accuracy=[t]) for name, v, t in figures}
    said = conclude(STUDIES["mnist"], outcomes)
    assert said.startswith("1 of 3 reach 97.5%")
    assert f"{names[1]}, the best one by validation accuracy, has 97.49%" in said  # not the best on the test set


# The picture


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]),
        ([0.5, 0.5], [0.55, 0.45]),  # of equals the first is the highest
        ([0.5, 0.52], [0.46, 0.56]),
        ([1.0, 0.99], [1.0, 0.9]),
        ([0.0, 0.0], [0.1, 0.0]),
        ([], []),
    ],
)
def test_labels_are_moved_apart(places, expected):
    assert spread(places, 0.1) == pytest.approx(expected)


def test_labels_keep_their_order_and_their_distance():
    places = np.random.default_rng(0).random(8)
    moved = spread(places, 0.1)
    assert (np.argsort(moved) == np.argsort(places)).all()
    assert np.diff(np.sort(moved)).min() > 0.1 - 1e-9
    assert 0 <= moved.min() <= moved.max() <= 1


PANELS = {
    "lines": Panel("a", "x", {"one": np.array([[1.0, 2, 3]]), "two": np.array([[3.0, 2, 1], [4, 3, 2]])}),
    "one point": Panel("a", "x", {"one": np.array([[1.0]])}),
    "of a logarithm": Panel("a", "x", {"one": np.array([[1e-5, 1.0]])}, log=True),
    "shares": Panel("a", "x", {"one": np.array([[0.1, 0.2]])}, "share", percent=True),
    "with a gap": Panel("a", "x", {"one": np.array([[1.0, np.nan], [2, 3]]), "none": np.full((2, 2), np.nan)}),
    "nothing": Panel("a", "x", {"one": np.empty((0, 0))}),
}


@pytest.mark.parametrize("what", PANELS)
def test_panels(what, tmp_path):
    draw([PANELS[what]], tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        assert (np.asarray(image.convert("L")) < 200).sum() > 300
