"""The real wandb client against a stub of its server; see stub.py. Every command runs in a process of its own."""

import importlib.util
import json
import math
import sys

import numpy as np
import pytest
import yaml
from client import Client
from stub import ENTITY, Stub
from world import SWEEP, TINY, World

from muslin import datasets, runs, tracking
from muslin.cli import main
from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.tracking import wandb_run

needs_wandb = pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="wandb is not installed")

FIGURES = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


def same_figures(rows, history, names=FIGURES):
    """Whether the rows at the server have the figures of a run's history, all epochs of it."""
    rows = [row for row in rows if "loss" in row]
    assert [row["_step"] for row in rows] == [row["epoch"] for row in history]
    for row, own in zip(rows, history, strict=True):
        assert all(math.isclose(row[name], own[name], rel_tol=1e-6) for name in names)
    return True


def values(run):
    return [row["val_accuracy"] for row in run.history]


def arrived(sent, run, classes=10):
    """Whether everything of a run is at the server."""
    assert sent["bucket"]["displayName"] == run.path.name
    assert same_figures(sent["history"], run.history)
    assert sent["exitcode"] == 0
    assert sent["config"]["optimizer"] == run.settings.optimizer
    assert sent["config"].keys() >= set(Settings.model_fields)
    assert sent["summary"]["best_epoch"] == run.summary["best_epoch"]
    assert sent["summary"]["parameters"] == run.summary["parameters"]
    images = [name for name in sent["files"] if name.startswith("media/images/")]
    assert sum("/samples" in name for name in images) == classes
    assert sum("/validation_confusion" in name for name in images) == 1
    assert all(sent["files"][name].startswith(b"\x89PNG") for name in images)
    return True


@needs_wandb
@pytest.mark.slow
def test_the_server_searches_and_its_agent_trains(tmp_path):
    rates = (0.01, 0.02, 0.03, 0.04)
    trials = [{**TINY, "batch_size": b, "lr": rate} for b, rate in zip((128, 5000, 64, 128), rates, strict=True)]
    for trial in trials:
        trial["max_epochs"] = trial.pop("epochs") - 1
    with Stub(trials) as stub:
        world = World(tmp_path, stub.url)
        words = ("sweep", world.sweep(), "--engine", "wandb", "--count", 4, "--json")
        out, err = world.muslin(*words)
    found = json.loads(out)
    assert found["trials"] == {"finished": 3, "stopped_early": 0, "failed": 1}
    assert found["wandb"] == "course/sweep1"
    assert stub.sweeps["sweep1"]["parameters"]["lr"] == SWEEP["parameters"]["lr"] | {"distribution": "uniform"}
    assert "trial failed: batch_size is 5000" in err
    assert list(stub.runs) == ["trial1", "trial2", "trial3", "trial4"]
    done = {run.settings.learning_rate: run for run in map(runs.Run, (tmp_path / "runs/tiny").glob("hl_*"))}
    for number in (1, 3, 4):
        sent, run = stub.runs[f"trial{number}"], done[rates[number - 1]]
        assert len(run.history) == 2
        assert arrived(sent, run)
        assert sent["bucket"]["sweep"] == "sweep1"
        assert sent["config"]["max_epochs"] == 2
        assert [row["validation_accuracy"] for row in sent["history"]] == values(run)
    assert stub.runs["trial2"]["exitcode"] == 1
    assert "batch_size is 5000" in stub.runs["trial2"]["summary"]["failed"]
    assert found["best"]["value"] == max(max(values(run)) for run in done.values())


@needs_wandb
@pytest.mark.slow
def test_an_offline_run_is_synced_later(tmp_path):
    with Stub() as stub:
        world = World(tmp_path, stub.url, key=None)
        run, err = world.train("--evaluate", "--name", "one", "--wandb-project", "course")
        line = next(line for line in err.splitlines() if "offline" in line).partition("upload with: ")[2]
        assert line.startswith("wandb sync runs/one/wandb/offline-run-")
        assert not stub.runs
        world.env["WANDB_API_KEY"] = "k" * 40
        world.call("-m", *line.split(), "--yes")
    (sent,) = stub.runs.values()
    assert arrived(sent, run)
    assert sent["bucket"]["project"] == "course"
    assert sent["summary"]["test_accuracy"] == run.summary["test_accuracy"]
    assert sum(name.startswith("media/images/confusion_matrix") for name in sent["files"]) == 1


