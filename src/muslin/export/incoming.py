"""Dense networks of other libraries as ours: each function is given the class of the network, and the other's model.

What ours cannot be is refused by name: layers of other kinds, activations that differ between layers or that only seem
the same (the exact GELU, a leaky ReLU of another slope). Dropout does nothing after training and is left out. A model
that can be run is run beside the network, and refused where it answers otherwise: a layer that is used twice, an option
of a layer that is not looked at here.
"""

import copy
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np

from muslin.errors import InputError, shown

Layers = list[tuple[np.ndarray, np.ndarray]]


def from_torch(kind: Any, model: Any, activation: str | None = None, output: str | None = None) -> Any:
    """The network of an ``nn.Sequential`` of Linear layers and activations, or of the state dict of one.

    activation: of the hidden layers; needed for a state dict, which does not have it. output: "softmax", "sigmoid" or
    "identity"; where none is given, what the last module is, else softmax for several units and identity for one. A
    BatchNorm1d is folded into the Linear layer before it, as it is after training.
    """
    if isinstance(model, Mapping):
        if activation is None:
            raise InputError("A state dict does not say the activation; give it, as in activation='relu'.")
        return _of_state_dict(kind, model, activation, output)
    chain = _Chain()
    for module in _modules(model):
        name = type(module).__name__
        if name == "Linear":
            bias = None if module.bias is None else _array(module.bias)
            chain.layer(_array(module.weight), bias)
        elif name == "BatchNorm1d":
            chain.normalization(*_batch_norm(module))
        elif name in TORCH:
            chain.function(TORCH[name](module), name)
        elif name not in ("Dropout", "AlphaDropout", "Flatten", "Identity"):
            raise InputError(f"The module {shown(name)} of PyTorch is no part of a dense network of muslin's.")
    return chain.compared(chain.network(kind, output, activation), lambda X: _run_torch(model, X))


def from_sklearn(kind: Any, model: Any) -> Any:
    """The network of a fitted MLPClassifier or MLPRegressor. It predicts class numbers, in the order of classes_."""
    if not hasattr(model, "coefs_"):
        raise InputError(f"{type(model).__name__} is no fitted MLPClassifier or MLPRegressor: it has no coefs_.")
    hidden = {"logistic": "sigmoid"}.get(model.activation, model.activation)
    output = {"logistic": "sigmoid", "exp": "exponential"}.get(model.out_activation_, model.out_activation_)
    layers = [(W.T, b) for W, b in zip(model.coefs_, model.intercepts_, strict=True)]
    return _network(kind, layers, hidden, output)


def from_keras(kind: Any, model: Any, output: str | None = None) -> Any:
    """The network of a Keras model of Dense layers, one after the other; output: as in `from_torch`.

    A BatchNormalization right behind a Dense without an activation is folded into it, as it is after training.
    """
    chain = _Chain()
    for layer in model.layers:
        name, weights = type(layer).__name__, [np.asarray(w) for w in layer.get_weights()]
        if name == "Dense":
            if not weights:
                raise InputError("The model has no weights yet: it must have been called, or built.")
            chain.layer(weights[0].T, weights[1] if len(weights) > 1 else None)
            chain.function(*_keras(layer.activation, name))
        elif name == "BatchNormalization":
            chain.normalization(*_batch_normalization(layer, weights))
        elif name in ("Activation", "ReLU", "Softmax"):
            chain.function(*_keras(getattr(layer, "activation", None), name))
        elif name not in NOTHING_IN_KERAS:
            raise InputError(f"The layer {shown(name)} of Keras is no part of a dense network of muslin's.")
    return chain.compared(chain.network(kind, output), lambda X: _run_keras(model, X))


def from_onnx(kind: Any, path: str | PathLike[str], output: str | None = None) -> Any:
    """The network of an ONNX file that is a chain of Gemm (or MatMul and Add) and activations; output: as in
    `from_torch`."""
    try:
        import onnx
    except ImportError as error:
        raise InputError("ONNX needs the onnx package: pip install 'muslin[onnx]'.") from error
    from muslin.files import read_bytes

    data = read_bytes(path, "ONNX file")
    try:
        graph = onnx.load_from_string(data).graph
        if not graph.node:
            raise ValueError("no node")
    except Exception:  # protobuf raises its own kinds
        raise InputError(f"{path} is no ONNX model, or it is damaged.") from None
    chain = _Onnx(onnx, graph).chain()
    return chain.compared(chain.network(kind, output), lambda X: _run_onnx(data, X))


