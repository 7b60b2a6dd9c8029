"""The plots of the report: learning rate, diagnostics, weights of the first layer, mistakes."""

import numpy as np
import pytest
from PIL import Image

from muslin.datasets import Dataset
from muslin.report import plots

RNG = np.random.default_rng(0)
RATES = [{"epoch": e, "learning_rate": 0.001 * e} for e in range(1, 6)]
NORMS = [{"epoch": e, "gradient_norms": [0.1 / e, 0.02, 3.0 * e], "dead_units": [0.1 * e, 0.0]} for e in range(1, 6)]
DEEP = [{"epoch": e, "gradient_norms": [10.0**-k for k in range(9)], "dead_units": [0.5] * 8} for e in (1, 2)]
ODD = [{"epoch": 1, "gradient_norms": [0.0, 1e-12, None], "dead_units": [1.0, 0.0]}, NORMS[1]]
SHALLOW = [{"epoch": 1, "gradient_norms": [0.3], "dead_units": []}]
W = RNG.normal(size=(20, 36)).astype(np.float32)


def dataset(names=("a", "b", "c")):
    y = np.arange(30) % len(names)
    X = np.random.default_rng(1).integers(0, 256, (30, 36), np.uint8)
    return Dataset("a set", X, y, X, y, tuple(names), (6, 6), {})


DATA, P = dataset(), RNG.dirichlet(np.ones(3), 30)
LONG = dataset([f"{c} a name that goes on and on, $incomprehensibly_" for c in range(3)])

#: what → (plot, its arguments without the path)
DRAWN = {
    "learning rate": (plots.learning_rate, RATES),
    "learning rate of one epoch": (plots.learning_rate, RATES[:1]),
    "diagnostics": (plots.diagnostics, NORMS),
    "diagnostics of many layers": (plots.diagnostics, DEEP),
    "diagnostics with zeros and gaps": (plots.diagnostics, ODD),
    "diagnostics without a hidden layer": (plots.diagnostics, SHALLOW),
    "weights": (plots.weights, W, (6, 6)),
    "weights of one unit": (plots.weights, W[:1], (6, 6)),
    "weights of more units than there is room for": (plots.weights, np.tile(W, (9, 1)), (6, 6)),
    "weights of wide images": (plots.weights, W, (3, 12)),
    "weights that are zero": (plots.weights, 0 * W, (6, 6)),
    "mistakes": (plots.mistakes, DATA, P, np.arange(30)),
    "mistakes, three": (plots.mistakes, DATA, P, np.arange(3)),
    "mistakes, none": (plots.mistakes, DATA, P, np.arange(0)),
    "mistakes, long names": (plots.mistakes, LONG, P, np.arange(30)),
}


def draw(plot, *arguments, path):
    plot(*arguments, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("what", DRAWN)
def test_something_is_drawn(what, tmp_path):
    drawn = draw(*DRAWN[what], path=tmp_path / "a.png")
    assert 40 < min(drawn.shape[:2]) <= max(drawn.shape[:2]) < 1000
    assert (drawn < 200).any(axis=2).sum() > 300
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("learning rate", "learning rate of one epoch"),
        ("diagnostics", "diagnostics of many layers"),
        ("weights", "weights that are zero"),
        ("mistakes", "mistakes, long names"),
        ("mistakes, three", "mistakes, none"),
    ],
)
def test_what_differs_looks_different(one, other, tmp_path):
    a, b = draw(*DRAWN[one], path=tmp_path / "a.png"), draw(*DRAWN[other], path=tmp_path / "b.png")
    assert a.shape != b.shape or (a != b).sum() > 50


@pytest.mark.parametrize(("key", "layer"), [("gradient_norms", 2), ("dead_units", 1)])
def test_every_layer_is_drawn(key, layer, tmp_path):
    moved = [row | {key: [v * (k != layer) + 0.5 * (k == layer) for k, v in enumerate(row[key])]} for row in NORMS]
    a, b = (
        draw(plots.diagnostics, NORMS, path=tmp_path / "a.png"),
        draw(plots.diagnostics, moved, path=tmp_path / "b.png"),
    )
    assert (a != b).sum() > 50


def test_colors_of_weights():
    """Blue is positive, orange negative, white zero; the same size has the same strength of color."""
    weights = np.array([[-1.0, 0.0, 1.0], [0.5, -0.5, 0.0]])
    colors = plots.in_color(weights).astype(int)
    assert colors.shape == (2, 3, 3)
    red, blue = colors[..., 0], colors[..., 2]
    assert (np.sign(blue - red) == np.sign(weights)).all()
    assert (colors[weights == 0] == 255).all()
    assert colors[0, 2].sum() < colors[1, 0].sum() < 750


def test_an_outlier_does_not_bleach_the_rest():
    weights = np.full((1, 1000), 0.5)
    alone = plots.in_color(weights)[0, 1]
    weights[0, 0] = 1000
    np.testing.assert_array_equal(plots.in_color(weights)[0, 1], alone)


def test_the_strongest_units():
    weights = np.array([[1, 0], [3, 4], [0, 0], [0, -4.5], [2, 2]])
    assert plots.strongest(weights, 3).tolist() == [1, 3, 4]
    assert plots.strongest(weights, 9).tolist() == [0, 1, 2, 3, 4]


def test_the_image_of_a_unit(tmp_path):
    """One pixel of one unit is positive: it alone is blue, in the place that it has in the image."""
    weights = np.zeros((16, 4), np.float32)
    weights[5, 1] = 1
    drawn = draw(plots.weights, weights, (2, 2), path=tmp_path / "a.png").astype(int)
    blue = np.argwhere(drawn[..., 2] - drawn[..., 0] > 60)
    left, right, across = blue[:, 1].min(), blue[:, 1].max(), drawn.shape[1]
    assert right - left == pytest.approx(across / 16 / 4, abs=4)  # of 16 images, each two pixels and a margin wide
    assert (left + right) / 2 == pytest.approx(across * (5 + 2.5 / 4) / 16, abs=6)


def test_mistakes_are_those_asked_for(tmp_path):
    X = np.zeros_like(DATA.X_test)
    X[7] = 255
    bright = Dataset("a set", X, DATA.y_test, X, DATA.y_test, DATA.class_names, (6, 6), {})

    def black(rows):
        drawn = draw(plots.mistakes, bright, P, np.array(rows), path=tmp_path / "a.png")
        return np.argwhere((drawn[60:] == 0).all(axis=2))

    assert not len(black([1, 2, 8]))
    assert black([7, 1])[:, 1].max() < black([1, 7])[:, 1].min()