@needs_wandb
@pytest.mark.slow
def test_the_trials_of_a_sweep_are_a_group(tmp_path):
    with Stub() as stub:
        world = World(tmp_path, stub.url)
        file = world.sweep(parameters=SWEEP["parameters"] | {"batch_size": {"value": 128}}, entity=ENTITY)
        out, _ = world.muslin("sweep", file, "--tracker", "wandb", "--count", 2, "--workers", 1, "--json")
    assert json.loads(out)["trials"]["finished"] == 2
    assert len(stub.runs) == 2
    for sent in stub.runs.values():
        assert arrived(sent, runs.Run(tmp_path / "runs/tiny" / sent["bucket"]["displayName"]))
        assert (sent["bucket"]["groupName"], sent["bucket"]["entity"]) == ("tiny", ENTITY)
        assert all(row["validation_accuracy"] == row["val_accuracy"] for row in sent["history"])


@needs_wandb
def test_a_server_out_of_reach_costs_no_run(tmp_path):
    run, err = World(tmp_path, "http://127.0.0.1:9").train("--name", "alone")
    assert len(run.history) == 3
    assert len(list(run.path.glob("wandb/offline-run-*/*.wandb"))) == 1
    assert "cannot be reached" in err
    assert "wandb sync runs/alone/wandb/offline-run-" in err


@needs_wandb
def test_the_engine_needs_a_key(tmp_path):
    world = World(tmp_path, "http://127.0.0.1:9", key=None)
    _, err = world.muslin("sweep", world.sweep(), "--engine", "wandb", code=2)
    assert "`wandb login`" in err
    assert "Without --engine wandb the sweep runs offline" in err
    assert not (tmp_path / "runs").exists()


def test_without_the_package_the_way_to_get_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"pip install 'muslin\[wandb\]'"):
        tracking.check("wandb")
    tracking.check("none")
    with pytest.raises(InputError, match="wandb"):
        tracking.check("wandbb")


def test_a_failure_of_wandb_is_said_once_and_forgiven(tmp_path, capsys):
    from muslin.tracking.wandb_run import forgiven

    class Failing(tracking.Tracker):
        active, calls = "a run", 0

        @forgiven
        def on_epoch(self, state):
            self.calls += 1
            raise ConnectionError("gone")

    data = datasets.load("digits")
    run = runs.create(Settings.read(TINY), data, tmp_path)
    failing = Failing(run, data)
    assert runs.train(run, data, [failing])["epochs"] == 3
    assert failing.calls == 1
    assert capsys.readouterr().err.count("ConnectionError: gone") == 1


def test_the_same_command_goes_on_with_the_same_sweep(tmp_path, monkeypatch):
    from muslin.sweeps import wandb_agent
    from muslin.sweeps.file import schema

    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setattr(wandb_agent, "has_key", lambda: True)
    monkeypatch.setattr(wandb_agent, "_registered", lambda sweep: "me/course/abc")
    for _ in range(2):
        assert wandb_agent.begin(schema.parse(SWEEP), tmp_path / "tiny") == "me/course/abc"
        monkeypatch.setattr(wandb_agent, "_registered", None)
    with pytest.raises(InputError, match="another sweep file"):
        wandb_agent.begin(schema.parse(SWEEP | {"method": "bayes"}), tmp_path / "tiny")


@needs_wandb
def test_the_agent_tells_a_stopped_run_from_a_failed_one(tmp_path, monkeypatch):
    from muslin.sweeps.file import schema
    from muslin.sweeps.wandb_agent import Agent

    def ends(*errors):
        """The states of runs that end with these errors, and whether the last one ends the agent."""
        agent, errors = Agent(schema.parse(SWEEP), tmp_path), list(errors)
        monkeypatch.setattr(agent, "_train", lambda end: _throw(errors.pop(0)))
        while len(errors) > 1:
            agent._run()
        try:
            agent._run()
        except Exception as error:
            return [end.state for end in agent.ended], error
        return [end.state for end in agent.ended], None

    failure = RuntimeError("no")
    assert ends(failure, None, failure, failure) == (["failed", "finished", "failed", "failed"], None)
    states, error = ends(failure, failure, failure)
    assert states == ["failed"] * 3
    assert isinstance(error, InputError)
    stop = Exception()  # as wandb.agents.pyagent throws it into the thread of a run
    assert ends(None, stop) == (["finished", "stopped_early"], stop)


