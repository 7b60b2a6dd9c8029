"""Batch normalization: the formulas against numbers by hand and PyTorch, and what a network does with them."""

import copy
import pickle

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.engines import blas
from muslin.errors import InputError
from muslin.gradcheck import example, gradcheck
from muslin.normalization import EPSILON, Normalization, deltas, folded, normalize, predict


def data(n=300, inputs=20, classes=5):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (n, inputs)).astype(np.uint8), rng.integers(0, classes, n)


def network(**options):
    return FeedForwardNeuralNetwork([20, 24, 17, 5], normalization="batch", **options)


def trained(epochs=2, batch_size=50, net=None, **options):
    net = net or network()
    X, y = data()
    net.fit(X, y, epochs=epochs, batch_size=batch_size, **options)
    return net


def column(*numbers):
    return np.array(numbers, float)[:, None]


def test_two_units_by_hand():
    A = np.array([[1.0, 3.0], [10.0, 10.0]], order="F")
    N, mean, variance = np.zeros_like(A), column(0, 0), column(0, 0)
    normalize(A, column(2, 3), N, mean, variance)
    one = 1 / np.sqrt(1 + EPSILON)
    assert mean.ravel().tolist() == [2, 10]
    assert variance.ravel().tolist() == [1, 0]
    np.testing.assert_allclose(N, [[-one, one], [0, 0]])
    np.testing.assert_allclose(A, [[-2 * one, 2 * one], [0, 0]])


def test_what_all_samples_have_in_common_moves_nothing():
    """A shift, or a stretch, of all of A is taken out again: dA has no mean, and no part along N."""
    rng = np.random.default_rng(0)
    A, dA = (np.asfortranarray(rng.standard_normal((4, 9))) for _ in range(2))
    A *= 1000  # beside which ε is nothing
    N, mean, variance, dgamma, db = np.zeros_like(A), *(np.zeros((4, 1)) for _ in range(4))
    normalize(A, np.ones((4, 1)), N, mean, variance)
    sums, along = dA.sum(axis=1), (dA * N).sum(axis=1)
    deltas(dA, np.ones((4, 1)), N, variance, dgamma, db)
    np.testing.assert_allclose(db[:, 0], sums)
    np.testing.assert_allclose(dgamma[:, 0], along)
    np.testing.assert_allclose(dA.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((dA * N).sum(axis=1), 0, atol=1e-8)


@pytest.mark.parametrize("activation", ["sigmoid", "gelu"])
def test_central_differences(activation):
    errors = gradcheck(*example(activation, "cross_entropy", normalization="batch"))
    assert [len(of_layer) for of_layer in errors.values()] == [3, 3, 2]
    assert max(map(max, errors.values())) < 1e-7


@pytest.mark.slow
def test_as_pytorch_does():
    torch = pytest.importorskip("torch")
    X, y = data()
    ours = network(dtype=np.float64, initializer="xavier")
    layers = []
    for k, W in ours.weights.items():
        linear = torch.nn.Linear(W.shape[1], len(W), bias=k == 3, dtype=torch.float64)
        linear.weight.data[...] = torch.tensor(np.array(W))
        if k == 3:
            linear.bias.data.zero_()
        layers += [linear, *([torch.nn.BatchNorm1d(len(W), dtype=torch.float64), torch.nn.ReLU()] if k < 3 else [])]
    theirs = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    inputs, targets = torch.tensor(X / 255), torch.tensor(y)
    for _ in range(3):
        for start in range(0, 300, 50):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(
                theirs(inputs[start : start + 50]), targets[start : start + 50]
            ).backward()
            optimizer.step()
    ours.fit(X, y, epochs=3, batch_size=50, optimizer="sgd", learning_rate=0.1, shuffle=False)
    theirs.eval()
    expected = theirs(inputs).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(ours.predict_proba(X), expected, rtol=1e-9)
    np.testing.assert_allclose(ours.parameters.running_variances[2][:, 0], theirs[4].running_var, rtol=1e-9)
    np.testing.assert_allclose(ours.gammas[1][:, 0], theirs[1].weight.detach(), rtol=1e-9)
    taken = FeedForwardNeuralNetwork.from_torch(theirs)
    np.testing.assert_allclose(taken.predict_proba(X / 255), expected, rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}, {"clip_norm": 0.5, "freeze": 1}])
