"""What comes in at the door: numbers that leave the finite ones on the way, masks, byte order, another scale."""

import pickle
import warnings

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.training import evaluate

RNG = np.random.default_rng(0)
X, Y = RNG.random((120, 4), dtype=np.float32), RNG.integers(0, 3, 120)
PIXELS = RNG.integers(0, 256, (120, 4), dtype=np.uint8)
engines = pytest.mark.parametrize("engine", ["numpy", "numba"])


def small(engine="numpy", **settings):
    return FeedForwardNeuralNetwork([4, 8, 3], engine=engine, **settings)


def trained(X=X, **settings):
    network = small(**settings)
    network.fit(X, Y, epochs=1)
    return network


#: what takes samples, of a network that is trained
DOORS = {
    "predict": lambda network, X: network.predict(X),
    "predict_proba": lambda network, X: network.predict_proba(X),
    "score": lambda network, X: network.score(X, Y),
    "evaluate": lambda network, X: evaluate(network, X, Y),
    "loss_and_gradients": lambda network, X: network.loss_and_gradients(X, Y),
    "validation": lambda network, X: network.fit(globals()["X"], Y, epochs=1, validation_data=(X, Y)),
}
each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@each_door
@pytest.mark.parametrize("value", [1e300, -1e39, np.longdouble("1e400"), np.inf, np.nan])
def test_a_value_that_is_not_finite_in_single_precision(door, value):
    broken = X.astype(np.asarray(value).dtype)
    broken[7, 2] = value
    with pytest.raises(
        InputError,
        match=r"^X holds .* in row 7, column 2; (every value must be finite|.*float32, whose largest number is 3.40e)",
    ):
        door(trained(), broken)


def test_what_double_precision_holds_it_takes():
    broken = X.astype(np.float64)
    broken[7, 2] = 1e39
    with pytest.warns(UserWarning, match="same scale"):
        assert np.isfinite(trained(dtype="float64").predict_proba(broken)).all()


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("name", ["predict", "predict_proba", "score", "evaluate"])
def test_a_sample_that_overflows_within_the_network(name):
    network = small(initializer_scale=100)
    large = X.copy()
    large[5] = 3e38
    with pytest.raises(InputError, match=r"^Row 5 of X leaves the finite numbers within the network"):
        DOORS[name](network, large)


@engines
def test_half_precision_is_taken_as_it_is(engine):
    half = X.astype(np.float16)
    networks = [small(engine) for _ in range(2)]
    for network, samples in zip(networks, (half, half.astype(np.float32)), strict=True):
        network.fit(samples, Y, epochs=2)
    np.testing.assert_array_equal(networks[0].theta, networks[1].theta)


@engines
@pytest.mark.parametrize("label", [">i4", ">u2", "<i8", "u8", "u1"])
@pytest.mark.parametrize("sample", [">f4", "<f4", ">f8"])
def test_byte_order_and_width_change_nothing(engine, label, sample):
    network, plain = small(engine), small(engine)
    rows = np.arange(100, dtype=">i4")
    history = network.fit(X.astype(sample), Y.astype(label), epochs=2, rows=rows)
    assert history["loss"] == plain.fit(X.astype(sample[1:]), Y, epochs=2, rows=np.arange(100))["loss"]
    np.testing.assert_array_equal(network.predict(X.astype(sample)), plain.predict(X))


@each_door
def test_masked_samples_are_refused(door):
    masked = np.ma.masked_array(X, np.zeros(X.shape, bool))
    door(trained(), masked)  # nothing is masked
    masked[3, 1] = masked[4, 0] = np.ma.masked
    with pytest.raises(InputError, match=r"^X has 2 masked values"):
        door(trained(), masked)


def test_masked_labels_and_rows_are_refused():
    for name, arguments in {"y": (X, np.ma.masked_equal(Y, 1)), "rows": (X, Y)}.items():
        rows = np.ma.masked_less(np.arange(50), 3) if name == "rows" else None
        with pytest.raises(InputError, match=rf"^{name} has \d+ masked values"):
            small().fit(*arguments, rows=rows)


@each_door
def test_floats_of_pixels_where_uint8_was_trained_on(door):
    network = trained(PIXELS)
    if door is DOORS["validation"]:
        network, door = small(), lambda network, X: network.fit(PIXELS, Y, validation_data=(X, Y))
    for wrong in PIXELS.astype(np.float32), PIXELS.astype(np.int64):
        with pytest.raises(InputError, match=r"up to 25\d, but the network was trained on uint8"):
            door(network, wrong)
    door(network, PIXELS)


def test_scaled_floats_are_what_uint8_is():
    network = trained(PIXELS)
    np.testing.assert_allclose(network.predict_proba(PIXELS / 255), network.predict_proba(PIXELS), rtol=1e-5)


@each_door
def test_uint8_where_floats_of_pixels_were_trained_on(door):
    floats = PIXELS.astype(np.float32)
    network = trained(floats)
    if door is DOORS["validation"]:
        network, door = small(), lambda network, X: network.fit(floats, Y, epochs=1, validation_data=(X, Y))
    with pytest.raises(InputError, match=r"^X holds uint8, which is scaled by 1/255, but .* up to 25\d"):
        door(network, PIXELS)


def test_uint8_where_scaled_floats_were_trained_on():
    network = trained((PIXELS / 255).astype(np.float32))
    np.testing.assert_allclose(network.predict_proba(PIXELS), network.predict_proba(PIXELS / 255), rtol=1e-5)


@pytest.mark.parametrize("factor", [255, 1 / 255])
def test_floats_of_another_scale_are_warned_of(factor):
    with pytest.warns(UserWarning, match="must be of the same scale") as caught:
        trained().predict(X * factor)
    assert caught[0].filename == __file__


def test_a_few_small_samples_and_an_outlier_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained().predict(X[:5] / 255)
        trained().predict(X * 50)
        trained().predict(np.zeros_like(X))


def test_the_scale_is_kept_with_the_network(tmp_path):
    network = trained(PIXELS)
    network.save(tmp_path / "a.safetensors")
    for copy in FeedForwardNeuralNetwork.load(tmp_path / "a.safetensors"), pickle.loads(pickle.dumps(network)):
        assert copy.scale == network.scale == (True, 1.0)
        with pytest.raises(InputError, match="was trained on uint8"):
            copy.predict(PIXELS.astype(float))
    small().save(tmp_path / "b.safetensors")
    assert FeedForwardNeuralNetwork.load(tmp_path / "b.safetensors").scale is None


def test_score_is_the_accuracy():
    network = trained()
    assert network.score(X, Y) == (network.predict(X) == Y).mean()
