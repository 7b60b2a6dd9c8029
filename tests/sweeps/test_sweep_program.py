"""Programs of the user's own: the command line that W&B's agent would build, what they log, how they end."""

import ast
import json
import os
import shutil
import struct
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from muslin.errors import InputError
from muslin.files import read_json, read_json_lines
from muslin.sweeps import program, wandb_file

needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
OURS = str(Path(sys.executable).parent)

CONFIG = {"lr": 0.1, "fast": True, "slow": False, "layers": {"n": 2}}
PLAIN = """
import argparse, json, os
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--n", type=int)
given = parser.parse_args()
print("sweep", os.environ["WANDB_SWEEP_ID"], "run", os.environ["WANDB_RUN_ID"], "mode", os.environ["WANDB_MODE"])
for epoch in range(1, 7):
    print(json.dumps({"epoch": epoch, "score": given.x + given.n / 10 * epoch}))
"""
WITH_WANDB = """
import argparse, wandb
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--n", type=int)
given = parser.parse_args()
with wandb.init(project="example", config=vars(given)) as run:
    for epoch in range(1, 4):
        run.log({"epoch": epoch, "score": given.x + epoch})
"""


@pytest.fixture(autouse=True)
def our_python(monkeypatch):
    """``python`` is the one that runs the tests, as in an activated environment."""
    monkeypatch.setenv("PATH", os.pathsep.join([OURS, os.environ["PATH"]]))


def test_a_record_of_an_unknown_kind_ends_the_reading():
    def record(kind, data):
        return struct.pack("<IHB", 0, len(data), kind) + data

    log = bytes(wandb_file.HEADER) + record(1, b"one") + record(9, b"two") + record(1, b"three")
    assert [*wandb_file.records(log)] == [b"one"]


def test_a_program_without_a_metric_has_no_best_trial(sweep_file, tmp_path, muslin):
    (tmp_path / "p.py").write_text("print('done')")
    file = sweep_file(metric=None, program=str(tmp_path / "p.py"))
    code, out, err = muslin("sweep", file, "--count", 2, "--workers", 1, "--runs-dir", tmp_path)
    assert code == 0, err
    assert "trials     2 finished" in out.splitlines()
    assert not any(line.startswith(("best", "next", "picture")) for line in out.splitlines())


def test_a_command_of_nothing():
    with pytest.raises(InputError, match="is empty once its macros are filled in"):
        program.Program([], {})


def test_an_error_beside_a_program_ends_it():
    with pytest.raises(ZeroDivisionError), program.Program(["sleep", "60"], os.environ) as running:  # noqa: PT012
        assert running.process.poll() is None
        raise ZeroDivisionError
    assert running.process.returncode == -9


def test_a_program_that_does_not_listen_is_made_to_end(monkeypatch):
    monkeypatch.setattr(program, "GRACE", 0.1)
    words = ["sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1; done"]
    with program.Program(words, os.environ) as running:
        assert running.output.readline() == "ready\n"
        running.stop("it was late")
        running.stop("it was told again")
        assert running.output.read() == ""
    assert (running.stopped, running.process.returncode) == ("it was late", -9)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, ["/usr/bin/env", "python", "t.py", "--lr=0.1", "--fast=True", "--slow=False", "--layers={'n': 2}"]),
        (["${args_no_hyphens}"], ["lr=0.1", "fast=True", "slow=False", "layers={'n': 2}"]),
        (["${args_no_equals}"], ["--lr", "0.1", "--fast", "True", "--slow", "False", "--layers", "{'n': 2}"]),
        (["${args_no_boolean_flags}"], ["--lr=0.1", "--fast", "--layers={'n': 2}"]),
        (["${interpreter}", "-u", "${program}", 3], ["python", "-u", "t.py", "3"]),
        (["${args_append_hydra}"], ["+lr=0.1", "+fast=True", "+slow=False", "+layers={'n': 2}"]),
        (["${args_override_hydra}"], ["++lr=0.1", "++fast=True", "++slow=False", "++layers={'n': 2}"]),
        (["a", "${unknown_macro}", "${lower}", "b"], ["a", "b"]),
        (["--lr=${lr}"], ["--lr=${lr}"]),
        (["${args_json}"], [json.dumps(CONFIG)]),
        (["${args_json_file}"], ["a.json"]),
        (["in-${envvar:PLACE}/x", "${envvar:NOT_SET}"], ["in-here/x", "NOT_SET"]),
    ],
)
def test_the_command_is_built_from_the_macros(template, words, monkeypatch):
    monkeypatch.setenv("PLACE", "here")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert program.command(template, "t.py", CONFIG, "a.json") == words