def test_engines_and_threads(options, monkeypatch):
    pytest.importorskip("numba")
    values = {}
    for engine, threads in (("numpy", 1), ("numba", 1), ("numba", 2)):
        monkeypatch.setattr("muslin.engines.player._threads", lambda step, n=threads: n)
        with blas.threads(1):
            net = network(engine=engine)
            X, y = data()
            history = net.fit(X, y, epochs=2, batch_size=50, **options)
        assert (history.engine_note is None) == (engine == "numba")
        values[engine, threads] = net.parameters.values
    assert np.array_equal(values["numpy", 1], values["numba", 1])
    np.testing.assert_allclose(values["numba", 2], values["numpy", 1], rtol=1e-4, atol=1e-5)


def test_a_layer_of_one_unit():
    """NumPy adds up one row in another order than several."""
    X, y = data()
    nets = [FeedForwardNeuralNetwork([20, 1, 5], normalization="batch", engine=engine) for engine in ("numpy", "auto")]
    for net in nets:
        net.fit(X, y, epochs=2, batch_size=50)
    np.testing.assert_array_equal(nets[1].parameters.values, nets[0].parameters.values)
    np.testing.assert_allclose(nets[1].predict_proba(X), nets[0].predict_proba(X), rtol=1e-5)


def test_a_normalization_of_ones_own_is_left_to_numpy(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setitem(FeedForwardNeuralNetwork.normalizations, "own", Normalization(normalize, deltas, predict))
    X, y = data()
    own = FeedForwardNeuralNetwork([20, 24, 17, 5], normalization="own", engine="numba")
    assert "a normalization that is none of muslin's" in own.fit(X, y, epochs=2, batch_size=50).engine_note
    expected = trained(net=network(engine="numpy"))
    np.testing.assert_array_equal(own.parameters.values, expected.parameters.values)
    np.testing.assert_allclose(own.predict_proba(X), expected.predict_proba(X), rtol=1e-5)


def test_frozen_layers_stay_as_they_are():
    net = trained()
    before = copy.deepcopy(net)
    trained(net=net, freeze=1)
    for name in ("weights", "biases", "gammas", "running_means", "running_variances"):
        assert np.array_equal(getattr(net.parameters, name)[1], getattr(before.parameters, name)[1]), name
        assert not np.array_equal(getattr(net.parameters, name)[2], getattr(before.parameters, name)[2]), name


def test_decay_shrinks_matrices_only():
    net = trained(epochs=1, optimizer="adamw", weight_decay=0.5, learning_rate=1e-9)
    np.testing.assert_allclose(net.gammas[1], 1, atol=1e-6)


def test_resumed_as_if_never_interrupted(tmp_path):
    unbroken = trained(epochs=4)
    path = tmp_path / "checkpoint.safetensors"
    trained(epochs=2, checkpoint=path)
    resumed = trained(epochs=4, checkpoint=path, resume=True)
    assert np.array_equal(resumed.parameters.values, unbroken.parameters.values)


def test_early_stopping_brings_the_running_figures_back():
    X, y = data()
    seen = []
    net = network()

    def keep(state):
        seen.append(net.parameters.values.copy())

    history = net.fit(X, y, epochs=30, learning_rate=0.1, patience=2, validation_data=(X[::-1], y), callbacks=[keep])
    best = int(np.argmin(history["val_loss"]))
    assert best < len(history) - 1
    assert np.array_equal(net.parameters.values, seen[best])


def test_saved_pickled_and_folded(tmp_path):
    net, (X, _) = trained(), data()
    net.save(tmp_path / "model.safetensors")
    for other in (FeedForwardNeuralNetwork.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(net))):
        assert np.array_equal(other.predict_proba(X), net.predict_proba(X))
    plain = folded(net)
    assert plain.normalization == "none"
    np.testing.assert_allclose(plain.predict_proba(X), net.predict_proba(X), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(net.predict_proba(X[:1]), net.predict_proba(X)[:1], rtol=1e-5)


def test_predictions_do_not_look_at_the_other_samples():
    net, (X, _) = trained(), data()
    np.testing.assert_allclose(net.predict_proba(X[:7]), net.predict_proba(X)[:7], rtol=1e-5)


@pytest.mark.parametrize("batch_size", [50, 1])
def test_a_sample_alone_is_refused(batch_size):
    X, y = data(n=101)
    with pytest.raises(InputError, match="leaves one of the 101 training samples alone"):
        network().fit(X, y, batch_size=batch_size)


def test_a_name_that_is_none():
    with pytest.raises(InputError, match="normalization"):
        FeedForwardNeuralNetwork([2, 3, 2], normalization="layer")
