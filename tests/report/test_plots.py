"""Every plot is a PNG that opens and shows something, whatever the data."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from muslin.datasets import Dataset
from muslin.report import plots
from muslin.report.style import figure, short

NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress")


def dataset(names=NAMES, shape=(6, 6)):
    """Ten images of each class, each with some of its pixels bright."""
    rng = np.random.default_rng(0)
    y = np.arange(10 * len(names)) % len(names)
    X = rng.integers(0, 256, (len(y), shape[0] * shape[1]), np.uint8)
    return Dataset("a set", X, y, X, y, tuple(names), shape, {})


def confused(data, pairs):
    """Predictions in which the first samples of each pair's true class are taken for the other."""
    predicted = data.y_test.copy()
    for true, taken, count in pairs:
        predicted[np.flatnonzero((data.y_test == true) & (predicted == true))[:count]] = taken
    return predicted


HISTORY = [
    {"epoch": e, "loss": 2.0 / e, "accuracy": 1 - 1 / (e + 1), "val_loss": 2.2 / e, "val_accuracy": 0.9 - 1 / (e + 1)}
    for e in range(1, 8)
]
WITHOUT = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in HISTORY]
MATRIX = np.array([[8, 2, 0, 0], [1, 9, 0, 0], [0, 0, 10, 0], [0, 0, 3, 7]])
LONG = tuple(f"{i} a name that goes on and on and on, incomprehensibly" for i in range(10))
ODD = ("$a_$", "[bold]b", "கை", "line\nbreak")
DATA = dataset()
PAIRS = [(0, 1, 2), (1, 0, 1), (3, 2, 9)]

#: what → (plot, its arguments without the path)
DRAWN = {
    "curves": (plots.curves, HISTORY),
    "curves without validation": (plots.curves, WITHOUT),
    "curves of one epoch": (plots.curves, HISTORY[:1]),
    "curves with a loss that was not finite": (plots.curves, [*HISTORY, HISTORY[0] | {"val_loss": None}]),
    "confusion": (plots.confusion, MATRIX, NAMES),
    "confusion as in a JSON file": (plots.confusion, MATRIX.tolist(), list(NAMES)),
    "confusion without a mistake": (plots.confusion, np.diag([3, 4]), ("no", "yes")),
    "confusion of nothing": (plots.confusion, np.zeros((2, 2), int), ("no", "yes")),
    "confusion, long names": (plots.confusion, np.full((10, 10), 12_345), LONG),
    "confusion, odd names": (plots.confusion, MATRIX, ODD),
    "confusion of many classes": (plots.confusion, np.eye(300, dtype=int), tuple(map(str, range(300)))),
    "confused": (plots.confused, DATA, confused(DATA, PAIRS), PAIRS),
    "confused, one pair": (plots.confused, DATA, confused(DATA, PAIRS[:1]), PAIRS[:1]),
    "confused, none": (plots.confused, DATA, DATA.y_test, []),
    "confused, long names": (plots.confused, dataset(LONG), confused(dataset(LONG), PAIRS), PAIRS),
    "confused, odd names": (plots.confused, dataset(ODD), confused(dataset(ODD), PAIRS), PAIRS),
    "samples": (plots.samples, DATA),
    "samples of two classes": (plots.samples, dataset(("no", "yes"))),
    "samples, long names": (plots.samples, dataset(LONG)),
    "samples, odd names": (plots.samples, dataset(ODD)),
    "samples, wide images": (plots.samples, dataset(shape=(3, 12))),
}


def draw(plot, *arguments, path):
    plot(*arguments, path)
    return pixels(path)


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("L"))


@pytest.mark.parametrize("what", DRAWN)
def test_something_is_drawn(what, tmp_path):
    drawn = draw(*DRAWN[what], path=tmp_path / "a.png")
    assert min(drawn.shape) > 100
    assert max(drawn.shape) < 1500
    assert (drawn < 200).sum() > 300
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def different(one, other, tmp_path):
    a, b = draw(*one, path=tmp_path / "a.png"), draw(*other, path=tmp_path / "b.png")
    return a.shape != b.shape or (a != b).sum() > 50


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("curves", "curves without validation"),
        ("confusion", "confusion, odd names"),
        ("confused", "confused, one pair"),
    ],
)
def test_what_differs_looks_different(one, other, tmp_path):
    assert different(DRAWN[one], DRAWN[other], tmp_path)


