"""PyTorch, eager or compiled: batches gathered by index, an optimizer that updates all parameters in one call.

Compiled: the network with its loss and gradients; and the optimizer where PyTorch has no fused kernel of its own
(compiling around one that it has made it slower).
"""

import time
from functools import partial

import torch
from torch import nn, optim

from benchmarks.peers.protocol import serve

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
OPTIMIZERS = {
    "sgd": partial(optim.SGD, fused=True),
    "momentum": partial(optim.SGD, momentum=0.9, fused=True),
    "nag": partial(optim.SGD, momentum=0.9, nesterov=True, fused=True),
    "rmsprop": partial(optim.RMSprop, alpha=0.9, foreach=True),
    "adam": partial(optim.Adam, fused=True),
    "nadam": partial(optim.NAdam, foreach=True),
}


def network(work):
    modules = []
    for W, b in work.layers:
        linear = nn.Linear(*W.T.shape)
        linear.load_state_dict({"weight": torch.from_numpy(W), "bias": torch.from_numpy(b)})
        modules += [linear, ACTIVATIONS[work.activation]()]
    return nn.Sequential(*modules[:-1])


def train(work):
    X, y = torch.from_numpy(work.floats(work.X)), torch.from_numpy(work.y)
    model = network(work)
    optimizer = OPTIMIZERS[work.optimizer](model.parameters(), lr=work.learning_rate)
    update = optimizer.step

    def loss_of(X, y, rows):
        return nn.functional.cross_entropy(model(X[rows]), y[rows])

    if work.compiled:
        loss_of = torch.compile(loss_of)
        update = update if optimizer.defaults.get("fused") else torch.compile(update)

    def layers():
        return ((m.weight.detach().numpy(), m.bias.detach().numpy()) for m in model if isinstance(m, nn.Linear))

    epoch, done = 0, False
    while not done:
        started, total = time.perf_counter(), torch.zeros(())
        for rows in torch.from_numpy(work.order(epoch)):
            optimizer.zero_grad()
            loss = loss_of(X, y, rows)
            loss.backward()
            update()
            total += loss.detach()
        epoch, done = epoch + 1, work.report(time.perf_counter() - started, layers)


def predict(work):
    model = nn.Sequential(network(work), nn.Softmax(dim=1)).eval()
    with torch.inference_mode():
        work.predict(lambda X: model(torch.from_numpy(X)).numpy())


if __name__ == "__main__":
    serve(train=train, predict=predict)
