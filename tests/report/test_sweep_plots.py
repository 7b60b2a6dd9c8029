"""Parallel coordinates: every line can be told from the others, the best is on top, and a key says what colors mean."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from muslin.report import sweep_plots
from muslin.report.style import VALIDATION

ROWS = [
    {"optimizer": optimizer, "batch_size": size, "accuracy": 0.5 + 0.01 * i}
    for i, (optimizer, size) in enumerate([("adam", 16), ("sgd", 64), ("nadam", 16), ("adam", 64)] * 4)
]


def drawn(monkeypatch, goal):
    ax = Figure().subplots()
    monkeypatch.setattr(sweep_plots, "figure", lambda *_, **__: nullcontext(ax))
    metric = SimpleNamespace(name="accuracy", goal=goal)
    sweep_plots.parallel_coordinates(ROWS, ["optimizer", "batch_size"], set(), metric, "none.png")
    return ax


@pytest.mark.parametrize(("goal", "best"), [("maximize", 15), ("minimize", 0)])
def test_the_best_is_on_top_and_thick(goal, best, monkeypatch):
    top = drawn(monkeypatch, goal).patches[-1]
    assert to_hex(top.get_edgecolor()) == VALIDATION.lower()
    assert top.get_linewidth() > 2 * max(p.get_linewidth() for p in drawn(monkeypatch, goal).patches[:-2])
    assert top.get_path().vertices[-1, 1] == pytest.approx(best / 15)


def test_no_two_lines_lie_on_each_other(monkeypatch):
    """Trials of one configuration start at places of their own."""
    starts = [patch.get_path().vertices[0, 1] for patch in drawn(monkeypatch, "maximize").patches[:-1]]
    assert np.diff(np.sort(starts)).min() > 1e-3


def test_the_key_says_what_the_colors_mean(monkeypatch):
    key = drawn(monkeypatch, "maximize").figure.axes[1]
    assert [label.get_text() for label in key.get_yticklabels()] == ["0.5", "0.58", "0.65"]
    assert key.get_title() == "accuracy"
