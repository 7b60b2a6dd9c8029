"""Training: it learns, it repeats itself bit for bit, and every setting does what its definition says."""

import inspect
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits

from muslin import Diverged, FeedForwardNeuralNetwork, InputError
from muslin.activations import ACTIVATIONS
from muslin.losses import one_hot
from muslin.memory import Signals
from muslin.optimizers import OPTIMIZERS, signature
from muslin.schedules import SCHEDULES
from muslin.training import Callback, State, evaluate, fit
from muslin.training.batches import epoch_order
from muslin.training.settings import OPTIONS, TrainingSettings
from muslin.training.step import Step

N = 30
X = np.random.default_rng(1).standard_normal((N, 5))
y = (X @ np.random.default_rng(2).standard_normal((5, 3))).argmax(axis=1)

each_engine = pytest.mark.parametrize("engine", ["numpy", "auto"])
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def small(biases=0.0, **settings):
    network = FeedForwardNeuralNetwork(**{"sizes": [5, 6, 4, 3], "activation": "tanh", "dtype": np.float64} | settings)
    network.theta[network.parameters.n_weights :] = biases
    return network


def trained(X=X, y=y, **settings):
    """θ of a small network after training."""
    network = small()
    network.fit(X, y, **{"epochs": 2, "batch_size": 8, "learning_rate": 0.05} | settings)
    return network.theta


class Path(Callback):
    """θ before the first and after every step."""

    def __init__(self):
        self.thetas = []

    def on_begin(self, state):
        self.thetas.append(state.network.theta.copy())

    def on_step(self, state, samples, loss, correct):
        self.thetas.append(state.network.theta.copy())


def path(network=None, **settings):
    """θ before the first and after every step; by default of gradient descent on all samples at a time."""
    path, network = Path(), network or small(biases=0.3)
    settings = {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 1, "batch_size": N, "shuffle": False} | settings
    network.fit(X, y, callbacks=[path], **settings)
    return path.thetas


def gradient(theta, rows=slice(None), **settings):
    """Of the mean loss at θ over some of the samples."""
    network = small(**settings)
    network.theta[...] = theta
    network.loss_and_gradients(X[rows], y[rows])
    return network.gradient


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


def weights_only():
    return np.arange(small().theta.size) < small().parameters.n_weights


# It learns, and repeats itself


@each_engine
def test_learns_handwritten_digits(engine):
    digits, rows = load_digits(), np.arange(1797)
    X, y, test = digits.data.astype(np.float32) / 16, digits.target, rows[::4]
    network = FeedForwardNeuralNetwork([64, 64, 10], engine=engine)
    history = network.fit(X, y, rows=rows[rows % 4 > 0], epochs=15, learning_rate=3e-3, validation_data=(X, y, test))
    assert history["val_accuracy"][-1] == (network.predict(X[test]) == y[test]).mean() > 0.95
    assert history["loss"][-1] < history["loss"][0] / 10


@each_engine
@each_optimizer
def test_every_optimizer_learns(optimizer, engine):
    network = small(engine=engine)
    rate = {"sgd": 0.5, "adagrad": 0.1}.get(optimizer, 0.02)
    history = network.fit(X, y, optimizer=optimizer, epochs=60, learning_rate=rate, batch_size=5)
    assert history["loss"][-1] < history["loss"][0] / 2


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    settings = {"dropout": 0.2, "seed": 3}
    np.testing.assert_array_equal(trained(**settings), trained(**settings))
    assert (trained(**settings) != trained(dropout=0.2, seed=4)).mean() > 0.9
    np.testing.assert_array_equal(trained(), trained(seed=0))  # the network's


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_engines_agree_bit_for_bit(activation, dtype):
    thetas = []
    for engine in ("numpy", "auto"):
        network = small(activation=activation, dtype=dtype, engine=engine)
        network.fit(X, y, optimizer="nadam", weight_decay=0.01, dropout=0.1, epochs=3, batch_size=8, clip_norm=1)
        thetas.append(network.theta)
    np.testing.assert_array_equal(*thetas)


# Batches