def _throw(error):
    if error:
        raise error


# In this process, with a stand-in for the package


@pytest.fixture
def client(tmp_path, monkeypatch):
    for name in ("WANDB_SILENT", "WANDB_DIR"):
        monkeypatch.setenv(name, "true" if name == "WANDB_SILENT" else str(tmp_path))
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_SWEEP_ID", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "wandb", made := Client())
    return made


@pytest.fixture
def train(tmp_path):
    """Trains a run with the tracker, its test part too; returns the run."""

    def tracked(data=None, run=None, **settings):
        data = data or datasets.load("digits")
        run = run or runs.create(Settings.read(TINY | settings).for_target(data.target), data, tmp_path)
        with wandb_run.WandbTracker(run, data) as tracker:
            tracker.trained(runs.train(run, data, [tracker]))
            tracker.evaluated(runs.evaluate_test(run, data)[0], run.path / "confusion_matrix.png")
        return run

    return tracked


def test_a_run_tells_its_epochs_its_settings_and_what_came_of_it(client, train, capsys):
    run = train(diagnostics=True)
    (told,) = client.runs
    assert told.how.items() >= {"mode": "online", "resume": "allow", "project": "muslin", "entity": None}.items()
    assert (told.name, told.code) == (run.path.name, 0)
    assert told.config["hidden_size"] == 8
    *epochs, confusion, tested = told.rows
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert [row["gradient_norms.2"] for row in epochs] == [row["gradient_norms"][1] for row in run.history]
    assert [caption for _, caption, _ in epochs[0]["samples"]] == [*map(str, range(10))]
    assert "samples" not in epochs[1]
    assert confusion.keys() == {"validation_confusion_matrix"}
    assert tested["test_accuracy"] == run.summary["test_accuracy"]
    assert tested["test_f1"] == run.summary["macro"]["f1"]
    assert "confusion_matrix" in tested
    assert told.summary["val_accuracy"] == run.summary["val_accuracy"]
    assert "W&B: https://wandb.test/run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "mode", "said"),
    [
        (False, None, "W&B: offline; upload with: wandb sync "),
        (True, "offline", "W&B: offline; upload with: wandb sync "),
        (ValueError("it is too short"), None, "W&B does not take the key: it is too short; going on offline."),
    ],
)
def test_without_a_key_it_is_kept_offline(key, mode, said, client, train, capsys, monkeypatch):
    client.key = key
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    train(epochs=1)
    assert [told.how["mode"] for told in client.runs] == ["offline"]
    assert said in capsys.readouterr().err


def test_a_server_that_does_not_answer_and_a_package_that_fails(client, train, capsys):
    client.refuses["online"] = ConnectionError("no route")
    train(epochs=1)
    assert ([told.how["mode"] for told in client.runs], client.torn) == (["offline"], 1)
    assert "W&B cannot be reached (ConnectionError: no route); the run is kept offline." in capsys.readouterr().err
    client.refuses["offline"] = OSError("no disk")
    assert train(epochs=1).summary["epochs"] == 1
    assert "W&B failed (OSError: no disk); training goes on without it." in capsys.readouterr().err


def test_a_resumed_run_tells_what_is_not_there_yet(client, train):
    run = train(epochs=2)
    client.runs[0].step = 2  # the epochs before 2 are there
    begun = wandb_run.WandbTracker(run, run.dataset(), active=client.runs[0])
    before = len(client.runs[0].rows)
    begun.on_begin(type("State", (), {"history": run.history}))
    assert [row["epoch"] for row in client.runs[0].rows[before:]] == [2]
    assert client.runs[0].how["id"] == json.loads((run.path / "wandb.json").read_text())["id"]


def test_numbers_have_no_pictures(client, train):
    rng = np.random.default_rng(0)
    X = rng.random((60, 5), dtype=np.float32)
    y = X.sum(axis=1, keepdims=True)
    data = datasets.Dataset("sums", X, y, X[:20], y[:20], class_names=(), image_shape=None, checksums={})
    settings = {"dataset": "sums", "output": "identity", "loss": "mean_squared_error", "batch_size": 10}
    train(data, **settings)
    *epochs, tested = client.runs[0].rows
    assert len(epochs) == 3
    assert epochs[0]["samples"] == []
    assert {"test_r2", "confusion_matrix"} & tested.keys() == {"test_r2"}


