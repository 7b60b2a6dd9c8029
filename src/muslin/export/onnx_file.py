"""A trained network as an ONNX model: with the scaling of bytes, or the preparation of its table, inside.

Inputs   ``X`` (N × n_0), or with a preparation one (N × 1) input a column, under its name: float64 for a number (NaN:
         missing), strings for a category ("": missing), days since 1970-01-01 as float64 for a date
Outputs  ``label`` and ``probabilities``; or ``number`` (``numbers`` where there are several)

Operators of the ONNX standard, opset 20, and of its ai.onnx.ml, opset 3. https://onnx.ai/onnx/operators/
"""

from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.files import atomic
from muslin.normalization import folded

OPSET, ML, IR = 20, 3, 9


class Graph:
    """Nodes in their order, and the constants that they use."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise InputError("ONNX needs the onnx package: pip install 'muslin[onnx]'.") from error
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, *inputs: str, to: str | None = None, domain: str = "", **attributes: Any) -> str:
        to = to or f"t{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [to], domain=domain, **attributes))
        return to

    def input(self, name: str, kind: Any, width: int) -> str:
        self.inputs.append(self._value(name, kind, width))
        return name

    def output(self, name: str, kind: Any, *width: int) -> None:
        self.outputs.append(self._value(name, kind, *width))

    def _value(self, name: str, kind: Any, *width: int) -> Any:
        number = kind if isinstance(kind, int) else self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return self.onnx.helper.make_tensor_value_info(name, number, ["N", *width])

    def model(self, about: str) -> Any:
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, "muslin", self.inputs, self.outputs, self.constants)
        sets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML)]
        model = helper.make_model(graph, opset_imports=sets, ir_version=IR, producer_name="muslin", doc_string=about)
        self.onnx.checker.check_model(model, full_check=True)
        return model


# Activations of the hidden layers


def _gelu(g: Graph, x: str) -> str:
    return g.node("Gelu", x, approximate="tanh")


def _silu(g: Graph, x: str) -> str:
    return g.node("Mul", x, g.node("Sigmoid", x))


#: activation → what applies it
ACTIVATIONS = {
    "identity": lambda g, x: x,
    "sigmoid": lambda g, x: g.node("Sigmoid", x),
    "tanh": lambda g, x: g.node("Tanh", x),
    "relu": lambda g, x: g.node("Relu", x),
    "leaky_relu": lambda g, x: g.node("LeakyRelu", x, alpha=0.01),
    "elu": lambda g, x: g.node("Elu", x, alpha=1.0),
    "gelu": _gelu,
    "silu": _silu,
    "sin": lambda g, x: g.node("Sin", x),
}


def model(
    network: Any,
    *,
    names: tuple[str, ...] = (),
    preparation: Any = None,
    target: Any = None,
    uint8: bool = False,
    looks: Iterable[tuple[Any, np.ndarray | None]] | None = None,
) -> Any:
    """The ONNX model of a network or of an ensemble, checked by onnx.

    names: of the classes or labels, so that ``label`` is a name and not a number. preparation, target: those of the
    table that it was trained on. uint8: its input are bytes, scaled by 1/255. looks: those of the
    ensemble; see `muslin.ensemble.Ensemble.looks`.

    Raises InputError where onnx is missing, or has no operator for the activation.
    """
    g = Graph()
    X = _prepared(g, preparation, network.dtype) if preparation else _samples(g, network, uint8)
    each = [_output(g, X, member, pixels) for member, pixels in looks or [(network, None)]]
    Y_hat = each[0] if len(each) == 1 else g.node("Mean", *each)
    OUTPUTS[network.output](g, Y_hat, network, names, target)
    return g.model(repr(network))


def _output(g: Graph, X: str, network: Any, pixels: np.ndarray | None) -> str:
    """Ŷ of the samples, in the view of these pixels if some are given."""
    if network.activation not in ACTIVATIONS:
        raise InputError(f"ONNX has no operator for the activation {network.activation}; it is not exported.")
    if pixels is not None:
        framed = g.node("Pad", X, g.constant(np.array([0, 0, 0, 1])))
        X = g.node("Gather", framed, g.constant(pixels), axis=1)
    network, H = folded(network), X
    for k in network.weights:
        W, b = g.constant(np.asarray(network.weights[k])), g.constant(network.biases[k][:, 0].copy())
        A = g.node("Gemm", H, W, b, transB=1)
        H = ACTIVATIONS[network.activation](g, A) if k < network.L else A
    return OUTPUT_FUNCTIONS[network.output](g, H)


def save(path: str | PathLike[str], model: Any) -> None:
    """Write the model, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _samples(g: Graph, network: Any, uint8: bool) -> str:
    X = g.input("X", np.uint8 if uint8 else network.dtype, network.sizes[0])
    if not uint8:
        return X
    return g.node("Mul", _cast(g, X, network.dtype), g.constant(network.dtype.type(1 / 255)))


