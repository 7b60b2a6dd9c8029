"""The network: gradients, one owner of memory, prediction, tables, saving, bad input."""

import copy
import json
import pickle
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.activations import ACTIVATIONS
from muslin.losses import losses_of

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "references.json").read_text(encoding="utf-8"))["network"]
MAKE = runpy.run_path(str(REFERENCES / "make.py"))

X = np.random.default_rng(1).standard_normal((40, 5)).astype(np.float32)
y = (X @ np.random.default_rng(2).standard_normal((5, 3))).argmax(axis=1)


def small(**settings):
    return FeedForwardNeuralNetwork([5, 6, 4, 3], **settings)


# Gradients


def random_case(activation, loss, seed):
    """A network of 1 to 4 hidden layers and a batch of 1 to 7 samples.

    Drawn again until every pre-activation is 0.01 away from 0, where relu, leaky_relu and elu have their kinks (a
    difference across a kink is a mean of two slopes, which is the slope at no point), and no layer is dead for relu.
    """
    rng = np.random.default_rng(seed)
    while True:
        sizes = rng.integers(2, 7, size=rng.integers(3, 7)).tolist()
        network = FeedForwardNeuralNetwork(sizes, activation, "xavier", loss, int(rng.integers(1000)), np.float64)
        for b in network.biases.values():
            b[...] = rng.normal(0.5, 0.5, b.shape)
        X = rng.standard_normal((rng.integers(1, 8), sizes[0]))
        if all(np.abs(A).min() > 0.01 and (A > 0).any() for A in pre_activations(network, X)):
            return network, X, rng.integers(sizes[-1], size=len(X))


def pre_activations(network, X):
    H = X.T
    for k in range(1, network.L):
        A = network.weights[k] @ H + network.biases[k]
        H = network.function(A)
        yield A


def central_differences(network, array, X, y, step=5e-4):
    """∂loss/∂array of one of the network's parameter arrays, from four points: the error is of order step⁴."""
    numerical = np.empty_like(array)
    for at in np.ndindex(array.shape):
        value, losses = array[at], []
        for distance in (-2, -1, 1, 2):
            array[at] = value + distance * step
            losses.append(network.loss_and_gradients(X, y)[0])
        array[at], numerical[at] = value, np.dot(losses, [1, -8, 8, -1]) / (12 * step)
    return numerical


def relative_error(a, n):
    return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", losses_of("softmax"))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_central_differences(activation, loss, seed):
    network, X, y = random_case(activation, loss, seed)
    _, dW, db = network.loss_and_gradients(X, y)
    for k in network.weights:
        assert relative_error(dW[k], central_differences(network, network.weights[k], X, y)) < 1e-7
        assert relative_error(db[k], central_differences(network, network.biases[k], X, y)) < 1e-7


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("loss", losses_of("softmax"))
def test_gradients_are_those_of_torch(loss, engine):
    network = FeedForwardNeuralNetwork(MAKE["SIZES"], "tanh", loss=loss, dtype=np.float64, engine=engine)
    network.theta[...] = MAKE["parameters"]()
    found, *_ = network.loss_and_gradients(MAKE["samples"](), np.array(MAKE["TARGETS"]))
    value, gradient = RECORD[loss]
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(network.gradient, gradient, rtol=0, atol=1e-15)


# One owner of memory


def fitted(tmp_path):
    network = small()
    network.fit(X, y, epochs=1)
    return network


def stopped_early(tmp_path):
    network = small()
    network.fit(X, y, epochs=20, patience=1, learning_rate=0.5)
    return network


def loaded(tmp_path):
    small().save(tmp_path / "a.safetensors")
    return FeedForwardNeuralNetwork.load(tmp_path / "a.safetensors")


ORIGINS = [
    lambda tmp_path: small(),
    fitted,
    stopped_early,
    loaded,
    lambda tmp_path: pickle.loads(pickle.dumps(small())),
    lambda tmp_path: copy.deepcopy(small()),
    lambda tmp_path: copy.copy(small()),
]