# What the functions have in common


class _Chain:
    """Layers and functions in their order. A function is a name of ours; a text in brackets says why it is none."""

    def __init__(self) -> None:
        self.layers: Layers = []
        self.functions: list[str] = []
        self.logarithm = False  # whether it ends in the logarithm of the last function

    def layer(self, W: np.ndarray, b: np.ndarray | None) -> None:
        if self.layers and W.shape[1] != self.layers[-1][0].shape[0]:
            raise InputError(f"A layer of {W.shape[1]} inputs follows one of {self.layers[-1][0].shape[0]} units.")
        self.layers.append((W, np.zeros(len(W), W.dtype) if b is None else b))
        self.functions.append("identity")

    def normalization(self, name: str, mean: Any, variance: Any, epsilon: float, gamma: Any, beta: Any) -> None:
        """Folds γ (a − mean) / √(variance + ε) + β into the layer before it; a γ or β that is None is not there."""
        if mean is None or not self.layers or self.functions[-1] != "identity":
            raise InputError(f"{name} must follow a layer without an activation, and have running statistics.")
        factor = (1.0 if gamma is None else gamma) / np.sqrt(variance + epsilon)
        shift = 0.0 if beta is None else beta
        W, b = self.layers[-1]
        self.layers[-1] = W * factor[:, None], (b - mean) * factor + shift

    def function(self, name: str, theirs: str) -> None:
        if name.startswith("("):
            raise InputError(f"The activation {theirs} {name[1:-1]}; muslin has no such activation.")
        if not self.functions:
            raise InputError(f"The model begins with {theirs}; a dense network begins with a layer.")
        if name == "identity":
            return
        if self.functions[-1] != "identity":
            raise InputError(f"Two activations follow each other: {self.functions[-1]} and {name}.")
        self.functions[-1], self.logarithm = name, theirs == "LogSoftmax"

    def compared(self, network: Any, run: Callable[[np.ndarray], Any]) -> Any:
        """The network, if it answers as the other does.  run: samples (N × n_0) → what the other says of them."""
        X = np.random.default_rng(0).standard_normal((8, network.sizes[0])).astype(network.dtype)
        try:
            theirs = np.asarray(run(X), network.dtype)
            theirs = theirs.reshape(len(X), network.sizes[-1])
        except ImportError:  # of what would run it
            return network
        except Exception as error:
            raise InputError(f"The model does not run on samples of {X.shape[1]} numbers: {shown(error)}") from None
        if self.logarithm:
            theirs = np.exp(theirs)
        elif self.functions[-1] == "identity":
            network.output_function(theirs.T.copy(), Y_hat := np.empty_like(theirs.T))
            theirs = Y_hat.T
        if not np.allclose(network.respond(X), theirs, rtol=1e-3, atol=1e-4):
            raise InputError("The model answers otherwise than a chain of its layers would; it is not taken over.")
        return network

    def network(self, kind: Any, output: str | None = None, activation: str | None = None) -> Any:
        if not self.layers:
            raise InputError("The model has no dense layer.")
        *hidden, last = self.functions
        if len({*hidden}) > 1:
            raise InputError(f"The hidden layers have different activations ({', '.join(hidden)}); muslin has one.")
        if last not in kind.outputs:
            raise InputError(f"The last layer ends with {last}; it must be one of {', '.join(kind.outputs)}.")
        if last == "identity":
            last = output or ("softmax" if len(self.layers[-1][0]) > 1 else "identity")
        return _network(kind, self.layers, hidden[0] if hidden else activation or "identity", output or last)


def _network(kind: Any, layers: Layers, activation: str, output: str) -> Any:
    dtype = np.float64 if layers[0][0].dtype == np.float64 else np.float32
    sizes = [layers[0][0].shape[1], *(len(W) for W, _ in layers)]
    network = kind(sizes, activation, output=output, dtype=dtype)
    for k, (W, b) in enumerate(layers, 1):
        network.weights[k], network.biases[k] = W, np.reshape(b, (-1, 1))
    return network


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)


# PyTorch


def _modules(model: Any) -> list[Any]:
    if type(model).__name__ == "Linear":
        return [model]
    if type(model).__name__ != "Sequential":
        raise InputError(f"from_torch takes an nn.Sequential or a state dict, not {shown(type(model).__name__)}.")
    return [inner for m in model for inner in (_modules(m) if type(m).__name__ == "Sequential" else [m])]


