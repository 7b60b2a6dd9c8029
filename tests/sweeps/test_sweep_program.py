"""Programs of the user's own: the command line that W&B's agent would build, what they log, how they end."""

import json
import struct
from importlib.util import find_spec

import pytest

from muslin.errors import InputError
from muslin.files import read_json_lines
from muslin.sweeps import program, wandb_file

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


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, ["/usr/bin/env", "python", "t.py", "--lr=0.1", "--fast=True", "--slow=False", "--layers={'n': 2}"]),
        (["${args_no_hyphens}"], ["lr=0.1", "fast=True", "slow=False", "layers={'n': 2}"]),
        (["${args_no_equals}"], ["--lr", "0.1", "--fast", "True", "--slow", "False", "--layers", "{'n': 2}"]),
        (["${args_no_boolean_flags}"], ["--lr=0.1", "--fast", "--layers={'n': 2}"]),
        (["${interpreter}", "-u", "${program}", 3], ["python", "-u", "t.py", "3"]),
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

        summary, stopped = program.train(task | {"program": str(tmp_path / "t.py"), "command": None}, report)
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
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary


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
        program.train(task | {"command": ["no-such-program"]}, print)


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
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
    assert "never logged the metric score" in err
    assert err.count("\n") == 1
