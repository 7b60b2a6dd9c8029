"""The page of the mathematics: each equation beside the very code, and its numbers for one batch.

``python website/mathematics.py`` prints it. Code comes from the package by `inspect`, numbers from a step of it.
"""

import inspect
import textwrap

import numpy as np

from muslin import FeedForwardNeuralNetwork, activations, losses, optimizers, outputs
from muslin.memory import Signals
from muslin.training import settings, step

SIZES, RATE = [3, 4, 2], 0.1


def page():
    """All of the page, Markdown."""
    return "\n\n".join([INTRODUCTION, *(section(*parts) for parts in sections())]) + "\n"


def section(title, equation, why, code, numbers):
    shown = "".join(f"\n\n```python\n{source(function)}\n```" for function in code)
    values = "\n\n".join(f"```text\n{matrix(name, value)}\n```" for name, value in numbers.items())
    return f"## {title}\n\n**{equation}**\n\n{why}{shown}\n\nWith these numbers:\n\n{values}"


def source(function):
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def matrix(name, value):
    value = np.atleast_2d(value)
    lines = np.array2string(value, precision=4, suppress_small=True, floatmode="fixed").splitlines()
    return f"{name}  ({' × '.join(map(str, value.shape))})\n" + "\n".join(lines)


def sections():
    """(title, equation, why, functions, {symbol: numbers}) of each stage, computed on the way."""
    network = FeedForwardNeuralNetwork(SIZES, "sigmoid", "xavier", seed=1, dtype="float64", engine="numpy")
    X, y = np.random.default_rng(1).random((3, 3)).round(2), np.array([0, 1, 1])
    rule = network.optimizers["momentum"]
    options = {"learning_rate": RATE, "optimizer": "momentum", "batch_size": 3}
    taken = step.Step(network, X, y, rule, settings.TrainingSettings.read(options, network.optimizers, 0))
    s = Signals(network.sizes, 3, network.dtype)
    s.H[0][...] = X.T
    network.forward(s)
    Y = losses.target_columns(y, 2, network.dtype)
    loss = float(network.batch_loss(s, Y)) / 3
    network.backward(s, Y)
    W, b, dW, db = network.weights, network.biases, network.weight_gradients, network.bias_gradients
    F, before = FeedForwardNeuralNetwork, network.theta.copy()
    first = {"X = H⁽⁰⁾": s.H[0], "W⁽¹⁾": W[1].copy(), "b⁽¹⁾": b[1].copy(), "A⁽¹⁾": s.A[1], "H⁽¹⁾": s.H[1]}
    yield ("Forward: the hidden layer", "A⁽¹⁾ = W⁽¹⁾ X + b⁽¹⁾, H⁽¹⁾ = σ(A⁽¹⁾)",
           "A column is a sample. A unit adds up its inputs, each with its weight; σ keeps that between 0 and 1. "
           "The loop does this for every hidden layer. The code adds b where it applies σ: A is W H there.",
           [F.forward, activations.sigmoid], first)  # fmt: skip
    yield ("Forward: the output", "A⁽²⁾ = W⁽²⁾ H⁽¹⁾ + b⁽²⁾, Ŷ = softmax(A⁽²⁾)",
           "Each column of Ŷ is a probability of each class.", [outputs.softmax],
           {"W⁽²⁾": W[2].copy(), "A⁽²⁾": s.A[2], "Ŷ": s.H[2]})  # fmt: skip
    yield ("The loss", "ℓ = −(1/B) Σ Y ∘ log Ŷ", "The mean over the batch of how surprised the network is.",
           [network.loss_function], {"Y": Y, "ℓ": np.array([loss])})  # fmt: skip
    yield ("Backward: the deltas", "dA⁽²⁾ = (Ŷ − Y)/B, dH⁽¹⁾ = W⁽²⁾ᵀ dA⁽²⁾, dA⁽¹⁾ = dH⁽¹⁾ ∘ σ′(A⁽¹⁾)",
           "The chain rule: what moves A⁽²⁾ moves the loss by dA⁽²⁾; H⁽¹⁾ moves A⁽²⁾ by W⁽²⁾; A⁽¹⁾ moves H⁽¹⁾ by σ′.",
           [F.deltas, network.delta_function, network.slope],
           {"dA⁽²⁾": s.dA[2], "dH⁽¹⁾": s.dH[1], "dA⁽¹⁾": s.dA[1]})  # fmt: skip
    yield ("Backward: the gradients", "dW⁽ᵏ⁾ = dA⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ᵀ, db⁽ᵏ⁾ = Σ dA⁽ᵏ⁾",
           "A weight moves A by the H that it multiplies, summed over the batch.", [F.gradients],
           {"dW⁽²⁾": dW[2], "db⁽²⁾": db[2], "dW⁽¹⁾": dW[1], "db⁽¹⁾": db[1]})  # fmt: skip
    taken.update(1, RATE, loss)
    yield ("The update", "u ← μu + g, θ ← θ − ηu",
           f"All W and b are one vector θ, all gradients one vector g. η = {RATE}, μ = 0.9, u was 0.",
           [optimizers.momentum],
           {"θ before": before, "g": network.gradient, "θ after": network.theta, "W⁽²⁾ after": W[2]})  # fmt: skip


INTRODUCTION = """# The mathematics

One step of training, from X to the update, for a network of 3 → 4 → 2 units and a batch of 3 samples: each equation,
the very code that computes it, and the numbers that this code gave when this page was built. Point at a number of such
a step to see where it came from: [the blackboard](blackboard.md)."""

if __name__ == "__main__":
    print(page())
