"""JAX with optax: the whole epoch one compiled `scan`, which gathers its batches from uint8 (faster than float32)."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import optax

from benchmarks.peers.protocol import serve

ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}
OPTIMIZERS = {
    "sgd": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "nag": partial(optax.sgd, momentum=0.9, nesterov=True),
    "rmsprop": partial(optax.rmsprop, decay=0.9),
    "adam": optax.adam,
    "nadam": optax.nadam,
}


def train(work):
    X, y = jnp.asarray(work.X), jnp.asarray(work.y)
    activation, rule = ACTIVATIONS[work.activation], OPTIMIZERS[work.optimizer](work.learning_rate)

    def loss_of(parameters, H, y):
        *hidden, (W_out, b_out) = parameters
        for W, b in hidden:
            H = activation(H @ W + b)
        return optax.softmax_cross_entropy_with_integer_labels(H @ W_out + b_out, y).mean()

    @partial(jax.jit, donate_argnums=0)
    def train_epoch(carried, X, y, order):
        def step(carried, rows):
            parameters, slots = carried
            batch = X[rows].astype(jnp.float32) * (1 / 255)
            loss, gradients = jax.value_and_grad(loss_of)(parameters, batch, y[rows])
            updates, slots = rule.update(gradients, slots, parameters)
            return (optax.apply_updates(parameters, updates), slots), loss

        return jax.lax.scan(step, carried, order)

    parameters = [(jnp.array(W.T), jnp.array(b)) for W, b in work.layers]
    carried, epoch, done = (parameters, rule.init(parameters)), 0, False
    while not done:
        started = time.perf_counter()
        carried, _ = jax.block_until_ready(train_epoch(carried, X, y, jnp.asarray(work.order(epoch), jnp.int32)))
        seconds = time.perf_counter() - started
        epoch, done = epoch + 1, work.report(seconds, lambda: ((W.T, b) for W, b in carried[0]))  # noqa: B023


if __name__ == "__main__":
    serve(train=train)