def _batch_norm(module: Any) -> tuple[Any, ...]:
    """An ``nn.BatchNorm1d``, for `_Chain.normalization`."""
    arrays = (module.running_mean, module.running_var, module.weight, module.bias)
    mean, variance, gamma, beta = (None if tensor is None else _array(tensor) for tensor in arrays)
    return "BatchNorm1d", mean, variance, module.eps, gamma, beta


def _run_torch(model: Any, X: np.ndarray) -> np.ndarray:
    import torch

    model = copy.deepcopy(model).cpu().eval()
    with torch.no_grad():
        return _array(model(torch.from_numpy(X).to(next(model.parameters()).dtype)))


def _of_state_dict(kind: Any, state: Mapping[str, Any], activation: str, output: str | None) -> Any:
    chain = _Chain()
    for name, tensor in state.items():
        if name.endswith("weight"):
            W = _array(tensor)
            if W.ndim != 2:
                raise InputError(f"{shown(name)} has the shape {W.shape}; a dense layer's weight has two dimensions.")
            bias = state.get(f"{name.removesuffix('weight')}bias")
            chain.layer(W, None if bias is None else _array(bias))
        elif not name.endswith("bias"):
            raise InputError(f"{shown(name)} is no weight or bias of a dense layer.")
    chain.functions[:-1] = [activation] * (len(chain.functions) - 1)
    return chain.network(kind, output, activation)


#: module of torch.nn → the name of ours
TORCH: dict[str, Callable[[Any], str]] = {
    "Sigmoid": lambda m: "sigmoid",
    "Tanh": lambda m: "tanh",
    "ReLU": lambda m: "relu",
    "SiLU": lambda m: "silu",
    "LeakyReLU": lambda m: "leaky_relu" if m.negative_slope == 0.01 else f"(has the slope {m.negative_slope})",
    "ELU": lambda m: "elu" if m.alpha == 1.0 else f"(has α = {m.alpha})",
    "GELU": lambda m: "gelu" if m.approximate == "tanh" else "(is the exact one, and ours its form with tanh)",
    "Softmax": lambda m: "softmax",
    "LogSoftmax": lambda m: "softmax",
}


# Keras


#: layers that do nothing after training
NOTHING_IN_KERAS = {
    "InputLayer",
    "Flatten",
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
}


def _keras(function: Any, layer: str) -> tuple[str, str]:
    """(the name of ours, or why there is none; theirs) of the function of a layer that may be the function itself."""
    name = layer.lower() if function is None else getattr(function, "__name__", str(function))
    exact = {"linear": "identity", "swish": "silu", "exponential": "exponential"}
    others = {"gelu": "(is the exact GELU, and ours its form with tanh)", "leaky_relu": "(has another slope)"}
    same = ("sigmoid", "tanh", "relu", "elu", "silu", "softmax")
    return exact.get(name) or others.get(name) or (name if name in same else "(is unknown)"), name


def _batch_normalization(layer: Any, weights: list[np.ndarray]) -> tuple[Any, ...]:
    """A Keras BatchNormalization, for `_Chain.normalization`: its weights are γ, β, the mean and the variance."""
    rest = iter(weights)
    gamma, beta = (next(rest, None) if there else None for there in (layer.scale, layer.center))
    return "BatchNormalization", next(rest, None), next(rest, None), layer.epsilon, gamma, beta


def _run_keras(model: Any, X: np.ndarray) -> np.ndarray:
    return model.predict(X.reshape(-1, *model.input_shape[1:]), verbose=0)


# ONNX