@pytest.fixture
def run(tmp_path):
    """A function that runs a program as a worker does: (summary, stopped, the rows that it logged)."""

    def run(source, stop=lambda row: None, metric="score", **config):
        (tmp_path / "t.py").write_text(source)
        task = {"run": str(tmp_path / "run"), "config": config, "metric": metric, "sweep": "s"}
        rows = []

        def report(row):
            rows.append(row)
            return stop(row)

        summary, stopped = program.run_program(task | {"program": str(tmp_path / "t.py"), "command": None}, report)
        return summary, stopped, rows

    return run


def test_json_lines_are_what_it_logs(run, tmp_path):
    summary, stopped, rows = run(PLAIN, x=0.5, n=1)
    assert (summary["iterations"], stopped) == (6, None)
    assert [row["score"] for row in rows] == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0, 1.1])
    assert "sweep s run run mode offline" in (tmp_path / "run" / "log.txt").read_text()
    kept = read_json_lines(tmp_path / "run" / "history.jsonl")
    assert kept == rows
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"] == {"x": 0.5, "n": 1}
    assert read_json(tmp_path / "run" / "summary.json") == summary


def test_a_reason_ends_it(run):
    endless = "import time\nprint('{\"score\": 1}', flush=True)\ntime.sleep(60)"
    summary, stopped, rows = run(endless, stop=lambda row: "enough")
    assert (stopped, len(rows), summary["score"]) == ("enough", 1, 1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ValueError('no such thing')", "exit code 1: ValueError: no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("raise SystemExit(3)", "exit code 3: it printed nothing"),
    ],
)
def test_a_failure_is_its_last_words(run, source, message):
    with pytest.raises(InputError, match=message):
        run(source)


def test_a_program_that_is_not_there_is_said(tmp_path):
    task = {"run": str(tmp_path / "r"), "config": {}, "metric": "m", "sweep": "s", "program": None}
    with pytest.raises(InputError, match="Cannot run 'no-such-program'"):
        program.run_program(task | {"command": ["no-such-program"]}, print)


@needs_wandb
def test_a_wandb_run_is_read(run):
    _, _, rows = run(WITH_WANDB, x=0.5, n=1)
    assert [row["score"] for row in rows] == [1.5, 2.5, 3.5]


def block(kind, data):
    return bytes(4) + struct.pack("<HB", len(data), kind) + data


def test_records_go_over_blocks_and_a_broken_one_is_left_out():
    room = wandb_file.BLOCK - 7 - (7 + 3) - 7  # after the header, a first record and the head of the next
    long = bytes(range(256)) * 200
    log = bytes(7) + block(1, b"abc") + block(2, long[:room]) + block(3, long[room : room + wandb_file.BLOCK - 7])
    log += block(4, long[room + wandb_file.BLOCK - 7 :])
    assert [*wandb_file.records(log)] == [b"abc", long]
    assert [*wandb_file.records(log[:-1])] == [b"abc"]
    padded = bytes(7) + block(1, bytes(wandb_file.BLOCK - 7 - 7 - 5)) + bytes(5) + block(1, b"next")
    assert [*wandb_file.records(padded)][1:] == [b"next"]


def test_a_sweep_of_a_program(sweep_file, tmp_path, muslin_json, muslin):
    (tmp_path / "t.py").write_text(PLAIN)
    space = dict.fromkeys(("dataset", "engine", "epochs", "hidden_layers", "hidden_size", "batch_size", "optimizer"))
    space |= {"learning_rate": None, "x": {"values": [0.4, 0.3, 0.2, 0.1]}, "n": {"values": [1, 2]}}
    changes = {"method": "grid", "metric": {"name": "score", "goal": "maximize"}, "program": str(tmp_path / "t.py")}
    early = {"early_terminate": {"type": "hyperband", "min_iter": 2}}
    found = muslin_json("sweep", sweep_file(parameters=space, **changes, **early), "--runs-dir", tmp_path)
    assert found["trials"]["finished"] + found["trials"]["stopped_early"] == 8
    assert found["trials"]["stopped_early"] > 0
    assert found["best"]["params"] == {"x": 0.4, "n": 2}
    assert found["best"]["value"] == pytest.approx(1.6)
    code, _, err = muslin("best", found["sweep"])
    assert code == 2
    assert "are a program's" in err


def test_a_program_that_never_logs_the_metric_is_said(sweep_file, tmp_path, muslin):
    (tmp_path / "t.py").write_text("print('accuracy 0.9')")
    changes = {"metric": {"name": "score"}, "program": str(tmp_path / "t.py")}
    code, _, err = muslin("sweep", sweep_file(**changes), "--runs-dir", tmp_path, "--workers", 1)
    assert code == 2
    *trials, last = err.splitlines()
    assert "never logged the metric score" in last
    assert all(line.startswith("trial ") for line in trials)