def test_a_full_batch_is_one_step_an_epoch():
    thetas = path(epochs=3)
    assert len(thetas) == 1 + 3
    for before, after in pairwise(thetas):
        same(after, before - 0.1 * gradient(before))


def test_the_last_batch_may_be_smaller_and_counts():
    theta, *thetas = path(batch_size=8)
    assert len(thetas) == 4
    for rows, after in zip((slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 30)), thetas, strict=True):
        theta = theta - 0.1 * gradient(theta, rows)
        same(after, theta)


def test_figures_are_means_over_the_samples_not_over_the_batches():
    network, seen = small(), []

    class Steps(Callback):
        def on_step(self, state, samples, loss, correct):
            seen.append((samples, loss, correct))

    history = network.fit(X, y, epochs=1, batch_size=8, callbacks=[Steps()])
    assert [samples for samples, *_ in seen] == [8, 8, 8, 6]
    assert history["loss"] == [pytest.approx(sum(samples * loss for samples, loss, _ in seen) / N)]
    assert history["accuracy"] == [sum(correct for *_, correct in seen) / N]


def test_order_comes_from_seed_and_epoch():
    orders = [tuple(epoch_order(seed, epoch, 100)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert orders[0] == tuple(epoch_order(0, 0, 100))


def test_shuffling_is_training_in_that_order():
    order = epoch_order(5, 0, N)
    shuffled = trained(epochs=1, seed=5)
    np.testing.assert_array_equal(shuffled, trained(X[order], y[order], epochs=1, shuffle=False))
    assert (shuffled != trained(epochs=1, shuffle=False)).any()


@pytest.mark.parametrize("rows", [np.arange(3, 21), [4, 2, 9, 7, 1, 0, 8, 3, 5], np.arange(20, dtype=np.uint8)])
def test_rows_are_the_subset(rows):
    np.testing.assert_array_equal(trained(rows=rows), trained(X[rows], y[rows]))


@each_engine
@pytest.mark.parametrize("rows", [(), ([1, 2, 3],), (np.array([5, 4]),)])
def test_validation_data_leave_the_parameters_alone(rows, engine):
    networks = [small(engine=engine) for _ in range(2)]
    networks[0].fit(X, y, epochs=2, batch_size=8)
    history = networks[1].fit(X, y, epochs=2, batch_size=8, validation_data=(X[::-1], y[::-1], *rows))
    np.testing.assert_array_equal(*(network.theta for network in networks))
    assert len(history["val_loss"]) == len(history["val_accuracy"]) == 2


@each_engine
def test_bytes_train_like_their_scaled_values(engine):
    pixels = np.random.default_rng(0).integers(0, 256, (N, 5), dtype=np.uint8)
    thetas = []
    for samples in (pixels, pixels / 255):
        network = small(engine=engine)
        network.fit(samples, y, epochs=2, batch_size=8)
        thetas.append(network.theta)
    np.testing.assert_allclose(*thetas, rtol=1e-9)


# Settings, by their definitions

#: setting → a value that must change the parameters
CHANGED = {
    "optimizer": "sgd",
    "learning_rate": 0.04,
    "epochs": 3,
    "batch_size": 7,
    "weight_decay": 0.01,
    "shuffle": False,
    "schedule": "cosine",
    "warmup": 0.5,
    "dropout": 0.1,
    "label_smoothing": 0.1,
    "clip_norm": 0.1,
    "freeze": 1,
    "seed": 1,
    "rows": np.arange(29),
    "sample_weight": np.arange(len(y)) % 3,
    "class_weight": {0: 3.0},
    "beta1": 0.8,
}
#: settings that leave the parameters alone, or are tested with the callbacks
OTHERS = {"validation_data", "callbacks", "patience", "monitor", "diagnostics", "checkpoint", "resume", "verbose"}
#: settings of pictures → a value that must change the parameters
OF_PICTURES = {
    "flip": 0.5,
    "shift": 1,
    "zoom": 0.2,
    "rotate": 20,
    "shear": 0.3,
    "elastic": 1,
    "mixup": 0.5,
    "cutmix": 0.5,
}


@pytest.mark.parametrize("setting", CHANGED)
def test_every_setting_has_its_effect(setting):
    assert np.abs(trained(**{setting: CHANGED[setting]}) - trained()).max() > 1e-5


def test_every_setting_is_tested():
    settings = {p.name for p in inspect.signature(fit).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert settings == set(CHANGED) - {"beta1"} | OTHERS | {*OF_PICTURES, "image_shape"}


@pytest.mark.parametrize("setting", OF_PICTURES)
def test_every_setting_of_pictures_has_its_effect(setting):
    pixels = np.random.default_rng(0).random((24, 48))
    thetas = []
    for options in ({}, {setting: OF_PICTURES[setting]}, {setting: OF_PICTURES[setting], "image_shape": (4, 12)}):
        network = FeedForwardNeuralNetwork([48, 6, 3], "tanh", dtype="float64", engine="numpy")
        network.fit(pixels, np.arange(24) % 3, epochs=2, batch_size=8, **{"image_shape": (6, 8)} | options)
        thetas.append(network.theta)
    assert np.abs(thetas[1] - thetas[0]).max() > 1e-5
    if setting != "mixup":
        assert np.abs(thetas[2] - thetas[1]).max() > 1e-6


@each_optimizer
@pytest.mark.parametrize("changed", [{}, {"momentum": 0.5, "beta": 0.8, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3}])
def test_steps_are_the_rules_with_its_hyperparameters(optimizer, changed):
    slots, scalars = signature(OPTIMIZERS[optimizer])
    hyperparameters = {name: changed[name] for name in scalars.keys() & changed.keys()}
    theta, *thetas = path(optimizer=optimizer, epochs=4, **hyperparameters)
    slots = [np.zeros_like(theta) for _ in slots]
    for t, after in enumerate(thetas, 1):
        now = {"learning_rate": 0.1, "t": t, "weight_decay": 0.0}
        now = scalars | hyperparameters | {name: now[name] for name in now.keys() & scalars.keys()}
        new = OPTIMIZERS[optimizer](theta, gradient(theta), *slots, **now)
        theta, *slots = new if slots else [new]
        same(after, theta)


def test_weight_decay_is_of_the_weights_and_not_of_the_biases():
    before, after = path(weight_decay=0.3)
    same(after, before - 0.1 * (gradient(before) + 0.3 * np.where(weights_only(), before, 0)))


def test_decoupled_weight_decay_too():
    before, after = path(optimizer="adamw", weight_decay=0.3)
    g = gradient(before)
    step = g / (np.abs(g) + 1e-8)  # the first of Adam
    same(after, before - 0.1 * step - 0.1 * 0.3 * np.where(weights_only(), before, 0))


def test_weight_decay_does_not_depend_on_the_batch_size():
    shrunk = []
    for batch_size in (3, N):
        network = small(initializer="zeros")
        network.weights[1] = 1.0  # without a gradient: the layers above are zero
        network.fit(X, y, optimizer="sgd", learning_rate=0.1, weight_decay=0.3, epochs=1, batch_size=batch_size)
        shrunk.append(network.weights[1])
    same(shrunk[0], 0.97**10)
    same(shrunk[1], 0.97)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_reported_loss_leaves_weight_decay_out(weight_decay):
    network = small()
    expected = network.loss_and_gradients(X, y)[0]
    history = network.fit(X, y, epochs=1, batch_size=N, weight_decay=weight_decay)
    assert history["loss"] == [pytest.approx(expected)]


def test_clip_norm_is_the_longest_gradient():
    before, after = path(clip_norm=0.01)
    g = gradient(before)
    same(after, before - 0.1 * 0.01 * g / np.linalg.norm(g))
    same(path(clip_norm=1.01 * np.linalg.norm(g))[1], before - 0.1 * g)


@pytest.mark.parametrize("warmup", [0, 2])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_schedule_is_taken_in_the_middle_of_each_step(schedule, warmup):
    thetas = path(epochs=6, schedule=schedule, warmup=warmup)
    for epoch, (before, after) in enumerate(pairwise(thetas)):
        now = epoch + 0.5
        factor = now / 2 if now < warmup else SCHEDULES[schedule](now - warmup, 6 - warmup)
        same(after, before - 0.1 * factor * gradient(before))


def test_history_has_the_learning_rate_of_the_last_step():
    history = small().fit(X, y, epochs=4, batch_size=15, schedule="cosine", learning_rate=0.1)
    assert history["learning_rate"] == pytest.approx([0.1 * SCHEDULES["cosine"](e + 0.75, 4) for e in range(4)])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_label_smoothing_by_hand(smoothing):
    network = small(sizes=[5, 3])
    W, b = network.weights[1].copy(), network.biases[1].copy()
    A = W @ X.T + b
    wanted = (1 - smoothing) * np.eye(3)[:, y] + smoothing / 3
    dA = (np.exp(A) / np.exp(A).sum(axis=0) - wanted) / N
    path(network, label_smoothing=smoothing)
    same(network.weights[1], W - 0.1 * dA @ X)
    same(network.biases[1], b - 0.1 * dA.sum(axis=1, keepdims=True))


def stepped(dropout, network):
    settings = TrainingSettings.read({"optimizer": "sgd", "batch_size": N, "dropout": dropout}, OPTIMIZERS)
    step = Step(network, X, y, OPTIMIZERS["sgd"], settings)
    state = State(network, "sgd", step.slots)
    step(np.arange(N), state, lambda t: 0.1)
    return step


def test_dropout_masks_are_zero_or_keep_the_mean():
    masks = stepped(0.2, small(sizes=[5, 200, 100, 3])).signals.masks
    assert list(masks) == [1, 2]
    for mask in masks.values():
        assert set(np.unique(mask)) == {0.0, 1 / 0.8}
        assert mask.mean() == pytest.approx(1, abs=5 * (0.25 / mask.size) ** 0.5)  # five standard errors
    assert (masks[1][:100] != masks[2]).any()


def test_dropout_masks_are_new_in_every_step_and_epoch():
    losses = []

    class Losses(Callback):
        def on_step(self, state, samples, loss, correct):
            losses.append(loss)

    settings = {"epochs": 3, "batch_size": 10, "shuffle": False, "learning_rate": 1e-12, "dropout": 0.5}
    small().fit(np.ones((N, 5)), np.arange(N) % 2, callbacks=[Losses()], **settings)  # batches that are all the same
    assert len({round(loss, 6) for loss in losses}) == 3 * 3


@each_engine
def test_dropout_gradient_is_the_central_difference_with_the_masks_held(engine):
    network, rng = small(engine=engine), np.random.default_rng(0)
    s, Y = Signals(network.sizes, N, network.dtype, dropout=True), one_hot(3, network.dtype)[:, y]
    s.H[0][...] = X.T
    for mask in s.masks.values():
        mask[...] = (rng.random(mask.shape) < 0.7) / 0.7

    def loss():
        network.forward(s)
        return -np.log(s.H[network.L])[y, np.arange(N)].mean()

    loss()
    network.backward(s, Y)
    analytic, numerical, theta, step = network.gradient.copy(), np.empty_like(network.gradient), network.theta, 1e-5
    for i, value in enumerate(theta.copy()):
        theta[i] = value + step
        above = loss()
        theta[i] = value - step
        theta[i], numerical[i] = value, (above - loss()) / (2 * step)
    assert np.linalg.norm(analytic - numerical) / np.linalg.norm(numerical) < 1e-7


def test_dropout_is_for_training_only():
    network = small()
    history = network.fit(X, y, epochs=1, batch_size=8, dropout=0.5, validation_data=(X, y))
    assert history["val_loss"] == [pytest.approx(network.loss_and_gradients(X, y)[0])]


#: numbers that every precision has
EXACT = {"learning_rate": 0.0625, "weight_decay": 0.25, "clip_norm": 0.5, "dropout": 0.25, "warmup": 0.5, "beta1": 0.75}


@each_engine
@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_numbers_of_numpy_are_numbers(tmp_path, number, engine):
    thetas = []
    for make, whole in ((float, int), (number, np.int64), (number, float)):
        network = small(dtype=np.float32, engine=engine)
        settings = {name: make(value) for name, value in EXACT.items()}
        settings |= {"epochs": whole(2), "batch_size": whole(8), "checkpoint": tmp_path / "a"}
        network.fit(X, y, **settings)
        thetas.append(network.theta)
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


# What goes wrong


@each_engine
@pytest.mark.parametrize(
    ("batch_size", "where"),
    [(10, "epoch 1, step 2: the numbers of layer 1 "), (N, "epoch 1, step 1: the numbers of layer 1 ")],
)
def test_diverging_says_where(engine, batch_size, where):
    network = small(dtype=np.float32, engine=engine)
    with pytest.raises(Diverged, match=where) as caught:
        network.fit(X, y, optimizer="sgd", learning_rate=1e300, batch_size=batch_size, epochs=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("layer", "step", "where"), [(2, 5, "epoch 2, step 6"), (1, 6, "epoch 2, step 6")])
def test_diverging_in_any_layer_and_epoch(layer, step, where):
    """A bias breaks after a step; it is found out in the next one, or at the end of the epoch of three steps."""

    class Break(Callback):
        def on_step(self, state, samples, loss, correct):
            if state.step == step:
                state.network.biases[layer][...] = np.nan

    with pytest.raises(Diverged, match=f"{where}: the numbers of layer {layer} "):
        small().fit(X, y, batch_size=10, epochs=5, callbacks=[Break()])


NAN, INFINITY = float("nan"), float("inf")
WRONG = {
    "learning_rate": [0, -1, NAN, INFINITY, "a", None],
    "epochs": [0, 1.5, -1, "a", None, NAN, INFINITY],
    "batch_size": [0, 1.5, -1, "a", None, N + 1],
    "weight_decay": [-1, NAN, "a", None],
    "warmup": [-1, NAN, "a", 2],
    "dropout": [-0.1, 1, NAN, "a", None],
    "clip_norm": [0, -1, NAN, "a"],
    "label_smoothing": [-0.1, 1, NAN, "a", None],
    "patience": [0, 1.5, "a"],
    "seed": [-1, 1.5, "a", True],
    "rows": [[*range(9), N], [*range(9), -N - 1], np.arange(9.0), [[*range(9)]] * 9, np.arange(N) < 20, [], "a"],
    "Unknown optimizer": [{"optimizer": "adan"}],
    "Unknown schedule": [{"schedule": "cosin"}],
    "monitor is the figure": [{"monitor": "loss"}],
    "freeze is 3; it must be a number of layers from 0 to": [{"freeze": 3}],
    "Unknown figure": [{"patience": 1, "monitor": "val_loss"}],
    "fit has no setting 'batchsize'": [{"batchsize": 3}],
    "fit has no setting 'beta1', and the optimizer sgd has no": [{"optimizer": "sgd", "beta1": 0.9}],
    "fit has no setting 'beta', and the optimizer adam takes beta1, beta2, epsilon": [{"beta": 0.9}],
    "beta1": [1, -0.1, "a", NAN, None, True],
    "epsilon": [-1, INFINITY],
    "resume needs checkpoint": [{"resume": True}],
    "X has": [{"validation_data": (X[:, :4], y)}, {"validation_data": (X, y[:3])}],
    "validation": [{"validation_data": v} for v in ((X,), (X, y, [N]), (X, y, []), X)],
}


@pytest.mark.parametrize(
    ("message", "settings"),
    [(m, s if isinstance(s, dict) else {m: s}) for m, wrongs in WRONG.items() for s in wrongs],
)
def test_settings_that_cannot_be(message, settings):
    before = small().theta
    network = small()
    with pytest.raises(InputError, match=f"^{message}") as caught:
        network.fit(X, y, **{"epochs": 2, "batch_size": 8} | settings)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(network.theta, before)


def test_a_hyperparameter_without_a_default_must_be_given(monkeypatch):
    def leaky(theta, g, *, learning_rate, leak):
        return theta - learning_rate * g - leak * theta

    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "leaky", leaky)
    with pytest.raises(InputError, match="The optimizer leaky needs leak, which has no default"):
        small().fit(X, y, batch_size=8, optimizer="leaky")
    small().fit(X, y, batch_size=8, epochs=1, optimizer="leaky", leak=0.1)


def test_label_smoothing_is_for_cross_entropy():
    with pytest.raises(InputError, match="label_smoothing is for the loss cross_entropy"):
        small(loss="mean_squared_error").fit(X, y, batch_size=8, label_smoothing=0.1)


@pytest.mark.parametrize("value", [1e300, -1e39, np.longdouble(1e300)])
def test_a_sample_that_is_infinite_in_the_networks_precision(value):
    """np.float32(1e39) is inf."""
    samples = np.zeros((8, 4), type(value) if isinstance(value, np.longdouble) else np.float64)
    samples[1, 2] = value
    labels, network = np.arange(8) % 3, FeedForwardNeuralNetwork([4, 5, 3])
    wanted = r"in row 1, column 2; the network computes in float32, whose largest number is 3\.40e\+38"
    for call in (
        lambda: network.predict(samples),
        lambda: network.loss_and_gradients(samples, labels),
        lambda: evaluate(network, samples, labels),
        lambda: network.fit(samples, labels, batch_size=4),
        lambda: network.fit(np.zeros((8, 4)), labels, batch_size=4, validation_data=(samples, labels)),
    ):
        with pytest.raises(InputError, match=wanted):
            call()
    assert np.isfinite(FeedForwardNeuralNetwork([4, 5, 3], dtype="float64").predict_proba(np.full((2, 4), 1e39))).all()


def test_epsilon_of_zero_is_named_where_it_is_the_cause():
    samples = np.random.default_rng(0).random((64, 4))
    samples[:, 0] = 0
    with pytest.raises(Diverged, match=r"epsilon is 0, so that 0 is divided by 0"):
        FeedForwardNeuralNetwork([4, 8, 3]).fit(samples, np.arange(64) % 3, optimizer="adam", epsilon=0, epochs=1)


@pytest.mark.parametrize("option", [o for o in OPTIONS if o not in ("shuffle", "diagnostics")])
def test_true_is_no_number_and_no_name(option):
    with pytest.raises(InputError, match=option):
        small().fit(X, y, **{"epochs": 2, "batch_size": 8} | {option: True})


@pytest.mark.parametrize("option", ["shuffle", "diagnostics"])
def test_what_is_true_or_false_is_nothing_else(option):
    with pytest.raises(InputError, match=f"{option} is 'no'; it must be true or false"):
        small().fit(X, y, batch_size=8, **{option: "no"})


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("optimizer", ["adam", "nadam", "adamw", "rmsprop", "adagrad"])
def test_epsilon_0_is_named_where_a_gradient_is_always_0(engine, optimizer):
    dark = X.copy()
    dark[:, 0] = 0
    with pytest.raises(Diverged, match=r"epsilon is 0, so that 0 is divided by 0") as caught:
        small(engine=engine).fit(dark, y, batch_size=8, optimizer=optimizer, epsilon=0)
    assert "learning rate" not in str(caught.value)


@pytest.mark.parametrize("function", [fit, FeedForwardNeuralNetwork.fit, small().fit])
def test_every_option_is_in_the_signature_and_the_help(function):
    parameters = inspect.signature(function).parameters
    for name, row in OPTIONS.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == row.default
        assert row.metadata["help"] in function.__doc__
    assert "{options}" not in function.__doc__


def test_verbose_says_a_line_an_epoch(capsys):
    history = small().fit(X, y, batch_size=8, epochs=3, verbose=True)
    out, err = capsys.readouterr()
    lines = [f"epoch {row['epoch']:>3}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}" for row in history]
    assert [line.rpartition("  (")[0] for line in out.splitlines()] == lines
    assert err == ""
    small().fit(X, y, batch_size=8, epochs=1)
    assert capsys.readouterr() == ("", "")
