"""Transfer: layers that have learned one task begin another one.

A network learns the ten digits. Then, from twenty pictures, another one is to learn which of them are even: from
scratch, or with the first layer taken over. The same pictures and steps, five seeds. For whole data sets:
`muslin transfer`.
"""

import numpy as np

from muslin import FeedForwardNeuralNetwork, datasets
from muslin.training.transfer import transplant

EPOCHS = 40
PICTURES = 10  # of the even digits, and of the odd ones

data = datasets.load("digits")
X, digit, odd, odd_test = data.X_train, data.y_train, data.y_train % 2, data.y_test % 2
source = FeedForwardNeuralNetwork([784, 64, 10], "tanh", "xavier", seed=0)
source.fit(X, digit, epochs=EPOCHS)

accuracy = {"from scratch": [], "fine-tuned": [], "first layer frozen": []}
for seed in range(1, 6):
    rng = np.random.default_rng(seed)
    few = np.concatenate([rng.choice(np.flatnonzero(odd == k), PICTURES, replace=False) for k in (0, 1)])
    for name, scores in accuracy.items():
        network = FeedForwardNeuralNetwork([784, 64, 2], "tanh", "xavier", seed=seed)
        if name != "from scratch":
            transplant(source, network, layers=1)
        network.fit(X[few], odd[few], epochs=EPOCHS, batch_size=5, freeze=int("frozen" in name))
        scores.append(network.score(data.X_test, odd_test))
for name, scores in accuracy.items():
    print(f"{name:20} {np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}")