def test_a_run_that_fails_is_said_to_have_failed(client, train, tmp_path):
    """Not one that W&B's agent stops: by an exception, which goes through."""
    data = datasets.load("digits")
    run = runs.create(Settings.read(TINY), data, tmp_path)
    with pytest.raises(InputError), wandb_run.WandbTracker(run, data, active=client.init()):
        raise InputError("the disk is full")
    assert client.runs[0].summary == {"failed": "InputError: the disk is full"}
    assert client.runs[0].code == 1
    client.breaks = 2, Exception()
    with pytest.raises(Exception, match=r"^$"):
        train()
    assert (client.runs[1].summary, client.runs[1].code) == ({}, 0)


def test_samples_of_each_class_as_a_run_of_their_own(client, capsys):
    wandb_run.log_samples(datasets.load("digits"), "course", "me")
    assert client.runs[0].how.items() >= {"job_type": "samples", "project": "course", "entity": "me"}.items()
    assert len(client.runs[0].rows[0]["samples"]) == 10
    client.refuses["online"] = ConnectionError("no route")
    wandb_run.log_samples(datasets.load("digits"))
    assert "W&B failed (ConnectionError: no route)." in capsys.readouterr().err


def test_pictures_of_other_numbers_reach_from_black_to_white():
    assert wandb_run._image(np.array([[-1.0, 0.0], [1.0, 1.0]])).tolist() == [[0, 127], [255, 255]]
    assert wandb_run._image(np.full((2, 2), 0.5)).tolist() == [[0, 0], [0, 0]]


@pytest.fixture
def sweep(tmp_path, capsys, monkeypatch):
    """`muslin sweep FILE --engine wandb …` → (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SWEEP))

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main(["sweep", "tiny.yaml", "--engine", "wandb", *words])
        return end.value.code or 0, *capsys.readouterr()

    return run


def test_a_sweep_that_wandbs_server_searches(client, sweep, tmp_path):
    trial = {key: value for key, value in TINY.items() if key != "epochs"} | {"max_epochs": 1}
    client.trials = [trial | {"lr": 0.01}, trial | {"batch_size": 5000}, trial | {"lr": 0.02}]
    code, out, err = sweep("--count", "3", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["wandb"], found["trials"]) == ("course/abc", {"finished": 2, "stopped_early": 0, "failed": 1})
    assert "muslin: W&B: Create sweep with ID: abc" in err
    assert "trial failed: batch_size is 5000" in err
    assert client.sweeps == [(SWEEP, "course", None)]
    options = {"project": "course", "entity": None, "count": 3, "max_consecutive_failed_runs": 1}
    assert client.agents == [("abc", options)]
    assert [told.code for told in client.runs] == [0, 1, 0]
    assert client.runs[0].rows[0]["validation_accuracy"] == client.runs[0].rows[0]["val_accuracy"]
    assert "batch_size is 5000" in client.runs[1].summary["failed"]
    values = {rate: told.rows[0]["val_accuracy"] for rate, told in zip((0.01, 0.02), client.runs[::2], strict=True)}
    best = max(values, key=values.get)
    assert (found["best"]["value"], found["best"]["params"]["lr"]) == (values[best], best)
    client.trials = [trial | {"lr": 0.03}]
    code, out, err = sweep()
    assert code == 0, err
    assert len(client.sweeps) == 1  # it goes on with the same
    assert out.splitlines()[0] == "trials     1 finished"
    assert out.splitlines()[1].startswith("best       validation_accuracy ")
    client.trials = []
    assert sweep()[1] == "trials     none\n"


def test_a_sweep_that_wandbs_server_cannot_search(client, sweep, tmp_path):
    client.refuses["sweep"] = ValueError("no such project")
    assert sweep()[::2] == (2, "muslin: W&B does not take the sweep: no such project\n")
    del client.refuses["sweep"]
    client.refuses["agent"] = ConnectionError("no route")
    assert "W&B's agent failed: ConnectionError: no route" in sweep()[2]
    del client.refuses["agent"]
    client.trials = [TINY | {"batch_size": 5000}] * 9
    code, out, err = sweep()
    assert (code, out) == (2, "")
    assert len(client.runs) == 3
    assert "The first 3 trials failed, the last one: batch_size is 5000" in err
