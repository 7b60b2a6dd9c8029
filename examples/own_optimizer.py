"""An optimizer of your own: one function and one row.

Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2) moves every parameter by the same amount, up or down by the sign
of a blend of the gradient and its running mean. `m` is a vector that it keeps;
keyword arguments are its hyperparameters.
"""

import numpy as np

from muslin import FeedForwardNeuralNetwork, datasets

EPOCHS = 20


def lion(theta, g, m, *, learning_rate, beta1=0.9, beta2=0.99):
    """θ ← θ − η sign(β₁ m + (1 − β₁) g), then m ← β₂ m + (1 − β₂) g."""
    direction = np.sign(m + (1.0 - beta1) * (g - m))
    m = m + (1.0 - beta2) * (g - m)
    return theta - learning_rate * direction, m


FeedForwardNeuralNetwork.optimizers["lion"] = lion

data = datasets.load("digits")
train, validation = datasets.split(data.y_train, 0.2, seed=0)
X, y = data.X_train, data.y_train
for optimizer, rate in {"lion": 3e-4, "adam": 1e-3, "nadam": 1e-3}.items():
    network = FeedForwardNeuralNetwork([784, 64, 10], seed=0)
    settings = {"optimizer": optimizer, "learning_rate": rate, "epochs": EPOCHS, "validation_data": (X, y, validation)}
    history = network.fit(X, y, rows=train, **settings)
    print(f"{optimizer:9}  loss {history['loss'][-1]:.4f}, validation accuracy {history['val_accuracy'][-1]:.3f}")