@needs_wandb
def test_the_command_is_that_of_wandb_s_own_agent(monkeypatch):
    from wandb.sdk.launch.sweeps import utils

    names = "args args_no_equals args_no_hyphens args_no_boolean_flags args_json args_append_hydra args_override_hydra"
    theirs = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in CONFIG.items()}})
    for name in names.split():
        assert program.command([f"${{{name}}}"], "t.py", CONFIG) == theirs[name]
    monkeypatch.setenv("PLACE", "here")
    template = ["in-${envvar:PLACE}/x", "${envvar:NOT_SET}", "x"]
    assert program.command(template, "t.py", CONFIG) == utils.create_sweep_command([*template])


def test_a_command_without_a_program(run, tmp_path):
    task = {"run": str(tmp_path / "r"), "config": {"x": 1}, "metric": "score", "sweep": "s", "program": None}
    line = 'import sys; print(\'{"score": \' + sys.argv[1].partition("=")[2] + "}")'
    rows = []
    program.run_program(task | {"command": ["${interpreter}", "-c", line, "${args}", "${program}"]}, rows.append)
    assert rows == [{"score": 1}]
    assert json.loads((tmp_path / "r" / "config.json").read_text())["command"][-1] == "--x=1"


def test_what_it_sees(run, tmp_path, monkeypatch):
    show = "import os; print({k: v for k, v in os.environ.items() if k.startswith('WANDB')})"
    monkeypatch.delenv("WANDB_DIR", raising=False)
    run(show, metric=None, lr=0.1, deep={"n": 2})
    seen = ast.literal_eval((tmp_path / "run" / "log.txt").read_text())
    assert seen["WANDB_DIR"] == str(tmp_path / "run")
    assert (seen["WANDB_MODE"], seen["WANDB_SWEEP_ID"], seen["WANDB_RUN_ID"]) == ("offline", "s", "run")
    file = Path(seen["WANDB_SWEEP_PARAM_PATH"])
    assert yaml.safe_load(file.read_text()) == {"wandb_version": 1, "lr": {"value": 0.1}, "deep": {"value": {"n": 2}}}
    monkeypatch.setenv("WANDB_DIR", "/elsewhere")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run(show, metric=None)
    seen = ast.literal_eval((tmp_path / "run" / "log.txt").read_text())
    assert (seen["WANDB_DIR"], seen["WANDB_MODE"]) == ("/elsewhere", "disabled")


