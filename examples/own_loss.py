"""A loss of your own: the function, its slope, and one row.

The pinball loss (Koenker & Bassett 1978) makes a network say a quantile in place of the mean: with q = 0.9 a number
below which nine in ten of the true ones lie. The slope is checked against central differences before it is used.
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from muslin import FeedForwardNeuralNetwork
from muslin.gradcheck import gradcheck

EPOCHS = 200
Q = 0.9


def pinball(Z, Y_hat, Y):
    """max(qe, (q − 1)e) with e = y − ŷ: too low costs q, too high 1 − q."""
    E = Y - Y_hat
    return np.maximum(Q * E, (Q - 1.0) * E)


def pinball_delta(Y_hat, Y):
    """∂loss/∂ŷ: −q where ŷ is too low, 1 − q where it is too high."""
    return np.where(Y_hat < Y, -Q, 1.0 - Q)


FeedForwardNeuralNetwork.losses["pinball"] = {"identity": (pinball, pinball_delta)}

X, y = load_diabetes(return_X_y=True)
y = (y - y.mean()) / y.std()
X_train, X_test, y_train, y_test = train_test_split(X / X.std(axis=0), y, test_size=0.3, random_state=0)

small = FeedForwardNeuralNetwork([10, 4, 1], "tanh", "xavier", "pinball", output="identity", dtype="float64")
error = max(max(errors) for errors in gradcheck(small, X_train[:20], y_train[:20]).values())

network = FeedForwardNeuralNetwork([10, 16, 1], "tanh", "xavier", "pinball", output="identity", seed=0)
network.fit(X_train, y_train, epochs=EPOCHS, weight_decay=1e-2)
print(f"gradients  right to {error:.0e}")
print(f"quantile   {np.mean(y_test < network.predict(X_test)):.2f} of the test values lie below what it says; q = {Q}")
