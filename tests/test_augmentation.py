"""Pictures that are changed while they are gathered: against SciPy and numbers by hand, in every engine, resumed."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from muslin import FeedForwardNeuralNetwork
from muslin.augmentation import BOTTOM, DOWN, LEFT, M11, OWN, RIGHT, START, STOP, TOP, WAYS, mix, mix_targets, warp
from muslin.engines import blas, engine
from muslin.errors import InputError
from muslin.training.augmentation import Augmentation
from muslin.training.settings import TrainingSettings

EVERYTHING = {
    "flip": 0.5,
    "shift": 1.5,
    "zoom": 0.2,
    "rotate": 30,
    "shear": 0.2,
    "elastic": 1.0,
    "mixup": 5.0,
    "cutmix": 0.3,
}
GENTLE = {"flip": 0.5, "shift": 1.5, "mixup": 5.0}


def augmentation(inputs=64, shape=None, **options):
    return Augmentation.of(TrainingSettings.read(options, FeedForwardNeuralNetwork.optimizers), inputs, shape)


def data(n=130):
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (n, 64)).astype(np.uint8), rng.integers(0, 4, n)


def still(n=1):
    """Ways that change nothing."""
    ways = np.zeros((n, WAYS))
    ways[:, 0] = ways[:, M11] = ways[:, LEFT] = ways[:, OWN] = 1
    return ways


def warped(X, ways, shape, fields=None):
    out = np.zeros(X.shape)
    warp(X, ways, np.zeros((1, X.shape[1], 2)) if fields is None else fields, shape, 1.0, out)
    return out


def test_moved_by_half_a_pixel_and_mirrored_by_hand():
    X, ways = np.array([[1.0, 2, 3, 4, 5, 6]]), still()
    assert warped(X, ways, (2, 3)).tolist() == X.tolist()
    ways[0, RIGHT] = 0.5
    assert warped(X, ways, (2, 3)).tolist() == [[1.5, 2.5, 1.5, 4.5, 5.5, 3]]
    ways[0, RIGHT], ways[0, DOWN] = 0, 1
    assert warped(X, ways, (2, 3)).tolist() == [[4, 5, 6, 0, 0, 0]]
    ways[0, DOWN], ways[0, M11] = 0, -1
    assert warped(X, ways, (2, 3)).tolist() == [[3, 2, 1, 6, 5, 4]]


@pytest.mark.parametrize("name", [*EVERYTHING][:6])
def test_as_scipy_reads_between_pixels(name):
    made, X = augmentation(**{name: EVERYTHING[name]}), data()[0][:40].astype(float)
    ways = made.ways(np.array([7]), 40)[0]
    i, j = np.mgrid[:8, :8] - 3.5
    out = warped(X, ways, (8, 8), made.fields)
    for n, way in enumerate(ways):
        bend = way[6] * made.fields[int(way[7])].reshape(8, 8, 2)
        s = way[0] * i + way[1] * j + 3.5 + way[4] + bend[..., 0]
        t = way[2] * i + way[3] * j + 3.5 + way[5] + bend[..., 1]
        expected = map_coordinates(X[n].reshape(8, 8), [s, t], order=1, mode="grid-constant")
        np.testing.assert_allclose(out[n].reshape(8, 8), expected, atol=1e-9)
    assert not np.array_equal(out, X)


def test_mixed_by_hand():
    P, out, ways = np.array([[1.0, 2, 3, 4], [10, 20, 30, 40]]), np.zeros((2, 4)), still(2)
    ways[0, LEFT] = ways[0, OWN] = 0.75
    ways[1, [TOP, BOTTOM, START, STOP]] = 0, 1, 1, 2
    ways[1, OWN] = 0.75
    mix(P, ways, (2, 2), out)
    assert out.tolist() == [[3.25, 6.5, 9.75, 13], [10, 2, 30, 40]]
    assert mix_targets(np.eye(2), ways).tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_how_much_is_drawn():
    """Uniform to the edges, half of them mirrored, λ = 1 − ½u⁵ in the mean 11/12, boxes as often as asked for."""
    ways = augmentation(**EVERYTHING).ways(np.arange(1, 101), 100).reshape(-1, WAYS)
    assert np.abs(ways[:, [DOWN, RIGHT]]).max() <= 1.5
    assert abs(ways[:, DOWN].mean()) < 0.03
    assert abs(np.var(ways[:, RIGHT]) - 1.5**2 / 3) < 0.03
    cut = ways[:, BOTTOM] > 0
    assert abs(cut.mean() - 0.3) < 0.02
    assert abs(ways[~cut, LEFT].mean() - 11 / 12) < 0.005
    area = (ways[:, BOTTOM] - ways[:, TOP]) * (ways[:, STOP] - ways[:, START]) / 64
    np.testing.assert_allclose(ways[:, OWN], ways[:, LEFT] - area)
    mirrored = np.linalg.det(ways[:, :4].reshape(-1, 2, 2)) < 0
    assert abs(mirrored.mean() - 0.5) < 0.02


def test_the_fields_are_smooth_and_as_strong_as_asked():
    fields = augmentation(784, elastic=1.0).fields.reshape(-1, 28, 28, 2)
    np.testing.assert_allclose(np.mean(fields**2, axis=(1, 2)), 1)
    assert np.abs(np.diff(fields, axis=1)).mean() < 0.25


@pytest.mark.parametrize("options", [GENTLE, EVERYTHING, {"shift": 40.0, "flip": 1.0}])
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def test_engines_make_the_same_pictures(options, dtype):
    pytest.importorskip("numba")
    made, (X, _), rows = augmentation(**options), data(), np.arange(60)[::-1]
    ways = made.ways(np.array([3]), 60)[0]
    pictures = []
    for name in ("numpy", "numba"):
        pictures.append(np.zeros((60, 64), dtype))
        engine(name).augment(made, X, rows, ways, pictures[-1])
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("samples", [np.asfortranarray, lambda X: X.astype(">i2")], ids=["by columns", "other bytes"])
def test_pictures_that_loops_cannot_read(samples):
    pytest.importorskip("numba")
    made, X, rows = augmentation(**GENTLE), data()[0].astype(np.float32), np.arange(60)
    ways = made.ways(np.array([3]), 60)[0]
    expected, pictures = np.zeros((60, 64)), np.zeros((60, 64))
    engine("numpy").augment(made, X, rows, ways, expected)
    engine("numba").augment(made, samples(X), rows, ways, pictures)
    np.testing.assert_array_equal(pictures, expected)


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("options", [GENTLE, EVERYTHING])
def test_on_tape_and_on_threads(options, normalization, monkeypatch):
    pytest.importorskip("numba")
    X, y = data()
    theta = {}
    for name, threads in (("numpy", 1), ("numba", 1), ("numba", 2)):
        monkeypatch.setattr("muslin.engines.player._threads", lambda step, n=threads: n)
        network = FeedForwardNeuralNetwork([64, 20, 12, 4], engine=name, normalization=normalization)
        with blas.threads(1):
            history = network.fit(X, y, epochs=2, batch_size=32, **options)
        assert (history.engine_note is None) == (name == "numba")
        theta[name, threads] = network.parameters.values
    assert np.array_equal(theta["numpy", 1], theta["numba", 1])
    np.testing.assert_allclose(theta["numba", 2], theta["numpy", 1], rtol=1e-3, atol=1e-4)


def test_resumed_as_if_never_interrupted(tmp_path):
    X, y = data()

    def trained(epochs, **more):
        network = FeedForwardNeuralNetwork([64, 20, 4], normalization="batch")
        network.fit(X, y, epochs=epochs, batch_size=32, dropout=0.1, **EVERYTHING, **more)
        return network.parameters.values

    trained(2, checkpoint=tmp_path / "c.safetensors")
    assert np.array_equal(trained(4, checkpoint=tmp_path / "c.safetensors", resume=True), trained(4))


def test_another_seed_makes_other_pictures():
    ways = [augmentation(seed=seed, **GENTLE).ways(np.array([1]), 5) for seed in (0, 0, 1)]
    assert np.array_equal(ways[0], ways[1])
    assert not np.array_equal(ways[0], ways[2])


@pytest.mark.parametrize(
    ("inputs", "shape", "sentence"),
    [(60, None, "60 inputs are no square; give image_shape"), (64, (7, 9), "image_shape is 7 × 9, and there are 64")],
)
def test_what_is_no_picture(inputs, shape, sentence):
    with pytest.raises(InputError, match=sentence):
        augmentation(inputs, shape, shift=1.0)


def test_numbers_are_not_mixed():
    network = FeedForwardNeuralNetwork([64, 5, 2], output="identity")
    with pytest.raises(InputError, match="mixup mixes the targets of classes"):
        network.fit(data()[0], np.zeros((130, 2)), mixup=5)


def test_not_square():
    X, y = data()
    network = FeedForwardNeuralNetwork([64, 5, 4])
    assert len(network.fit(X, y, epochs=1, shift=1, image_shape=(4, 16))) == 1