@pytest.mark.parametrize("make", ORIGINS, ids=["new", "fitted", "stopped", "loaded", "unpickled", "deepcopy", "copy"])
def test_weights_and_biases_are_writable_views_of_theta(make, tmp_path):
    network = make(tmp_path)
    for views, vector in ((network.weights, network.theta), (network.weight_gradients, network.gradient)):
        assert list(views) == [1, 2, 3]
        assert all(np.shares_memory(W, vector) for W in views.values())
    assert all(np.shares_memory(b, network.theta) for b in network.biases.values())
    network.theta[...] = np.arange(network.theta.size)
    assert sorted(v for p in (network.weights, network.biases) for a in p.values() for v in a.flat) == list(
        network.theta
    )
    network.weights[3][0, 0] = network.biases[2][1, 0] = -1
    assert (network.theta == -1).sum() == 2


def test_training_goes_on_after_every_origin(tmp_path):
    """A copy that trained orphans would not learn: scikit-learn#19626."""
    for make in ORIGINS:
        network = make(tmp_path)
        before = network.predict_proba(X)
        network.fit(X, y, epochs=1)
        assert (network.predict_proba(X) != before).any()


def test_shapes_are_those_of_the_class():
    network = small()
    assert {k: W.shape for k, W in network.weights.items()} == {1: (6, 5), 2: (4, 6), 3: (3, 4)}
    assert {k: b.shape for k, b in network.biases.items()} == {1: (6, 1), 2: (4, 1), 3: (3, 1)}
    assert network.theta.size == 6 * 5 + 4 * 6 + 3 * 4 + 6 + 4 + 3


def test_assigning_writes_into_theta():
    network = small()
    network.weights[1] = np.full((6, 5), 7.0)
    network.biases[3] = [[1], [2], [3]]
    assert (network.theta[:30] == 7).all()
    assert network.theta[-3:].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="broadcast"):
        network.weights[1] = np.ones((5, 6))
    with pytest.raises(KeyError):
        network.weights[4] = np.ones((2, 2))


def test_theta_is_not_rebound():
    network = small()
    with pytest.raises(AttributeError):
        network.theta = np.zeros_like(network.theta)
    assert np.shares_memory(network.weights[1], network.theta)


def test_update_writes_into_theta_too():
    network = small()
    network.weights.update({1: np.full((6, 5), 7.0)})
    network.biases |= {3: np.ones((3, 1))}
    assert (network.theta[:30] == 7).all()
    assert (network.theta[-3:] == 1).all()


def test_a_copy_of_the_weights_keeps_their_values():
    network = small()
    for kept in (copy.deepcopy(network.weights), pickle.loads(pickle.dumps(network.weights))):
        np.testing.assert_array_equal(kept[2], network.weights[2])
        assert not np.shares_memory(kept[2], network.theta)


def test_a_deep_copy_is_another_network():
    network = small(activation="tanh", loss="mean_squared_error", seed=5, dtype=np.float64, engine="numpy")
    network.fit(X, y, epochs=1)
    twin = copy.deepcopy(network)
    np.testing.assert_array_equal(twin.theta, network.theta)
    assert (twin.config, twin.engine.name) == (network.config, "numpy")
    assert not np.shares_memory(twin.theta, network.theta)


# Prediction


def test_probabilities():
    P = small().predict_proba(X)
    assert P.shape == (40, 3)
    assert P.dtype == np.float32
    assert P.flags.c_contiguous
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(small().predict(X), P.argmax(axis=1))


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_chunks_predict_what_samples_alone_do(engine):
    network, many = small(dtype=np.float64, engine=engine), np.tile(X, (30, 1))  # more than two chunks
    alone = np.concatenate([network.predict_proba(x[None]) for x in X])
    np.testing.assert_allclose(network.predict_proba(many), np.tile(alone, (30, 1)), rtol=1e-13)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_bytes_are_scaled(engine):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 5), dtype=np.uint8)
    network = small(dtype=np.float64, engine=engine)
    np.testing.assert_allclose(network.predict_proba(pixels), network.predict_proba(pixels / 255), rtol=1e-13)


def test_images_are_flattened_and_any_layout_will_do():
    network, images = small(), np.arange(30.0).reshape(3, 5, 2)
    network = FeedForwardNeuralNetwork([10, 4, 3])
    expected = network.predict_proba(images.reshape(3, 10))
    np.testing.assert_array_equal(network.predict_proba(images), expected)
    np.testing.assert_array_equal(network.predict_proba(np.asfortranarray(images)), expected)
    np.testing.assert_array_equal(network.predict_proba(images.tolist()), expected)


# Rows of one's own


def isru(a):
    return a / np.sqrt(1.0 + a * a)