# The preparation of a table


def _prepared(g: Graph, preparation: Any, dtype: np.dtype) -> str:
    parts = [part for column in preparation.columns for part in COLUMNS[column.kind](g, column)]
    return _cast(g, g.node("Concat", *parts, axis=1), dtype)


def _cast(g: Graph, x: str, dtype: Any) -> str:
    to = f"t{len(g.nodes)}"
    kind = g.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    g.nodes.append(g.onnx.helper.make_node("Cast", [x], [to], to=kind))
    return to


def _number(g: Graph, column: Any) -> list[str]:
    x, gap = _filled(g, column)
    return _scaled(g, column, [x, *([gap] if column.gaps else [])])


def _filled(g: Graph, column: Any) -> tuple[str, str]:
    x = g.input(column.name, np.float64, 1)
    lost = g.node("IsNaN", x)
    return g.node("Where", lost, g.constant(np.array([column.fill])), x), _cast(g, lost, np.float64)


def _scaled(g: Graph, column: Any, parts: list[str]) -> list[str]:
    return [
        g.node("Div", g.node("Sub", part, g.constant(np.array([center]))), g.constant(np.array([scale])))
        for part, center, scale in zip(parts, column.center, column.scale, strict=True)
    ]


def _date(g: Graph, column: Any) -> list[str]:
    from muslin.preparation.preparation import CYCLES

    x, gap = _filled(g, column)
    parts = [x]
    for length in CYCLES.values():
        rest = g.node("Mod", x, g.constant(np.array([length])), fmod=1)
        angle = g.node("Mul", rest, g.constant(np.array([2 * np.pi / length])))
        parts += [g.node("Cos", angle), g.node("Sin", angle)]
    return _scaled(g, column, [*parts, *([gap] if column.gaps else [])])


def _category(g: Graph, column: Any) -> list[str]:
    from muslin.preparation.preparation import MISSING_LEVEL

    x = g.input(column.name, g.onnx.TensorProto.STRING, 1)
    levels = ["" if level == MISSING_LEVEL else level for level in column.levels]
    hot = g.node("OneHotEncoder", x, domain="ai.onnx.ml", cats_strings=levels or ["\0"], zeros=1)
    hot = _cast(g, g.node("Reshape", hot, g.constant(np.array([-1, max(1, len(levels))]))), np.float64)
    if not column.rare:
        return [hot]
    known = g.node("ReduceSum", hot, g.constant(np.array([1])), keepdims=1)
    other = g.node("Sub", g.constant(np.array([1.0])), known)
    return [hot, other] if levels else [other]


COLUMNS = {"number": _number, "category": _category, "date": _date}


# What it says

#: output → what applies it
OUTPUT_FUNCTIONS = {
    "softmax": lambda g, A: g.node("Softmax", A, axis=1),
    "sigmoid": lambda g, A: g.node("Sigmoid", A),
    "identity": lambda g, A: A,
    "exponential": lambda g, A: g.node("Exp", A),
}


def _classes(g: Graph, Y_hat: str, network: Any, names: tuple[str, ...], target: Any) -> None:
    g.node("Identity", Y_hat, to="probabilities")
    number = g.node("ArgMax", "probabilities", axis=1, keepdims=0, to=None if names else "label")
    _label(g, number, names)
    g.output("probabilities", network.dtype, network.sizes[-1])


def _label(g: Graph, number: str, names: tuple[str, ...]) -> None:
    if names:
        keys = list(range(len(names)))
        g.node("LabelEncoder", number, to="label", domain="ai.onnx.ml", keys_int64s=keys, values_strings=list(names))
    g.output("label", g.onnx.TensorProto.STRING if names else np.int64)


def _labels(g: Graph, Y_hat: str, network: Any, names: tuple[str, ...], target: Any) -> None:
    g.node("Identity", Y_hat, to="probabilities")
    there = g.node("Greater", "probabilities", g.constant(network.dtype.type(0.5)))
    g.nodes.append(g.onnx.helper.make_node("Cast", [there], ["label"], to=g.onnx.TensorProto.INT64))
    g.output("label", np.int64, network.sizes[-1])
    g.output("probabilities", network.dtype, network.sizes[-1])


def _numbers(g: Graph, Y_hat: str, network: Any, names: tuple[str, ...], target: Any) -> None:
    name, dtype = ("number" if network.sizes[-1] == 1 else "numbers"), network.dtype
    if target is None:
        g.node("Identity", Y_hat, to=name)
    else:
        center, scale = g.constant(dtype.type(target.center)), g.constant(dtype.type(target.scale))
        g.node("Add", g.node("Mul", Y_hat, scale), center, to=name)
    g.output(name, dtype, network.sizes[-1])


#: output → what writes what it says
OUTPUTS = {"softmax": _classes, "sigmoid": _labels, "identity": _numbers, "exponential": _numbers}
