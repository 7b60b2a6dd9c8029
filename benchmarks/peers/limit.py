"""What a step cannot do without: its matrix products through np.matmul, and one pass over the optimizer's memory.

The products have the shapes and orders of `muslin.network`. The pass reads θ, g and the slots and writes θ and the
slots; its arithmetic is next to none, and it runs on one thread, as muslin's does.
"""

import time

from benchmarks.peers.ours import network
from benchmarks.peers.protocol import serve
from muslin.training.step import signature


def no_slot(theta, g):
    return theta + 0.0 * g


def one_slot(theta, g, u):
    return theta + 0.0 * g, u + 0.0 * g


def two_slots(theta, g, m, v):
    return theta + 0.0 * g, m + 0.0 * g, v + 0.0 * g


PASSES = (no_slot, one_slot, two_slots)


def train(work):
    import numpy as np

    net, rng = network(work), np.random.default_rng(0)
    W, dW = net.weights, net.weight_gradients
    H, A, dH, dA = (
        {k: np.asfortranarray(rng.random((n, work.batch)), np.float32) for k, n in enumerate(net.sizes)}
        for _ in range(4)
    )
    slots = [np.zeros_like(net.theta) for _ in signature(net.optimizers[work.optimizer])[0]]
    products = [
        *((W[k], H[k - 1], A[k]) for k in W),
        *((dA[k], H[k - 1].T, dW[k]) for k in W),
        *((W[k].T, dA[k], dH[k - 1]) for k in W if k > 1),
    ]
    done = False
    while not done:
        started = time.perf_counter()
        for _ in range(work.steps):
            for left, right, out in products:
                np.matmul(left, right, out=out)
            net.engine.update(PASSES[len(slots)], net.theta, net.gradient, slots, {})
        done = work.report(time.perf_counter() - started)


if __name__ == "__main__":
    serve(train=train)