def isru_slope(a, h):
    return (1.0 - h * h) * np.sqrt(1.0 - h * h)


def eve(theta, g, v, *, learning_rate, loss, gamma=0.9):
    v = gamma * v + (1.0 - gamma) * np.abs(g)
    return theta - learning_rate * g / (v + 0.1 + loss), v


def expectation(log_Y_hat, Y_hat, Y):
    return np.sum((1.0 - Y_hat) * Y)


def expectation_delta(Y_hat, Y):
    return Y_hat * (np.sum(Y_hat * Y, axis=0) - Y)


def constant(rng, n_out, n_in):
    return np.linspace(-1, 1, n_out * n_in).reshape(n_out, n_in)


OWN = [
    ("activations", "isru", (isru, isru_slope), {"activation": "isru"}, {}),
    ("losses", "expectation", (expectation, expectation_delta), {"loss": "expectation"}, {}),
    ("initializers", "constant", constant, {"initializer": "constant"}, {}),
    ("optimizers", "eve", eve, {}, {"optimizer": "eve", "gamma": 0.8}),
    ("optimizers", "Eve", eve, {}, {"optimizer": "EVE", "gamma": 0.8}),
]


@pytest.fixture(params=OWN, ids=[row[1] for row in OWN])
def own(request, monkeypatch):
    """A user's row in one of the tables, taken out afterwards: (settings of the network, of fit)."""
    table, name, row, *settings = request.param
    monkeypatch.setitem(getattr(FeedForwardNeuralNetwork, table), name, row)
    return settings


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_row_of_ones_own_works(own, engine):
    network = small(**{"activation": "tanh", "dtype": np.float64, "engine": engine} | own[0])
    before = network.loss_and_gradients(X, y)[0]
    network.fit(X, y, epochs=20, learning_rate=0.01, **own[1])
    assert network.loss_and_gradients(X, y)[0] < before
    _, dW, _ = network.loss_and_gradients(X, y)
    assert relative_error(dW[1], central_differences(network, network.weights[1], X, y)) < 1e-7


# Saving


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saving_and_loading_keeps_every_bit(tmp_path, dtype):
    network = small(activation="gelu", initializer="xavier", loss="mean_squared_error", seed=7, dtype=dtype)
    network.fit(X, y, epochs=1)
    network.save(tmp_path / "new" / "a.safetensors")
    again = FeedForwardNeuralNetwork.load(tmp_path / "new" / "a.safetensors")
    assert again.config == network.config
    np.testing.assert_array_equal(again.theta, network.theta)
    np.testing.assert_array_equal(again.predict_proba(X), network.predict_proba(X))


def test_numbers_of_numpy_are_saved_too(tmp_path):
    network = FeedForwardNeuralNetwork(np.array([5, 4, 3]), seed=np.int64(7), initializer_scale=np.float32(0.5))
    network.save(tmp_path / "a.safetensors")
    assert FeedForwardNeuralNetwork.load(tmp_path / "a.safetensors").config == network.config


def truncated(path):
    path.write_bytes(path.read_bytes()[:-10])


def cut_in_the_header(path):
    path.write_bytes(path.read_bytes()[:60])


def of_another_shape(path):
    save_file({"weights.1": np.ones((1, 1), np.float32)}, path, metadata={"muslin": json.dumps(small().config)})


def with_columns_missing(path):
    tensors = {f"weights.{k}": W[:, :1].copy() for k, W in small().weights.items()}
    tensors |= {f"biases.{k}": b.copy() for k, b in small().biases.items()}
    save_file(tensors, path, metadata={"muslin": json.dumps(small().config)})


