"""What the terminal shows of a sweep: it fits, and each node and trial can be told from the others."""

import io
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace as Made

import pytest
from rich.console import Console

from muslin.cli.options import SafeConsole, aside
from muslin.cli.sweep_view import View, picture, short


class Worker:
    def __init__(self, node):
        self.node = node


def sweep(nodes, name="10.0.0.{}", per=2):
    """A scheduler with so many nodes, each with room for so many trials, all of which run."""
    config = {"epochs": 3, "learning_rate": 0.0005, "optimizer": "nadam", "hidden_size": 128, "weight_decay": 0.0005}
    at = [name.format(n) for n in range(nodes)]
    trials = [Made(number=n, config=config, history=[0.85] * (n % 3)) for n in range(nodes * per)]
    pool = Made(busy={}, nodes=lambda: dict.fromkeys(at, (per, per)))
    pool.busy = {Worker(at[trial.number // per]): trial for trial in trials}
    searched = [Made(path=(key,)) for key in config if key != "epochs"]
    return Made(
        counts=Counter(stopped_early=1, failed=2),
        done=10,
        done_before=0,
        elsewhere=[],
        started=0.0,
        limit=100,
        pool=pool,
        best=Made(config=config, value=0.9),
        metric=Made(name="val_accuracy"),
        sweep=Made(space=Made(searched=searched)),
    )


def lines(scheduler, width=80, height=24):
    console = Console(width=width, file=io.StringIO())
    console.print(picture(scheduler, 60.0, width, height))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


LONG = "node-{:03}.cluster.university.example.org"


@pytest.mark.parametrize("name", ["10.0.0.{}", LONG], ids=["addresses", "long names"])
@pytest.mark.parametrize("nodes", [1, 4, 40])
def test_it_fits_with_a_line_a_trial(nodes, name):
    shown = lines(sweep(nodes, name))
    assert len(shown) < 24
    running = shown[next(n for n, line in enumerate(shown) if line.startswith("running")) :]
    assert len(running) == min(2 * nodes, 16, len(running))
    assert len(running) >= min(2 * nodes, 12)
    for number, line in enumerate(running):
        assert f"{number}: learning_rate 0.0005" in line
        assert short(name.format(number // 2)) in line
        assert ("begins" if number % 3 == 0 else f"0.85 after {number % 3}") in line


@pytest.mark.parametrize("terminal", [True, False])
def test_a_note_is_for_who_looks_at_the_terminal(terminal):
    console = SafeConsole(width=80, file=io.StringIO(), force_terminal=terminal)
    with View(console) as view:
        view.note("it ends with Ctrl-C")
    assert ("it ends with Ctrl-C\n" in console.file.getvalue()) == terminal


def test_before_a_trial_runs_there_is_none_to_show():
    scheduler = sweep(1, per=0)
    assert not any("0.85" in line for line in lines(scheduler))
    assert lines(scheduler)


def test_many_nodes_are_counted_and_the_first_named():
    text = " ".join(" ".join(lines(sweep(40, LONG))).split())
    assert "nodes 40, 80 of 80 places taken: node-000 2/2, node-001 2/2," in text
    assert "node-011 2/2, and 28 more best" in text
    assert "nodes 10.0.0.0 2/2 best" in " ".join(" ".join(lines(sweep(1))).split())


def test_without_nodes_there_is_no_word_of_them():
    here = sweep(1, "")
    here.pool.nodes = dict
    assert not [line for line in lines(here) if line.startswith("nodes")]


@pytest.mark.parametrize(
    ("node", "name"),
    [("10.0.0.1", "10.0.0.1"), ("fe80::1", "fe80::1"), ("a.b.org", "a"), ("a", "a"), ("", "")],
)
def test_the_name_of_a_host(node, name):
    assert short(node) == name


def test_in_a_pipe_a_line_a_trial():
    scheduler, console = sweep(0), SafeConsole(width=80, file=io.StringIO())
    before = Made(number=0, state="finished", value=0.5, reason=None)
    scheduler.trials, scheduler.started = {0: before}, -60.0
    scheduler.best.value = 0.9
    with View(console) as view:
        view(scheduler)
        scheduler.trials |= {
            1: Made(number=1, state="finished", value=0.9, reason=None),
            2: Made(number=2, state="running", value=None, reason=None),
            3: Made(number=3, state="failed", value=None, reason="[red] it is 3"),
            4: Made(number=4, state="stopped_early", value=0.25, reason="worse than the third"),
        }
        view(scheduler)
        view(scheduler)
    told = console.file.getvalue().splitlines()
    assert [told_.partition(" (10 of 100 done, 2 failed, best 0.9, ")[0] for told_ in told] == [
        "trial 1 finished, val_accuracy 0.9",
        "trial 3 failed: [red] it is 3",
        "trial 4 stopped early, val_accuracy 0.25",
    ]
    assert all("an hour" in told_ and "left)" in told_ for told_ in told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("command", ["sweep", "train"])
def test_a_line_that_cannot_be_written_ends_no_work(command, sweep_file, tmp_path):
    sweep, training = [sweep_file(), "--workers", "1", "--count", "2"], ["--dataset", "digits", "--epochs", "1"]
    words = sweep if command == "sweep" else training
    line = [sys.executable, "-m", "muslin", command, *words, "--runs-dir", tmp_path / "runs"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stderr=full, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0
    assert "\nrun  " in done.stdout


@pytest.mark.parametrize(
    ("terminal", "variables", "draws"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_it_is_drawn_where_a_picture_can_be_redrawn(terminal, variables, draws, monkeypatch):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", Stream())
    assert aside().is_terminal == draws
    assert (View(aside(markup=True)).live is not None) == draws


def test_what_a_program_said_is_told_as_it_is():
    scheduler, console = sweep(0), SafeConsole(width=40, file=io.StringIO())
    scheduler.trials = {}
    with View(console) as view:
        view(scheduler)
        scheduler.trials = {1: Made(number=1, state="failed", value=None, reason="KeyError: 'a:key:b :smile: [red]'")}
        view(scheduler)
    assert "KeyError: 'a:key:b :smile: [red]' (" in console.file.getvalue()
