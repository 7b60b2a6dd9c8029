"""Weights of samples and classes: in every loss, both engines, plain and recorded; beside PyTorch and by hand."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.losses import losses_of
from muslin.outputs import OUTPUTS

rng = np.random.default_rng(0)
N, X = 96, rng.standard_normal((96, 6))
Y = {
    "class": rng.integers(0, 3, N),
    "labels": rng.integers(0, 2, (N, 3)),
    "numbers": 2 * rng.standard_normal((N, 3)),
    "counts": rng.poisson(2.0, (N, 3)),
}
W = rng.integers(0, 4, N).astype(float)
PAIRS = [(output, loss) for output in OUTPUTS for loss in losses_of(output)]
each_pair = pytest.mark.parametrize(("output", "loss"), PAIRS)


def network(output, loss, engine="numpy", dtype=np.float64):
    return FeedForwardNeuralNetwork([6, 8, 3], "tanh", output=output, loss=loss, engine=engine, dtype=dtype)


def target(output):
    return Y[OUTPUTS[output].target]


@each_pair
def test_a_weight_counts_as_so_many_samples(output, loss):
    """With all samples in one batch, weights are repetitions: to rounding the same steps, and the same loss."""
    options = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 5, "shuffle": False}
    weighted, repeated = network(output, loss), network(output, loss)
    a = weighted.fit(X, target(output), sample_weight=W, batch_size=N, **options)
    many = np.repeat(np.arange(N), W.astype(int))
    b = repeated.fit(X[many], target(output)[many], batch_size=len(many), **options)
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=0, atol=1e-12)
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-10)
    plain = network(output, loss)
    plain.fit(X, target(output), batch_size=N, **options)
    assert np.abs(plain.theta - weighted.theta).max() > 1e-4


@each_pair
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
def test_the_recorded_step_is_the_plain_one(output, loss, weights):
    pytest.importorskip("numba")
    theta = []
    for engine in ("numpy", "numba"):
        made = network(output, loss, engine, np.float32)
        history = made.fit(X, target(output), sample_weight=weights, batch_size=16, epochs=3)
        theta.append(made.theta)
    assert history.engine_note is None
    np.testing.assert_array_equal(*theta)


def test_the_scale_of_weights_does_not_matter():
    theta = []
    for w in (None, np.ones(N), np.full(N, 7.5)):
        made = network("softmax", "cross_entropy")
        made.fit(X, Y["class"], sample_weight=w, epochs=2)
        theta.append(made.theta)
    np.testing.assert_array_equal(theta[0], theta[1])
    np.testing.assert_allclose(theta[1], theta[2], rtol=1e-12)


def test_class_weights_by_hand():
    counts = np.bincount(Y["class"])
    by_hand = (N / (3 * counts))[Y["class"]]
    theta = []
    by_number = dict(enumerate(1 / counts))
    for options in ({"class_weight": "balanced"}, {"sample_weight": by_hand}, {"class_weight": by_number}):
        made = network("softmax", "cross_entropy")
        made.fit(X, Y["class"], epochs=2, **options)
        theta.append(made.theta)
    np.testing.assert_allclose(theta[0], theta[1], rtol=1e-12)
    np.testing.assert_allclose(theta[0], theta[2], rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_weight": -W}, "not negative"),
        ({"sample_weight": W[:5]}, "one number a sample"),
        ({"sample_weight": W * np.nan}, "finite"),
        ({"sample_weight": W * 0}, "all 0"),
        ({"class_weight": "even"}, "class_weight is 'even'"),
        ({"class_weight": {5: 1.0}}, "has the class 5"),
        ({"class_weight": {0: -1.0}}, "not negative"),
    ],
)
def test_weights_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        network("softmax", "cross_entropy").fit(X, Y["class"], epochs=1, **options)


def test_one_label_that_is_there_or_not_is_of_two_classes():
    labels = (np.arange(N) % 4 == 0).astype(int)[:, None]  # a quarter has it
    theta = []
    for options in ({"class_weight": "balanced"}, {"class_weight": {0: 2 / 3, 1: 2}}, {}):
        made = FeedForwardNeuralNetwork([6, 8, 1], output="sigmoid", engine="numpy", dtype=np.float64)
        made.fit(X, labels, epochs=2, **options)
        theta.append(made.theta)
    np.testing.assert_allclose(theta[0], theta[1], rtol=1e-12)
    assert np.abs(theta[0] - theta[2]).max() > 1e-4
    with pytest.raises(InputError, match="class_weight is for classes"):
        network("sigmoid", "cross_entropy").fit(X, Y["labels"], epochs=1, class_weight="balanced")


def test_class_weights_are_for_classes():
    with pytest.raises(InputError, match="class_weight is for classes"):
        network("identity", "huber").fit(X, Y["numbers"], epochs=1, class_weight="balanced")


def test_a_loss_that_is_a_sum_cannot_be_weighted(monkeypatch):
    def total(Z, Y_hat, Y):
        return -np.vdot(Y, Z)

    rows = FeedForwardNeuralNetwork.losses["cross_entropy"]["softmax"]
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "total", (total, rows[1]))
    made = network("softmax", "total")
    made.fit(X, Y["class"], epochs=1)
    with pytest.raises(InputError, match="must return its terms"):
        made.fit(X, Y["class"], epochs=1, sample_weight=W)


def test_a_checkpoint_belongs_to_its_weights(tmp_path):
    made = network("softmax", "cross_entropy")
    made.fit(X, Y["class"], epochs=1, sample_weight=W, checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="other weights"):
        network("softmax", "cross_entropy").fit(
            X, Y["class"], epochs=2, sample_weight=W[::-1], checkpoint=tmp_path / "c", resume=True
        )


@pytest.mark.parametrize(
    ("output", "y", "words"),
    [
        ("sigmoid", Y["numbers"], "labels must be 0 or 1"),
        ("sigmoid", Y["class"], r"must be \(samples, 3\)"),
        ("identity", Y["numbers"] * np.inf, "must be finite"),
        ("identity", Y["numbers"][:5], "they must be as many"),
        ("identity", np.full((N, 3), "a"), "must hold numbers"),
        ("exponential", -1 - Y["counts"], "not negative"),
    ],
)
def test_targets_that_cannot_be(output, y, words):
    with pytest.raises(InputError, match=words):
        FeedForwardNeuralNetwork([6, 3], output=output).fit(X, y, epochs=1)


def test_losses_and_outputs_that_do_not_go_together():
    with pytest.raises(InputError, match=r"huber does not go with the output softmax .*cross_entropy"):
        FeedForwardNeuralNetwork([6, 3], loss="huber")
    with pytest.raises(InputError, match=r"Unknown output 'sofmax'.* Did you mean 'softmax'"):
        FeedForwardNeuralNetwork([6, 3], output="sofmax")


@pytest.mark.slow
@each_pair
def test_values_and_gradients_are_those_of_torch(output, loss):
    torch = pytest.importorskip("torch", reason="pip install torch==2.13.0: parity only")
    f = torch.nn.functional
    made, y = network(output, loss), torch.tensor(target(output))
    value, _, _ = made.loss_and_gradients(X, target(output))
    layers = [
        (torch.tensor(W.copy(), requires_grad=True), torch.tensor(b[:, 0].copy(), requires_grad=True))
        for W, b in zip(made.weights.values(), made.biases.values(), strict=True)
    ]
    A = f.linear(torch.tanh(f.linear(torch.tensor(X), *layers[0])), *layers[1])
    P = {"softmax": A.softmax(1), "sigmoid": A.sigmoid(), "identity": A, "exponential": A.exp()}[output]
    hot = f.one_hot(y, 3) if output == "softmax" else y.double()
    theirs = {
        ("softmax", "cross_entropy"): lambda: f.cross_entropy(A, y),
        ("sigmoid", "cross_entropy"): lambda: f.binary_cross_entropy_with_logits(A, hot, reduction="sum") / N,
        ("identity", "huber"): lambda: f.huber_loss(A, hot, reduction="sum") / N,
        ("identity", "mean_absolute_error"): lambda: f.l1_loss(A, hot, reduction="sum") / N,
        ("identity", "half_squared_error"): lambda: f.mse_loss(A, hot, reduction="sum") / N / 2,
        ("exponential", "poisson"): lambda: f.poisson_nll_loss(A, hot, log_input=True, reduction="sum") / N,
    }.get((output, loss), lambda: ((P - hot) ** 2).sum() / N)()
    theirs.backward()
    assert value == pytest.approx(float(theirs.detach()), rel=1e-12)
    for (W, b), dW, db in zip(layers, made.weight_gradients.values(), made.bias_gradients.values(), strict=True):
        np.testing.assert_allclose(dW, W.grad, rtol=0, atol=1e-13)
        np.testing.assert_allclose(db[:, 0], b.grad, rtol=0, atol=1e-13)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_cross_entropy_of_large_logits_is_finite(output):
    made = FeedForwardNeuralNetwork([1, 2], output=output)
    made.weights[1] = [[1e30], [-1e30]]
    y = np.array([1]) if output == "softmax" else np.array([[0, 1]])
    loss, dW, _ = made.loss_and_gradients([[1.0]], y)
    assert np.isfinite(loss)
    assert loss > 1e29
    assert np.isfinite(dW[1]).all()


def test_figures_of_numbers_and_labels_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score

    made = network("identity", "huber")
    row = made.fit(X, Y["numbers"], epochs=2, validation_data=(X, Y["numbers"]))[-1]
    said = made.predict(X)
    assert row["val_r2"] == pytest.approx(r2_score(Y["numbers"], said))
    assert row["val_mae"] == pytest.approx(mean_absolute_error(Y["numbers"], said))
    assert row["val_rmse"] == pytest.approx(np.sqrt(((said - Y["numbers"]) ** 2).mean()))
    assert "accuracy" not in row
    labels = network("sigmoid", "cross_entropy")
    row = labels.fit(X, Y["labels"], epochs=2, validation_data=(X, Y["labels"]))[-1]
    assert row["val_accuracy"] == pytest.approx(accuracy_score(Y["labels"], labels.predict(X)))
    assert row["val_f1"] == pytest.approx(f1_score(Y["labels"], labels.predict(X), average="macro"))
