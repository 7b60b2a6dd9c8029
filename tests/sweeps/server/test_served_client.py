"""W&B's own client, as it is, through `muslin offline` and `muslin serve`."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

COURSE = '''
"""The way of working of the course: a dictionary, a function, an agent."""
import numpy as np
import wandb
from wandb.agents import pyagent

pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.2  # a test has no five seconds
wandb.login(key="70954bb73c536b7f5b23ef315c7c19b511e8a40f")  # of the author's
sweep = {
    "name": "course",
    "method": "random",
    "metric": {"name": "val_accuracy", "goal": "maximize"},
    "parameters": {"epochs": {"values": [2, 3]}, "learning_rate": {"min": 0.001, "max": 0.1}},
}


def train():
    wandb.init(config={"epochs": 99, "optimizer": "nadam"})
    c = wandb.config
    wandb.run.name = f"ep_{c.epochs}_opt_{c.optimizer}_lr_{c.learning_rate:.4f}"
    for epoch in range(c.epochs):
        wandb.log({"epoch": epoch, "loss": 1 / (epoch + 1), "val_accuracy": 0.5 + c.learning_rate * epoch})
    names = ["shirt", "bag"]
    wandb.log({"confusion": wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=names)})
    wandb.log({"samples": [wandb.Image(np.zeros((4, 4), np.uint8), caption="a shirt")]})
    wandb.finish()


identity = wandb.sweep(sweep, entity="some-team", project="fashion")
wandb.agent(identity, function=train, count=2)
best = wandb.Api().sweep(f"some-team/fashion/{identity}").best_run()
print("BEST", best.name, best.summary["val_accuracy"])
'''


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """offline(words, …) → the finished process of `muslin offline …` in a folder and a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)

    def call(*words, **options):
        line = [sys.executable, "-m", "muslin", "offline", *words]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, **options)

    return call


def test_the_course_s_script_runs_as_it_is(offline, tmp_path):
    pytest.importorskip("wandb")
    (tmp_path / "course.py").write_text(COURSE)
    found = offline(sys.executable, "course.py")
    assert found.returncode == 0, found.stderr
    (sweep,) = (tmp_path / "runs").glob("*/*/sweep.json")
    runs = sorted(sweep.parent.glob("*/config.json"))
    assert len(runs) == 2
    for path in runs:
        config = json.loads(path.read_text())
        assert config["config"]["epochs"] in (2, 3), "the sweep's value, not the default"
        assert config["config"]["optimizer"] == "nadam"
        assert config["name"].startswith("ep_")
        history = [json.loads(line) for line in (path.parent / "history.jsonl").read_text().splitlines()]
        assert len(history) == config["config"]["epochs"] + 2
        assert json.loads((path.parent / "summary.json").read_text())["state"] == "finished"
        assert list((path.parent / "files" / "media" / "images").glob("*.png"))
        assert list((path.parent / "files" / "media" / "table").glob("*.table.json"))
    values = [json.loads((path.parent / "summary.json").read_text())["val_accuracy"] for path in runs]
    assert f" {max(values)}" in next(line for line in found.stdout.splitlines() if line.startswith("BEST"))
    assert f"sweep of 2 runs  runs/{sweep.parent.relative_to(tmp_path / 'runs')}" in found.stderr
    assert "wandb sync wandb/run-" in found.stderr


@pytest.mark.parametrize(("script", "code"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 15)", 143)])
def test_the_exit_code_is_the_program_s(offline, script, code):
    assert offline(sys.executable, "-c", script).returncode == code


def test_options_after_the_command_are_the_program_s(offline):
    script = "import os, sys; print(sys.argv[1:], os.environ['WANDB_BASE_URL'])"
    found = offline("--runs-dir", "elsewhere", sys.executable, "-c", script, "--json", "--runs-dir", "x")
    assert found.stdout.startswith("['--json', '--runs-dir', 'x'] http://127.0.0.1:")


def test_json_is_the_last_word(offline):
    found = offline("--json", sys.executable, "-c", "print('said')")
    assert json.loads(found.stdout) == {"code": 0, "runs": [], "runs_dir": "runs", "upload": []}
    assert "said" in found.stderr


def test_a_command_that_is_not_there(offline):
    found = offline("no-such-command")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("muslin: Cannot run 'no-such-command'")


def test_ctrl_c_is_the_program_s(tmp_path):
    script = "import time\ntry: print('on', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(5)"
    line = [sys.executable, "-m", "muslin", "offline", sys.executable, "-c", script]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=tmp_path, **options) as process:
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 5


@pytest.mark.slow
def test_what_a_program_logs_is_heard_while_it_runs(tmp_path):
    pytest.importorskip("wandb")
    from muslin.sweeps.server.listener import listening

    heard = []
    script = "import wandb\nwith wandb.init(project='p') as run:\n for i in range(3): run.log({'loss': i})"
    with listening(tmp_path / "runs", lambda run, row: heard.append((run, row["loss"]))) as environment:
        variables = environment(os.environ | {"WANDB_RUN_ID": "trial-1", "WANDB_SILENT": "true", "HOME": str(tmp_path)})
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=variables, check=True, timeout=60)
    assert heard == [("trial-1", 0), ("trial-1", 1), ("trial-1", 2)]


@pytest.mark.slow
def test_a_server_that_is_killed_again_and_again(tmp_path, monkeypatch):
    """Two agents, five kills: each trial is run once, each history is whole."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "prog.py").write_text(
        "import sys, time, wandb\nfrom wandb.agents import pyagent\npyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.5\n"
        "def train():\n"
        "    with wandb.init() as run:\n"
        "        for e in range(5): run.log({'loss': run.config.x, 'e': e}); time.sleep(0.2)\n"
        "if sys.argv[1] == 'make':\n"
        "    parameters = {'x': {'values': [*range(8)]}}\n"
        "    sweep = {'method': 'grid', 'metric': {'name': 'loss'}, 'parameters': parameters}\n"
        "    print('ID', wandb.sweep(sweep, project='k'))\n"
        "else: wandb.agent(sys.argv[1], function=train, project='k')\n"
    )
    line = [sys.executable, "-m", "muslin", "serve", "--port", "0"]

    def serve(port="0"):
        process = subprocess.Popen([*line[:-1], port], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        return process, process.stdout.readline().rpartition(":")[2].strip()

    server, port = serve()
    key = (tmp_path / "runs" / ".server" / "key").read_text()
    ours = {"WANDB_BASE_URL": f"http://127.0.0.1:{port}", "WANDB_API_KEY": key, "WANDB_SILENT": "true"}
    options = {"cwd": tmp_path, "env": os.environ | ours}
    made = subprocess.run([sys.executable, "prog.py", "make"], **options, capture_output=True, text=True, check=True)
    sweep = made.stdout.split("ID ")[1].strip()
    agents = [
        subprocess.Popen([sys.executable, "prog.py", sweep], **options, stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    try:
        for _ in range(5):
            time.sleep(3)
            server.kill()
            server.wait()
            server, _ = serve(port)
        assert [agent.wait(240) for agent in agents] == [0, 0]
    finally:
        for process in (server, *agents):
            process.kill()
            process.wait()
        server.stdout.close()
    histories = sorted((tmp_path / "runs" / "k" / sweep).glob("*/history.jsonl"))
    rows = [[json.loads(line) for line in path.read_text().splitlines()] for path in histories]
    assert sorted(history[0]["loss"] for history in rows) == [*range(8)]
    assert all([row["e"] for row in history] == [*range(5)] for history in rows)