def _run_onnx(data: bytes, X: np.ndarray) -> np.ndarray:
    """What the first output says that is no label; of a model that takes bytes these are the samples' whole part."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    first_input = session.get_inputs()[0]
    outputs = [output.name for output in session.get_outputs() if output.type in ("tensor(float)", "tensor(double)")]
    kind = {"tensor(double)": np.float64}.get(first_input.type, np.float32)
    return session.run(outputs[:1], {first_input.name: X.astype(kind)})[0]


class _Onnx:
    """Follows the samples through a graph, from its input."""

    def __init__(self, onnx: Any, graph: Any):
        self.onnx, self.graph = onnx, graph
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].HasField("t"):
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        self.inputs = [i.name for i in graph.input if i.name not in self.constants]

    def chain(self) -> _Chain:
        if len(self.inputs) != 1:
            raise InputError(f"The ONNX model has {len(self.inputs)} inputs; a dense network of muslin's has one.")
        chain, at = _Chain(), self.inputs[0]
        while followers := [n for n in self.graph.node if at in n.input and n.op_type not in ENDS]:
            at = self._take(chain, at, followers)
        return chain

    def _take(self, chain: _Chain, at: str, followers: list[Any]) -> str:
        """One step on from the tensor ``at``; returns what it is then."""
        kinds = sorted(n.op_type for n in followers)
        if kinds == ["Mul", "Sigmoid"]:  # x σ(x)
            mul, gate = sorted(followers, key=lambda n: n.op_type)
            if gate.output[0] in mul.input:
                chain.function("silu", "SiLU")
                return mul.output[0]
        if len(followers) > 1:
            raise InputError(f"The ONNX model branches ({', '.join(kinds)}); a dense network is one chain.")
        node = followers[0]
        if node.op_type not in STEPS:
            raise InputError(f"The ONNX model has a {node.op_type} here; it is no part of a dense network of muslin's.")
        STEPS[node.op_type](self, chain, node)
        return node.output[0]

    def attributes(self, node: Any) -> dict[str, Any]:
        return {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}

    def constant(self, node: Any) -> np.ndarray:
        """The one operand that is a constant."""
        name = next((n for n in node.input if n in self.constants), None)
        if name is None:
            raise InputError(f"The {node.op_type} of the ONNX model has no constant; its weights must be in the file.")
        return self.constants[name]


def _gemm(o: _Onnx, chain: _Chain, node: Any) -> None:
    settings = o.attributes(node)
    if settings.get("alpha", 1.0) != 1.0 or settings.get("beta", 1.0) != 1.0 or settings.get("transA", 0):
        raise InputError("A Gemm of the ONNX model has factors or a transposed input; it is no dense layer.")
    if any(name not in o.constants for name in node.input[1:]):
        raise InputError("A Gemm of the ONNX model has weights that are not in the file.")
    W, *b = (o.constants[name] for name in node.input[1:])
    chain.layer(W if settings.get("transB", 0) else W.T, np.ravel(b[0]) if b else None)


def _matmul(o: _Onnx, chain: _Chain, node: Any) -> None:
    if node.input[1] not in o.constants:
        raise InputError("A MatMul of the ONNX model multiplies by no constant from the right; it is no dense layer.")
    chain.layer(o.constants[node.input[1]].T, None)


def _add(o: _Onnx, chain: _Chain, node: Any) -> None:
    b = np.ravel(o.constant(node))
    if not chain.layers or b.size != len(chain.layers[-1][1]) or chain.functions[-1] != "identity":
        raise InputError("An Add of the ONNX model is no bias of a layer.")
    W, before = chain.layers[-1]
    chain.layers[-1] = W, before + b


def _named(name: str, accepts: Callable[[dict[str, Any]], bool] = lambda settings: True) -> Callable[..., None]:
    def step(o: _Onnx, chain: _Chain, node: Any) -> None:
        if not accepts(o.attributes(node)):
            raise InputError(f"The {node.op_type} of the ONNX model is another than muslin's {name}.")
        chain.function(name, node.op_type)

    return step


#: what only names what the network says, at the end
ENDS = {"ArgMax", "LabelEncoder", "Greater", "ZipMap", "TopK"}
#: operator → what it does to the chain
STEPS: dict[str, Callable[[_Onnx, _Chain, Any], None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sigmoid": _named("sigmoid"),
    "Tanh": _named("tanh"),
    "Relu": _named("relu"),
    "LeakyRelu": _named("leaky_relu", lambda s: abs(s.get("alpha", 0.01) - 0.01) < 1e-7),
    "Elu": _named("elu", lambda s: s.get("alpha", 1.0) == 1.0),
    "Gelu": _named("gelu", lambda s: s.get("approximate", b"none") == b"tanh"),
    "Sin": _named("sin"),
    "Exp": _named("exponential"),
    "Softmax": _named("softmax"),
    "LogSoftmax": _named("softmax"),
    **{name: (lambda o, chain, node: None) for name in ("Identity", "Flatten", "Dropout", "Reshape")},
}