@pytest.mark.parametrize(("classes", "shown"), [(10, True), (60, False)])
def test_names_and_numbers_are_shown_where_there_is_room(classes, shown, tmp_path):
    matrix = np.eye(classes, dtype=int)
    names, others = [f"{c}" for c in range(classes)], [f"class {c}" for c in range(classes)]
    assert different((plots.confusion, matrix, names), (plots.confusion, matrix, others), tmp_path) == shown
    assert different((plots.confusion, matrix, names), (plots.confusion, 7 * matrix, names), tmp_path) == shown


@pytest.mark.parametrize("what", ["confusion", "confused", "samples"])
def test_long_names_are_cut(what, tmp_path):
    def plot(ending, path):
        names = [f"{c} name of a class, with {ending}" for c in range(4)]
        data = dataset(names)
        arguments = {"confusion": (MATRIX, names), "confused": (data, confused(data, PAIRS), PAIRS), "samples": (data,)}
        getattr(plots, what)(*arguments[what], path)

    assert not different((plot, "one ending"), (plot, "another, even longer one"), tmp_path)


@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_epochs_are_whole_numbers(epochs, monkeypatch):
    axes = Figure().subplots(ncols=2)
    monkeypatch.setattr(plots, "figure", lambda *_, **__: nullcontext(axes))
    plots.curves(HISTORY[:epochs], "none.png")
    for ax in axes:
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == int(tick) for tick in ticks)


def test_one_more_mistake_is_seen(tmp_path):
    more = MATRIX.copy()
    more[2, 0] = 1
    assert different(DRAWN["confusion"], (plots.confusion, more, NAMES), tmp_path)


def other_seed(data, path):
    plots.samples(data, path, seed=1)


def test_samples_depend_on_the_seed_only(tmp_path):
    assert not different(DRAWN["samples"], DRAWN["samples"], tmp_path)
    assert different(DRAWN["samples"], (other_seed, DATA), tmp_path)


@pytest.mark.parametrize(
    ("bright", "taken", "dark"),
    [
        (4, {4: 1}, True),
        (8, {4: 1}, False),  # right
        (8, {4: 1, 8: 2}, False),  # taken for another class
        (5, {4: 1, 5: 1}, False),  # of that class
    ],
)
def test_the_images_are_the_confused_ones(bright, taken, dark, tmp_path):
    """The one bright image among black ones is shown only where it is of class 0 and taken for class 1."""
    X, predicted = np.zeros_like(DATA.X_test), DATA.y_test.copy()
    X[bright] = 255
    predicted[list(taken)] = list(taken.values())
    data = replace(DATA, X_test=X)
    image = draw(plots.confused, data, predicted, [(0, 1, 1)], path=tmp_path / "a.png")
    assert (image[:, 200:] == 0).any() == dark  # beside the text, bright is black


def test_a_figure_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), figure(tmp_path / "a.png", 2, 2):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"), [("Bag", "Bag"), ("x" * 20, "x" * 20), ("x" * 21, "x" * 19 + "…"), ("a\n  b", "a b")]
)
def test_short(name, expected):
    assert short(name) == expected


def test_the_shade_of_a_mistake_is_its_share_of_the_class():
    matrix = [[90, 9, 1], [0, 970, 30], [5, 0, 5]]
    np.testing.assert_allclose(plots.heat(matrix), [[1, 0.3, 1 / 30], [0, 1, 0.1], [1, 0, 1]])
    assert (plots.heat(np.zeros((2, 2), int)) == 0).all()


def test_many_epochs_have_no_markers(tmp_path):
    def markers(epochs):
        axes = Figure().subplots(ncols=2)
        history = [HISTORY[0] | {"epoch": e} for e in range(1, epochs + 1)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plots, "figure", lambda *_, **__: nullcontext(axes))
            plots.curves(history, "none.png")
        return {line.get_marker() for ax in axes for line in ax.lines}

    assert markers(60) == {"."}
    assert markers(61) == {""}


def test_a_constant_rate_is_nothing_to_draw():
    assert not plots.varies([{"learning_rate": 0.1}] * 3)
    assert plots.varies([{"learning_rate": 0.1}, {"learning_rate": 0.05}])
