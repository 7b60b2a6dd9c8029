"""Networks that answer as one: the mean, the views, the temperature, the file."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import log_softmax, logsumexp

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.ensemble import COLDEST, Ensemble, view, views
from muslin.export import onnx_file
from muslin.outputs import OUTPUTS
from muslin.training.metrics import measure

rng = np.random.default_rng(0)
SHAPE = (4, 3)
X = rng.standard_normal((50, 12)).astype(np.float32)
BYTES = rng.integers(0, 256, (50, 12), dtype=np.uint8)
TARGETS = {
    "class": rng.integers(0, 3, 50),
    "labels": rng.integers(0, 2, (50, 3)),
    "numbers": rng.standard_normal((50, 3)),
    "counts": rng.poisson(2.0, (50, 3)),
}


def network(seed, output="softmax", scale=1.0, **more):
    return FeedForwardNeuralNetwork([12, 5, 3], output=output, seed=seed, initializer_scale=scale, **more)


def all_views():
    return views(SHAPE, mirrored=True, moved=True)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_mean_and_its_loss(output):
    members = [network(seed, output, hidden) for seed, hidden in ((1, 1.0), (2, 2.0))]
    ensemble, y = Ensemble(members), TARGETS[OUTPUTS[output].target]
    mean = (members[0].respond(X) + members[1].respond(X)) / 2
    np.testing.assert_allclose(ensemble.respond(X), mean, rtol=1e-6)
    np.testing.assert_array_equal(ensemble.predict(X), OUTPUTS[output].predict(mean))
    Y = y if y.ndim == 2 else np.eye(3)[y]
    assert measure(ensemble, X, y)[0]["loss"] == pytest.approx(BY_HAND[output](mean, Y).sum() / 50, rel=1e-5)
    one = measure(Ensemble(members[:1]), X, y)[0]["loss"]
    assert one == pytest.approx(measure(members[0], X, y)[0]["loss"], rel=1e-5)


#: output → its usual loss of each number
BY_HAND = {
    "softmax": lambda P, Y: -Y * np.log(P),
    "sigmoid": lambda P, Y: -Y * np.log(P) - (1 - Y) * np.log(1 - P),
    "identity": lambda A, Y: (A - Y) ** 2,
    "exponential": lambda mean, Y: mean - Y * np.log(mean),
}


@pytest.mark.parametrize("pictures", [X, BYTES])
def test_views_are_mirrored_and_moved(pictures):
    expected = [
        ndimage.shift(picture, move, order=0, cval=0)[:, ::step].ravel()
        for step in (1, -1)
        for move in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
        for picture in pictures[:1].reshape(-1, *SHAPE)
    ]
    seen = [view(pictures[:1], pixels)[0] for pixels in all_views()]
    np.testing.assert_array_equal(seen, expected)
    assert [len(views(SHAPE, *which)) for which in ((False, False), (True, False), (False, True))] == [1, 2, 5]


def test_views_are_averaged():
    members, seen = [network(1), network(2)], all_views()
    each = [member.predict_proba(view(X, pixels)) for member in members for pixels in seen]
    np.testing.assert_allclose(Ensemble(members, [seen, seen]).predict_proba(X), np.mean(each, axis=0), rtol=1e-5)
    each = [members[0].predict_proba(X), *(members[1].predict_proba(view(X, pixels)) for pixels in seen[:1])]
    np.testing.assert_allclose(Ensemble(members, [None, seen[:1]]).predict_proba(X), np.mean(each, axis=0), rtol=1e-5)


def test_the_temperature_is_that_of_the_least_loss():
    """Against the loss on a fine grid, in SciPy's float64."""
    samples = np.random.default_rng(1).standard_normal((2000, 12)).astype(np.float32)
    members = [network(seed, scale=2.0) for seed in (1, 2)]
    true = np.log(members[0].predict_proba(samples)) / 3.0
    drawn = np.random.default_rng(2).gumbel(size=true.shape)
    y = (true + drawn).argmax(axis=1)
    logs = [log_softmax(np.log(member.predict_proba(samples).astype(np.float64)), axis=1) for member in members]

    def loss(T):
        mean = logsumexp([log_softmax(L / T, axis=1) for L in logs], axis=0) - np.log(2)
        return -mean[np.arange(2000), y].mean()

    ensemble = Ensemble(members)
    T = ensemble.temperature(samples, y)
    grid = np.exp(np.linspace(np.log(0.5), np.log(10), 400))
    assert pytest.approx(grid[np.argmin([loss(t) for t in grid])], rel=0.01) == T
    assert measure(ensemble.at(T), samples, y)[0]["loss"] == pytest.approx(loss(T), rel=1e-5)
    assert loss(T) < loss(1.0)
    alone = Ensemble(members[:1])
    assert alone.temperature(samples, y) == pytest.approx(3.0, rel=0.1)
    np.testing.assert_array_equal(alone.at(3.0).predict(samples), alone.predict(samples))
    assert members[0].seed == 1
    assert alone.at(3.0).members[0] is not members[0]


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_temperature_where_all_is_right_or_one_class_only(output):
    member, y = network(1, output, scale=3.0), None
    y = member.predict(X)
    assert Ensemble([member]).temperature(X, y) < 2 * COLDEST or output == "sigmoid"
    assert np.isfinite(measure(Ensemble([member]).at(COLDEST), X, y)[0]["loss"])


