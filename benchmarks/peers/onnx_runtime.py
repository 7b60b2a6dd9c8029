"""onnxruntime, on a graph of Gemm and Relu."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.protocol import serve

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid"}


def graph(work):
    nodes, parameters, H, last = [], [], "X", len(work.layers)
    for k, (W, b) in enumerate(work.layers, 1):
        parameters += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [H, f"W{k}", f"b{k}"], [f"A{k}"], transB=1))
        nodes.append(helper.make_node("Softmax" if k == last else ACTIVATIONS[work.activation], [f"A{k}"], [f"H{k}"]))
        H = f"H{k}"
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["samples", n])
        for name, n in (("X", work.layers[0][0].shape[1]), (H, work.layers[-1][0].shape[0]))
    ]
    made = helper.make_graph(nodes, "network", values[:1], values[1:], parameters)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def predict(work):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = work.threads
    model = graph(work).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    work.predict(lambda X: session.run(None, {"X": X})[0])


if __name__ == "__main__":
    serve(predict=predict)
