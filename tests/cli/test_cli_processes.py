"""Runs that are killed, interrupted, watched on a terminal, or read through a pipe."""

import os
import pty
import re
import shlex
import signal
import time
from functools import partial

import pytest
from toys import without_epochs

from muslin.files import read_json_lines
from muslin.runs import Run

#: a run of half a second or more that does not depend on compiled code
LONG = ["-e", "80", "-b", "6", "--hidden-size", "16,16", "-o", "nadam", "--dropout", "0.1", "--engine", "numpy"]


@pytest.fixture
def long_run(start, toy, alone):
    """Starts a long run in a process of its own, and waits until some of its epochs are saved."""

    def begin(name, *flags):
        run = alone / "my runs" / name
        # a parent that ignores Ctrl-C, as shells do for what they run behind, must not hand that on
        options = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}
        process = start("train", "-d", toy, *LONG, "--runs-dir", "my runs", "--name", name, *flags, **options)
        while len(saved(run)) < 2:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        return process, run

    return begin


def saved(run):
    path = run / "history.jsonl"
    return read_json_lines(path) if path.exists() else []


def outcome(run):
    """What must not depend on whether a run was interrupted: the model's bytes, and the figures but for the clock's."""
    figures = [{key: row[key] for key in row if "seconds" not in key and "per_second" not in key} for row in saved(run)]
    return (run / "model.safetensors").read_bytes(), figures


@pytest.fixture
def uninterrupted(child, toy, alone):
    assert child("train", "-d", toy, *LONG, "--runs-dir", "my runs", "--name", "whole").code == 0
    return outcome(alone / "my runs" / "whole")


def test_killed_or_interrupted_runs_end_as_if_nothing_had_been(long_run, child, uninterrupted):
    model, figures = uninterrupted
    assert len(figures) == 80

    process, run = long_run("killed")
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not (run / "summary.json").exists()
    before = saved(run)[: Run(run).saved_epochs]
    assert 1 <= len(before) < 80
    assert child("train", "--resume", run).code == 0
    assert outcome(run) == (model, figures)
    assert saved(run)[: len(before)] == before  # to the second: these epochs were not trained again

    process, run = long_run("interrupted")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    err = without_epochs(err)
    assert err.count("\n") == 1
    done, line = re.fullmatch(r"muslin: Interrupted; (\d+) of 80 epochs are saved. Go on with: (.*)\n", err).groups()
    assert int(done) == Run(run).saved_epochs
    assert 1 <= int(done) < 80
    program, *arguments = shlex.split(line)
    assert program == "muslin"
    code, out, err = child(*arguments)
    assert (code, without_epochs(err)) == (0, "")
    assert outcome(run) == (model, figures)


def test_interrupted_with_json(long_run):
    process, _ = long_run("x", "--json")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, without_epochs(err).count("\n")) == (130, "", 1)


def test_quiet_in_a_pipe(child, toy):
    code, out, err = child("train", "-d", toy, "-e", "3", "--engine", "numpy")
    assert (code, without_epochs(err)) == (0, "")
    assert len(out.splitlines()) == 4
    assert not set(out) & set("\r\x1b━")


def on_a_terminal(start, columns, *arguments):
    """What a terminal of that many columns is sent, and the exit code."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30"}
    process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    sent = b""
    try:
        while chunk := os.read(ours, 65_536):
            sent += chunk
    except OSError:  # Linux: the other side has closed
        pass
    os.close(ours)
    return sent.decode(), process.wait(60)


def test_progress_on_a_terminal(start, toy):
    sent, code = on_a_terminal(start, 80, "train", "-d", toy, *LONG, "-e", 120)
    shown = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", sent)]
    bars = [line for line in shown if "samples/s " in line and "left" in line]
    assert code == 0
    assert re.match(
        r"epoch \d+/120 [━╸╺ ]+ +[\d,]+ samples/s +[\d:-]+ left loss \d\.\d{4} accuracy \d+\.\d\d%$", bars[-1]
    )
    assert any(re.search(r" \d\d:\d\d left ", line) for line in bars)
    assert max(map(len, bars)) <= 80
    assert not [line for line in bars if "…" in line]
    epochs = [line for line in shown if re.match(r"epoch +\d+  loss ", line)]
    assert len(epochs) == 120
    assert re.match(r"epoch   7  loss \d\.\d{4}  accuracy [\d.]+%  val_loss \d\.\d{4}  val_accuracy [\d.]+%", epochs[6])
    assert shown[-2].startswith("run        runs/")
