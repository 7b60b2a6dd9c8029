"""The course's scripts with a key: what is at the stub of W&B's server afterwards."""

import importlib.util
from pathlib import Path

import pytest
from stub import ENTITY, Stub
from world import SWEEP, TINY, World

from muslin.runs import Run

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="wandb is not installed")
ROOT = Path(__file__).parents[2]
TRAIN = ["-d", "digits", "-e", 2, "-b", 128, "-nhl", 1, "-sz", 8, "--engine", "numpy"]
#: training.py, the agent asking more often than usual
TRAINING = """
from wandb.agents.pyagent import Agent
Agent.HEARTBEAT_SLEEP_SECONDS = 0.1
from muslin.course.training import main
main("tiny.yaml")
"""


def images(sent, name):
    return [file for file in sent["files"] if file.startswith(f"media/images/{name}_")]


@pytest.mark.slow
def test_train_py_goes_online(tmp_path):
    with Stub() as stub:
        World(tmp_path, stub.url).call(ROOT / "train.py", *TRAIN, "-we", ENTITY, "-wp", "myprojectname")
    (sent,) = stub.runs.values()
    (run,) = map(Run, (tmp_path / "runs").iterdir())
    assert (sent["bucket"]["project"], sent["bucket"]["entity"]) == ("myprojectname", ENTITY)
    assert sent["bucket"]["displayName"] == run.path.name
    assert [row["val_accuracy"] for row in sent["history"] if "epoch" in row] == pytest.approx(
        [row["val_accuracy"] for row in run.history]
    )
    assert sent["summary"]["test_accuracy"] == run.summary["test_accuracy"]
    assert sent["summary"]["test_f1"] == run.summary["macro"]["f1"]
    assert len(images(sent, "confusion_matrix")) == 1


@pytest.mark.slow
def test_under_w_and_b_s_agent_train_py_is_the_agent_s_run(tmp_path):
    with Stub() as stub:
        world = World(tmp_path, stub.url)
        world.env |= {"WANDB_SWEEP_ID": "sweep1", "WANDB_RUN_ID": "trial1"}
        out, _ = world.call(ROOT / "train.py", *TRAIN, "--test=False")
    assert list(stub.runs) == ["trial1"]
    assert stub.runs["trial1"]["bucket"]["sweep"] == "sweep1"
    assert "test_accuracy" not in stub.runs["trial1"]["summary"]
    assert sum(line.startswith('{"epoch": ') for line in out.splitlines()) == 2


@pytest.mark.slow
def test_a_server_s_sweep_from_the_data_to_the_confusion_matrix(tmp_path):
    rates = (0.005, 0.02)
    trials = [{**TINY, "lr": rate} for rate in rates]
    for trial in trials:
        trial["max_epochs"] = trial.pop("epochs")
    with Stub(trials) as stub:
        world = World(tmp_path, stub.url)
        world.sweep()
        out, _ = world.call("-c", TRAINING, "--count", 2)
    assert [*stub.runs][:2] == ["trial1", "trial2"]
    swept = [Run(path) for path in (tmp_path / "runs" / "tiny").glob("hl_*/")]
    values = {run.settings.learning_rate: max(row["val_accuracy"] for row in run.history) for run in swept}
    assert values.keys() == set(rates)

    best = Run(tmp_path / "runs" / "tiny" / "best")
    assert best.settings.learning_rate == max(values, key=values.get)
    assert best.settings.validation == 0
    (sent,) = (sent for name, sent in stub.runs.items() if name not in ("trial1", "trial2"))
    assert sent["bucket"]["project"] == SWEEP["project"]
    assert sent["summary"]["test_accuracy"] == best.summary["test_accuracy"]
    assert len(images(sent, "confusion_matrix")) == 1
    assert f"accuracy {best.summary['test_accuracy']:.2%}" in out


@pytest.mark.slow
def test_an_image_of_each_class(tmp_path):
    with Stub() as stub:
        World(tmp_path, stub.url).call(ROOT / "datapreprocessing.py", "-d", "digits", "-wp", "p")
    (sent,) = stub.runs.values()
    assert sent["bucket"]["project"] == "p"
    assert len(images(sent, "samples")) == 10
    assert (tmp_path / "samples.png").exists()
