"""Out to ONNX and PyTorch and in again: the same answers, and what cannot be is named."""

import runpy

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.export import torch_file
from muslin.outputs import OUTPUTS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx_file = pytest.importorskip("muslin.export.onnx_file")

rng = np.random.default_rng(0)
X = rng.standard_normal((500, 6)).astype(np.float32)


def network(activation="relu", output="softmax", dtype=np.float32, sizes=(6, 9, 7, 3)):
    made = FeedForwardNeuralNetwork(list(sizes), activation, output=output, dtype=dtype, seed=1)
    for b in made.biases.values():
        b[...] = rng.normal(size=b.shape) / 3
    return made


def run(model, **inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


@pytest.mark.parametrize("activation", FeedForwardNeuralNetwork.activations)
def test_onnx_says_the_same_for_every_activation(activation):
    ours = network(activation)
    said = run(onnx_file.model(ours), X=X)
    np.testing.assert_allclose(said["probabilities"], ours.predict_proba(X), atol=2e-6)
    np.testing.assert_array_equal(said["label"], ours.predict(X))


@pytest.mark.parametrize("output", OUTPUTS)
def test_onnx_says_the_same_for_every_output(output):
    ours = network(output=output)
    said = run(onnx_file.model(ours), X=X)
    kind = "probabilities" if output in ("softmax", "sigmoid") else "numbers"
    np.testing.assert_allclose(said[kind], ours.respond(X), rtol=1e-5, atol=2e-6)


def test_onnx_scales_bytes_and_names_classes():
    ours, pixels = network(), rng.integers(0, 256, (50, 6), dtype=np.uint8)
    said = run(onnx_file.model(ours, names=("a", "b", "c"), uint8=True), X=pixels)
    np.testing.assert_allclose(said["probabilities"], ours.predict_proba(pixels), atol=2e-6)
    assert said["label"].tolist() == [("a", "b", "c")[c] for c in ours.predict(pixels)]


@pytest.mark.parametrize("activation", FeedForwardNeuralNetwork.activations)
@pytest.mark.parametrize("output", OUTPUTS)
def test_from_onnx_is_the_way_back(activation, output, tmp_path):
    ours = network(activation, output)
    onnx_file.save(tmp_path / "a.onnx", onnx_file.model(ours))
    again = FeedForwardNeuralNetwork.from_onnx(tmp_path / "a.onnx")
    assert (again.activation, again.sizes) == (ours.activation, ours.sizes)
    if output not in ("identity",):  # numbers and logits look alike in a file
        np.testing.assert_array_equal(again.respond(X), ours.respond(X))


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"not a model at all"])
def test_what_is_no_onnx_file(content, tmp_path):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(InputError, match="ONNX"):
        FeedForwardNeuralNetwork.from_onnx(tmp_path / "a.onnx")


def test_what_answers_otherwise_is_not_taken_over(tmp_path):
    """A softmax over the samples in place of the classes: the same chain of operators."""
    model = onnx_file.model(network())
    next(node for node in model.graph.node if node.op_type == "Softmax").attribute[0].i = 0
    onnx_file.save(tmp_path / "a.onnx", model)
    with pytest.raises(InputError, match="answers otherwise"):
        FeedForwardNeuralNetwork.from_onnx(tmp_path / "a.onnx")


def test_numbers_that_are_no_logits_are_named_so(tmp_path):
    ours = network(output="identity")
    onnx_file.save(tmp_path / "a.onnx", onnx_file.model(ours))
    again = FeedForwardNeuralNetwork.from_onnx(tmp_path / "a.onnx", output="identity")
    np.testing.assert_array_equal(again.respond(X), ours.respond(X))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_from_sklearn_predicts_the_same(kind, activation, classes):
    y = (X[:, 0] > 0).astype(int) + (classes - 2) * (X[:, 1] > 1)
    theirs = kind(hidden_layer_sizes=(5, 4), activation=activation, max_iter=3, random_state=0).fit(X, y)
    ours = FeedForwardNeuralNetwork.from_sklearn(theirs)
    if kind is MLPRegressor:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-6)
    else:
        np.testing.assert_allclose(ours.predict_proba(X)[:, -1], theirs.predict_proba(X)[:, -1], atol=1e-6)
    with pytest.raises(InputError, match="no fitted MLP"):
        FeedForwardNeuralNetwork.from_sklearn(kind())


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="pip install torch==2.13.0: parity only")


