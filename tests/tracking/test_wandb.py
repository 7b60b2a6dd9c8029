"""The real wandb client against a stub of its server; see stub.py. Every command runs in a process of its own."""

import importlib.util
import json
import math
import sys

import pytest
from stub import ENTITY, Stub
from world import SWEEP, TINY, World

from muslin import datasets, runs, tracking
from muslin.errors import InputError
from muslin.runs.settings import Settings

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
