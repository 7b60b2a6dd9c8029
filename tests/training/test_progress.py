"""The bar below the epochs' lines: its rate and running figures, by a clock of the test's own."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from muslin.training import progress

ROW = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.6, "val_accuracy": 0.7, "seconds": 2.5, "samples_per_second": 120.0}


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock.now)
    return clock


def shown(file):
    """The last thing on each line of the screen."""
    return [line.rpartition("\r")[2].rpartition("\x1b[2K")[2] for line in file.getvalue().split("\n")]


@pytest.fixture
def bar():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=100)
    state = SimpleNamespace(epoch=0, history=[])
    with progress.TrainingProgress(console, 4, 300) as training:
        yield training, state, file


def test_rate_and_figures(bar, clock):
    training, state, file = bar
    training.on_begin(state)
    clock.now += 0.5
    training.on_progress(state, 50, 2.0, 0.2)
    assert "epoch 1/4" in shown(file)[-1]
    assert "    100 samples/s" in shown(file)[-1]
    assert "loss 2.0000 accuracy 20.00%" in shown(file)[-1]
    clock.now += 0.05
    training.on_progress(state, 100, 1.0, 0.6)  # too soon to be drawn
    assert "loss 2.0000" in shown(file)[-1]
    clock.now += 0.45
    training.on_progress(state, 200, 1.0, 0.5)
    assert "    200 samples/s" in shown(file)[-1]
    assert "loss 1.0000 accuracy 50.00%" in shown(file)[-1]


def test_an_epoch_s_line_and_a_fresh_start(bar, clock):
    training, state, file = bar
    training.on_begin(state)
    clock.now += 1
    training.on_progress(state, 300, 9.0, 0.0)
    state.epoch, state.history = 1, [ROW]
    training.on_epoch(state)
    assert "epoch   1  loss 0.5000  accuracy 75.00%  val_loss 0.6000  val_accuracy 70.00%  (2.5 s)" in shown(file)
    clock.now += 1
    training.on_progress(state, 30, 1.0, 1.0)
    assert "epoch 2/4" in shown(file)[-1]
    assert "     30 samples/s" in shown(file)[-1]
    assert "loss 1.0000 accuracy 100.00%" in shown(file)[-1]


def test_a_resumed_run_begins_where_it_is(bar, clock):
    training, state, _ = bar
    state.epoch = 3
    training.on_begin(state)
    assert training.progress.tasks[0].percentage == 75
    clock.now += 1
    training.on_progress(state, 150, 1.0, 0.0)
    assert training.progress.tasks[0].percentage == 87.5


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_bar_fits(width, clock):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=width)
    state = SimpleNamespace(epoch=99, history=[])
    with progress.TrainingProgress(console, 150, 60_000) as training:
        training.on_begin(state)
        clock.now += 1
        training.on_progress(state, 30_000, 0.1234, 29 / 30)
        line = shown(file)[-1]
    assert len(line) <= width
    assert "epoch 100/150 ━" in line
    assert line.endswith("left loss 0.1234 accuracy 96.67%")
    assert "…" not in line


def test_a_line_an_epoch_in_a_pipe(clock):
    file = io.StringIO()
    state = SimpleNamespace(epoch=0, history=[ROW])
    with progress.TrainingProgress(Console(file=file, width=200), 4, 300) as training:
        training.on_begin(state)
        clock.now += 1
        training.on_progress(state, 300, 9.0, 0.0)
        assert file.getvalue() == ""
        state.epoch = 1
        training.on_epoch(state)
    assert file.getvalue() == (
        "epoch   1  loss 0.5000  accuracy 75.00%  val_loss 0.6000  val_accuracy 70.00%  (2.5 s)\n"
    )