@pytest.mark.slow
@pytest.mark.parametrize("activation", torch_file.MODULES)
def test_the_program_for_torch_says_the_same(torch, activation, tmp_path, monkeypatch):
    ours = network(activation)
    torch_file.save(tmp_path / "m.safetensors", tmp_path / "m.py", ours)
    monkeypatch.chdir(tmp_path)
    model = runpy.run_path(str(tmp_path / "m.py"))["model"]
    with torch.no_grad():
        said = model(torch.tensor(X)).softmax(dim=1).numpy()
    np.testing.assert_allclose(said, ours.predict_proba(X), atol=2e-6)
    again = FeedForwardNeuralNetwork.from_torch(model)
    np.testing.assert_array_equal(again.theta, ours.theta)
    by_state = FeedForwardNeuralNetwork.from_torch(model.state_dict(), activation=activation)
    np.testing.assert_array_equal(by_state.theta, ours.theta)


@pytest.mark.slow
def test_what_torch_has_and_we_have_not_is_named(torch):
    nn = torch.nn
    wrong = {
        "GELU": nn.GELU(),
        "slope 0.2": nn.LeakyReLU(0.2),
        "LayerNorm": nn.LayerNorm(9),
    }
    for words, module in wrong.items():
        with pytest.raises(InputError, match=words):
            FeedForwardNeuralNetwork.from_torch(nn.Sequential(nn.Linear(6, 9), module, nn.Linear(9, 3)))
    layers = nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 9), nn.Tanh(), nn.Linear(9, 3)
    with pytest.raises(InputError, match="different activations"):
        FeedForwardNeuralNetwork.from_torch(nn.Sequential(*layers))
    with pytest.raises(InputError, match="activation"):
        FeedForwardNeuralNetwork.from_torch({"0.weight": torch.zeros(3, 6)})


@pytest.fixture(scope="module")
def layers():
    """keras.layers, on PyTorch."""
    pytest.importorskip("torch", reason="pip install torch==2.13.0: parity only")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        yield pytest.importorskip("keras", reason="parity only").layers


def keras_model(*layers):
    import keras

    return keras.Sequential([keras.layers.Input((6,)), *layers])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh", "relu", "elu", "silu"])
def test_from_keras_predicts_the_same(layers, activation):
    normalized = layers.BatchNormalization(), layers.Activation(activation), layers.Dropout(0.5)
    hidden = layers.Dense(9), *normalized, layers.Dense(7, activation=activation), layers.GaussianNoise(1.0)
    theirs = keras_model(*hidden, layers.Dense(3, activation="softmax"))
    theirs.layers[1].set_weights([rng.uniform(0.5, 2, 9), *rng.normal(size=(2, 9)), rng.uniform(0.5, 2, 9)])
    ours = FeedForwardNeuralNetwork.from_keras(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict(X, verbose=0), atol=2e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_of_keras_cannot_be(layers):
    import keras

    twice, start = layers.Dense(6, activation="relu"), layers.Input((6,))
    for model, sentence in (
        (keras.Model(start, layers.Dense(3)(twice(twice(start)))), "answers otherwise"),
        (keras_model(layers.Dense(6), layers.ReLU(max_value=0.1), layers.Dense(3)), "answers otherwise"),
        (keras_model(layers.Dense(6, activation="gelu"), layers.Dense(3)), "activation gelu is the exact GELU"),
        (keras_model(layers.Dense(6, activation="mish"), layers.Dense(3)), "activation mish is unknown"),
        (keras_model(layers.Dense(6, activation="relu"), layers.BatchNormalization()), "without an activation"),
        (keras_model(layers.LayerNormalization(), layers.Dense(3)), "layer 'LayerNormalization'"),
        (keras.Sequential([layers.Dense(3)]), "no weights yet"),
    ):
        with pytest.raises(InputError, match=sentence):
            FeedForwardNeuralNetwork.from_keras(model)
    numbers = keras_model(layers.Dense(6, activation="relu"), layers.Dense(3))
    ours = FeedForwardNeuralNetwork.from_keras(numbers, output="identity")
    np.testing.assert_allclose(ours.predict(X), numbers.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