def test_entity_and_project_are_the_file_s(tmp_path):
    task = {"sweep": "s", "entity": "e", "project": "p"}
    found = program.environment(task, tmp_path)
    assert (found["WANDB_ENTITY"], found["WANDB_PROJECT"]) == ("e", "p")


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_the_one_on_the_path(tmp_path, monkeypatch, name):
    (tmp_path / "bin").mkdir()
    own = tmp_path / "bin" / name
    own.write_text("#!/bin/sh\necho mine\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    path = program.environment({"sweep": "s"}, tmp_path)["PATH"]
    assert shutil.which("python", path=path) == (str(own) if name == "python" else shutil.which("python", path=OURS))


def test_the_reason_is_the_exception_not_the_last_line(tmp_path):
    log = tmp_path / "log.txt"
    text = "epoch 1\nTraceback (most recent call last):\n  File 't.py'\nKeyError: 'a'\n\nDuring handling …:\n\n"
    text += (
        "Traceback (most recent call last):\n  File 't.py', line 1\n    f()\n\x1b[31mmine.Error: no lr\x1b[0m\n more\n"
    )
    log.write_text(text + "wandb: \nwandb: You can sync this run to the cloud by running:\nwandb: wandb sync x\n")
    assert program.last_words(log) == "mine.Error: no lr"
    log.write_text("fatal: no such data\nwandb: Find logs at: x\n")
    assert program.last_words(log) == "fatal: no such data"
    log.write_text("wandb: only\n")
    assert program.last_words(log) == "it printed nothing."


HANGING = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
print('{"score": 1}', flush=True)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["ends", "is stopped", "is late", "ignores that it is told to end"])
def test_nothing_outlives_a_trial(tmp_path, how, monkeypatch):
    """A child that holds the output open, too: the trial would not end before it does."""
    monkeypatch.setattr(program, "GRACE", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    end = "" if how == "ends" else "time.sleep(600)"
    (tmp_path / "t.py").write_text((deaf if how.startswith("ignores") else "") + HANGING + end)
    (tmp_path / "run.sh").write_text(f"{sys.executable} {tmp_path / 't.py'}\necho never >> {tmp_path / 'after'}")
    task = {"run": str(tmp_path / "r"), "config": {}, "metric": "score", "sweep": "s", "program": None}
    task |= {"command": ["bash", str(tmp_path / "run.sh")], "timeout": 1 if how == "is late" else None}
    stop = how == "is stopped" or how.startswith("ignores")
    if how == "is late":
        with pytest.raises(InputError, match="took longer than 1 seconds, and was ended"):
            program.run_program(task, lambda row: None)
    else:
        summary, stopped = program.run_program(task, lambda row: "enough" if stop else None)
        assert (summary["score"], stopped) == (1, "enough" if stop else None)
    pid = int((tmp_path / "r" / "log.txt").read_text().split()[1])
    until = time.monotonic() + 10  # the kernel takes its time over a process that was killed
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(pid)
    assert (tmp_path / "after").exists() == (how == "ends")


def test_a_hanging_trial_ends_and_the_sweep_goes_on(sweep_file, tmp_path, muslin_json):
    text = "import sys, time\nx = int(sys.argv[1][-1])\nprint('{\"score\": %d}' % x, flush=True)\n"
    (tmp_path / "t.py").write_text(text + "time.sleep(600 * (x == 1))")
    space = dict.fromkeys(("dataset", "engine", "epochs", "hidden_layers", "hidden_size", "batch_size", "optimizer"))
    space |= {"learning_rate": None, "x": {"values": [1, 2, 3]}}
    changes = {"method": "grid", "metric": {"name": "score"}, "program": str(tmp_path / "t.py")}
    file = sweep_file(parameters=space, **changes)
    found = muslin_json("sweep", file, "--runs-dir", tmp_path, "--workers", 1, "--trial-timeout", 1)
    assert found["trials"] == {"finished": 2, "stopped_early": 0, "failed": 1}
    assert found["best"]["params"] == {"x": 2}


#: the forms in which public repositories write programs for W&B's sweeps → a trial's value
FORMS = {
    "wandb.config alone": "import wandb\nwandb.init(project='p')\nwandb.log({'score': wandb.config.x})",
    "config=defaults": "import wandb\nwandb.init(config=dict(x=9, n=1))\nwandb.log({'score': wandb.config['x']})",
    "summary": "import wandb\nr = wandb.init()\nr.summary['score'] = r.config.x",
    "dir=": "import wandb\nr = wandb.init(dir='elsewhere')\nr.log({'score': r.config.x})\nr.log({'other': 1})",
    "the best of history and summary": (
        "import wandb\nr = wandb.init()\nr.log({'score': 1.0})\nr.summary['score'] = r.config.x"
    ),
}


@needs_wandb
@pytest.mark.parametrize(
    "form", [f if f == "config=defaults" else pytest.param(f, marks=pytest.mark.slow) for f in FORMS]
)
def test_a_program_for_wandb_as_people_write_it(form, sweep_file, tmp_path, muslin_json, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "t.py").write_text(FORMS[form])
    space = dict.fromkeys(("dataset", "engine", "epochs", "hidden_layers", "hidden_size", "batch_size", "optimizer"))
    space |= {"learning_rate": None, "x": {"value": 0.25}}
    command = ["${env}", "${interpreter}", "${program}"]
    changes = {"method": "grid", "metric": {"name": "score"}, "program": "t.py", "command": command}
    found = muslin_json("sweep", sweep_file(parameters=space, **changes), "--workers", 1)
    assert found["best"]["value"] == 0.25


ENDLESS = """
import time, wandb
with wandb.init(project="p") as run:
    for epoch in range(10 if run.config.x < 2 else 400):
        run.log({"val": {"score": run.config.x + epoch / 1000}, "epoch": epoch})
        time.sleep(0.05 if run.config.x < 2 else 0.2)
"""


@pytest.mark.slow
@needs_wandb
def test_a_program_that_only_calls_wandb_log_is_stopped_early(sweep_file, tmp_path, muslin_json, monkeypatch):
    """The second would take 80 s."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    (tmp_path / "t.py").write_text(ENDLESS)
    space = dict.fromkeys(("dataset", "engine", "epochs", "hidden_layers", "hidden_size", "batch_size", "optimizer"))
    space |= {"learning_rate": None, "x": {"values": [1, 5]}}
    changes = {"method": "grid", "metric": {"name": "val.score"}, "program": "t.py"}
    early = {"early_terminate": {"type": "hyperband", "min_iter": 3}}
    start = time.monotonic()
    found = muslin_json("sweep", sweep_file(parameters=space, **changes, **early), "--workers", 1)
    assert found["trials"] == {"finished": 1, "stopped_early": 1, "failed": 0}
    assert found["best"] == {"value": 1.0, "params": {"x": 1}, "run": "runs/tiny/x_1"}
    assert time.monotonic() - start < 60
    rows = Path("runs/tiny/x_1/history.jsonl").read_text().splitlines()
    assert len([row for row in rows if "score" in row]) == 10