DAMAGE = [
    truncated,
    cut_in_the_header,
    of_another_shape,
    with_columns_missing,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_text("epoch,loss\n1,0.5\n"),
    lambda path: path.unlink(),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: save_file({"a": np.ones(3)}, path),
    lambda path: save_file({"a": np.ones(3)}, path, metadata={"muslin": "{"}),
    lambda path: save_file({"a": np.ones(3)}, path, metadata={"muslin": "[1]"}),
    lambda path: save_file({"a": np.ones(3)}, path, metadata={"muslin": '{"sizes": [2, 2], "activation": "relo"}'}),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    small().save(path)
    damage(path)
    with pytest.raises(InputError) as caught:
        FeedForwardNeuralNetwork.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


NO_ROOM = """
import resource, sys
from muslin import FeedForwardNeuralNetwork, InputError
network = FeedForwardNeuralNetwork([100, 100, 10])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    network.save(sys.argv[1])
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_saving_where_there_is_no_room(tmp_path):
    run = [sys.executable, "-c", NO_ROOM, str(tmp_path / "a.safetensors")]
    found = subprocess.run(run, capture_output=True, text=True)
    assert found.stderr == ""
    assert found.stdout.startswith("Cannot write")
    assert list(tmp_path.iterdir()) == []


# Bad input

NETWORKS = {
    "sizes must be": [
        {"sizes": s} for s in ([], [3], [3, 0, 2], [3, 2.5, 2], [3, -1, 2], 7, "34", None, [3, "a"], [3, None])
    ],
    "dtype is": [{"dtype": d} for d in (int, "float16", "nonsense", np.complex64)],
    "seed is": [{"seed": s} for s in (-1, 1.5, True, "a", None)],
    "initializer_scale is": [{"initializer_scale": s} for s in ("a", None, float("nan"), float("inf"))],
    r"Unknown activation 'relo'; choose from .*, relu, .* Did you mean 'relu'\?$": [{"activation": "relo"}],
    r"Unknown initializer 'xaver'; .* 'xavier'\?$": [{"initializer": "xaver"}],
    r"Unknown loss 'cross_entrophy'; .* 'cross_entropy'\?$": [{"loss": "cross_entrophy"}],
    r"Unknown activation 'qqq'; choose from [a-z_, ]*\.$": [{"activation": "qqq"}],
    "Unknown activation": [{"activation": a} for a in (None, 3, ["relu"])],
    "Unknown engine": [{"engine": e} for e in (None, "cuda")],
}
NAN, INFINITY = float("nan"), float("inf")
SAMPLES = {
    r"X has the shape \(2, 4\); it must be \(samples, 5\)": [np.ones((2, 4))],
    "X has the shape": [np.ones(5), 3.0, [], np.ones((2, 5, 2))],
    "X is empty": [np.ones((0, 5)), np.ones((0, 5, 1))],
    "X holds nan in row 1, column 2": [[[0, 0, 0, 0, 0], [0, 0, NAN, 0, INFINITY]]],
    "X holds -inf in row 0, column 4": [[[0, 0, 0, 0, -INFINITY]]],
    "X holds": [np.full((2, 5), "a"), np.ones((2, 5), bool), np.ones((2, 5), object), np.ones((2, 5), complex), None],
    "X ": [[[1, 2, 3, 4, 5], [1]]],
}
LABELS = {
    "y is": [y.astype(float), y[:, None], y.astype(str), None, 3, y == 1, [[1], [1, 2]]],
    "X has 40 samples and y 39 labels": [y[1:]],
    "y holds the label 3 in row 7; labels must lie between 0 and 2": [np.where(np.arange(40) == 7, 3, y)],
    "y holds the label -1 in row 0": [np.where(np.arange(40) == 0, -1, y)],
    "y holds the one class 2": [np.full(40, 2)],
}


def rows(table):
    return [pytest.param(message, wrong) for message, wrongs in table.items() for wrong in wrongs]


def complains(message, function, *arguments, **settings):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        function(*arguments, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("message", "settings"), rows(NETWORKS))
def test_networks_that_cannot_be(message, settings):
    complains(message, FeedForwardNeuralNetwork, **{"sizes": [5, 4, 3]} | settings)


@pytest.mark.parametrize(("message", "X"), rows(SAMPLES))
def test_samples_that_cannot_be(message, X):
    complains(message, small().predict_proba, X)
    complains(message, small().fit, X, y)


@pytest.mark.parametrize(("message", "y"), rows(LABELS))
def test_labels_that_cannot_be(message, y):
    complains(message, small().fit, X, y)


def test_names_in_any_case_are_one_name():
    assert small(activation="ReLU", loss="Cross_Entropy").config == small().config


def test_the_seed_that_is_not_given_is_0():
    assert np.array_equal(small().theta, small(seed=0).theta)


def test_the_picture_names_each_layer():
    """Inputs, the activation of each hidden layer, the output."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", FeedForwardNeuralNetwork([4, 3, 5, 2], "tanh")._repr_html_())
    assert texts == ["4", "inputs", "3", "tanh", "5", "tanh", "2", "softmax"]