def test_numbers_have_no_temperature():
    with pytest.raises(InputError, match="says numbers, which are no probabilities"):
        Ensemble([network(1, "identity")]).temperature(X, TARGETS["numbers"])
    with pytest.raises(InputError, match="says numbers, which are no probabilities"):
        Ensemble([network(1, "identity")]).at(2.0)
    with pytest.raises(InputError, match="says numbers, which are no probabilities"):
        Ensemble([network(1, "identity")]).predict_proba(X)


def test_what_does_not_go_together():
    with pytest.raises(InputError, match="needs one network"):
        Ensemble([])
    for other, what in (
        (FeedForwardNeuralNetwork([11, 3]), "number of inputs; these have 11, 12"),
        (FeedForwardNeuralNetwork([12, 4]), "number of outputs; these have 3, 4"),
        (network(1, "sigmoid"), "output; these have sigmoid, softmax"),
        (network(1, loss="mean_squared_error"), "loss; these have cross_entropy, mean_squared_error"),
        (network(1, dtype=np.float64), "dtype; these have float32, float64"),
    ):
        with pytest.raises(InputError, match=what):
            Ensemble([network(1), other])


def test_the_file_has_all_of_it(tmp_path):
    members = [network(1, normalization="batch"), FeedForwardNeuralNetwork([12, 7, 6, 3], "tanh", seed=2)]
    members[0].fit(BYTES, TARGETS["class"], epochs=1)
    members[1].fit(BYTES, TARGETS["class"], epochs=1)
    ensemble = Ensemble(members, [None, all_views()])
    ensemble.save(tmp_path / "e.safetensors")
    again = Ensemble.load(tmp_path / "e.safetensors")
    np.testing.assert_array_equal(again.predict_proba(BYTES), ensemble.predict_proba(BYTES))
    assert repr(again) == repr(ensemble)
    assert [member.scale for member in again.members] == [member.scale for member in members]
    with pytest.raises(InputError, match="trained on uint8"):
        again.predict(BYTES.astype(np.float32))


def test_a_file_of_something_else(tmp_path):
    network(1).save(tmp_path / "n.safetensors")
    with pytest.raises(InputError, match="is not a model file"):
        Ensemble.load(tmp_path / "n.safetensors")
    Ensemble([network(1)]).save(tmp_path / "e.safetensors")
    with pytest.raises(InputError, match="is not a model file"):
        FeedForwardNeuralNetwork.load(tmp_path / "e.safetensors")


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("uint8", [False, True])
def test_onnx_says_the_same(output, uint8):
    onnxruntime = pytest.importorskip("onnxruntime")
    ensemble = Ensemble([network(1, output), network(2, output)], [None, all_views()])
    model = onnx_file.model(ensemble, uint8=uint8, looks=ensemble.looks())
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = "probabilities" if output in ("softmax", "sigmoid") else "numbers"
    said = session.run([name], {"X": BYTES if uint8 else X})[0]
    np.testing.assert_allclose(said, ensemble.respond(BYTES if uint8 else X), rtol=1e-5, atol=2e-6)


def test_onnx_of_several_networks_is_no_dense_network(tmp_path):
    ensemble = Ensemble([network(1), network(2)])
    onnx_file.save(tmp_path / "e.onnx", onnx_file.model(ensemble, looks=ensemble.looks()))
    with pytest.raises(InputError, match="branches"):
        FeedForwardNeuralNetwork.from_onnx(tmp_path / "e.onnx")
