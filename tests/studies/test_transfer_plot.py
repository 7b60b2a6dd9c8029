"""The plot of a transfer shows the table."""

from contextlib import nullcontext
from math import nan

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from muslin.studies.transfer import picture


def row(fraction, *accuracies, margin=0.01):
    """A row of the table, with a standard deviation of 2 points."""
    contestants = zip(("scratch", "fine_tuned", "frozen"), accuracies, strict=True)
    difference = {"difference": accuracies[1] - accuracies[0], "standard_error": margin / 3, "margin": margin}
    return {"fraction": fraction} | {name: {"mean": mean, "sd": 0.02} | difference for name, mean in contestants}


ROWS = [row(0.01, 0.80, 0.85, 0.70), row(0.2, 0.90, 0.91, 0.80), row(1.0, 0.98, 0.97, 0.85)]
RESULTS = {"to": "mnist", "freeze": 2, "table": ROWS}


@pytest.fixture
def axes(monkeypatch):
    """The axes that are drawn on, kept."""
    axes = Figure().subplots(ncols=2)
    monkeypatch.setattr(picture, "figure", lambda *_, **__: nullcontext(axes))
    return axes


def bars(container):
    """(values, half-lengths of the bars) of a line with error bars."""
    line, _, (lines,) = container.lines
    return line.get_ydata(orig=False), [(high - low) / 2 for (_, low), (_, high) in lines.get_segments()]


def test_the_lines_are_the_table_s(axes):
    picture.curves(RESULTS, "none.png")
    left, right = axes
    assert [c.get_label() for c in left.containers] == ["from scratch", "fine-tuned", "layers 1–2 frozen"]
    expected = [[0.80, 0.90, 0.98], [0.85, 0.91, 0.97], [0.70, 0.80, 0.85]]
    for container, means in zip(left.containers, expected, strict=True):
        np.testing.assert_allclose(bars(container)[0], means)
        np.testing.assert_allclose(bars(container)[1], 0.02)
    (differences,) = right.containers
    np.testing.assert_allclose(bars(differences)[0], [0.05, 0.01, -0.01])
    np.testing.assert_allclose(bars(differences)[1], 0.01)


def test_the_axes_are_labelled_in_words_of_the_table(axes):
    picture.curves(RESULTS, "none.png")
    for ax in axes:
        assert ax.get_xscale() == "log"
        assert [label.get_text() for label in ax.get_xticklabels()] == ["1 %", "20 %", "100 %"]
    assert axes[0].get_title(loc="left") + axes[0].get_title() == "Test accuracy on mnist"
    assert axes[0].yaxis.get_major_formatter()(0.925, 0) == "92.5 %"
    assert axes[1].yaxis.get_major_formatter()(0.005, 0) == "+0.5"
    assert axes[1].yaxis.get_major_formatter()(-0.05, 0) == "-5"


@pytest.mark.parametrize(
    "results",
    [
        RESULTS,
        RESULTS | {"table": ROWS[:1], "freeze": 1},
        RESULTS | {"table": [row(f, 0.5, 0.6, 0.4, margin=nan) for f in (0.1, 1)]},
        RESULTS | {"to": "a set with a $ and a name that is as long as this one"},
    ],
    ids=["three fractions", "one fraction", "one seed", "odd name"],
)
def test_something_is_drawn(results, tmp_path):
    picture.curves(results, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        drawn = np.asarray(image.convert("L"))
    assert (drawn < 200).sum() > 300
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
