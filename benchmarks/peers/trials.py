"""A worker of an Optuna study: takes trials of the course's space, trains them with one library, tells how they end.

Each library as in the other comparisons: see `pytorch`, `jax_optax` and `sklearn_mlp`.
"""

import json
import sys
import warnings
from functools import partial
from itertools import pairwise

import numpy as np
import optuna

#: the course's names → those of the other files here
OPTIMIZERS = {"nesterov": "nag"}


def floats(X):
    return X.astype(np.float32) * np.float32(1 / 255)


def batches(n, size, epoch):
    return np.random.default_rng([0, epoch, 0]).permutation(n)[: n // size * size].reshape(-1, size)


def sizes(c):
    return [784, *[c["hidden_size"]] * c["hidden_layers"], 10]


def torch(c, X, y, X_val):
    import torch
    from torch import nn

    from benchmarks.peers import pytorch

    activation = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}[c["activation"]]
    modules = []
    for n, m in pairwise(sizes(c)):
        linear = nn.Linear(n, m)
        if c["weight_init"] == "Xavier":
            nn.init.xavier_uniform_(linear.weight)
        modules += [linear, activation()]
    model = nn.Sequential(*modules[:-1])
    name = OPTIMIZERS.get(c["optimizer"], c["optimizer"])
    optimizer = pytorch.OPTIMIZERS[name](model.parameters(), lr=c["learning_rate"], weight_decay=c["weight_decay"])
    X, y = torch.from_numpy(floats(X)), torch.from_numpy(y)
    for epoch in range(c["epochs"]):
        for rows in torch.from_numpy(batches(len(X), c["batch_size"], epoch)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        return model(torch.from_numpy(floats(X_val))).argmax(1).numpy()


def jax(c, X, y, X_val):
    import jax
    import jax.numpy as jnp
    import optax

    from benchmarks.peers import jax_optax

    activation = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "ReLU": jax.nn.relu}[c["activation"]]
    rule = jax_optax.OPTIMIZERS[OPTIMIZERS.get(c["optimizer"], c["optimizer"])](c["learning_rate"])
    rule = optax.chain(optax.add_decayed_weights(c["weight_decay"]), rule)
    rng, parameters = np.random.default_rng(0), []
    for n, m in pairwise(sizes(c)):
        limit = np.sqrt(6 / (n + m)) if c["weight_init"] == "Xavier" else np.sqrt(1 / n)
        parameters.append((jnp.asarray(rng.uniform(-limit, limit, (n, m)), jnp.float32), jnp.zeros(m)))

    def outputs(parameters, H):
        for W, b in parameters[:-1]:
            H = activation(H @ W + b)
        return H @ parameters[-1][0] + parameters[-1][1]

    def loss_of(parameters, H, y):
        return optax.softmax_cross_entropy_with_integer_labels(outputs(parameters, H), y).mean()

    @partial(jax.jit, donate_argnums=0)
    def train_epoch(carried, X, y, order):
        def step(carried, rows):
            parameters, slots = carried
            loss, gradients = jax.value_and_grad(loss_of)(parameters, X[rows].astype(jnp.float32) * (1 / 255), y[rows])
            updates, slots = rule.update(gradients, slots, parameters)
            return (optax.apply_updates(parameters, updates), slots), loss

        return jax.lax.scan(step, carried, order)

    X, y, carried = jnp.asarray(X), jnp.asarray(y), (parameters, rule.init(parameters))
    for epoch in range(c["epochs"]):
        carried, _ = train_epoch(carried, X, y, jnp.asarray(batches(len(X), c["batch_size"], epoch), jnp.int32))
    return np.asarray(outputs(carried[0], jnp.asarray(floats(X_val)))).argmax(1)


def sklearn(c, X, y, X_val):
    from sklearn.neural_network import MLPClassifier

    from benchmarks.peers import sklearn_mlp

    model = MLPClassifier(
        sizes(c)[1:-1],
        activation={"sigmoid": "logistic", "tanh": "tanh", "ReLU": "relu"}[c["activation"]],
        batch_size=c["batch_size"],
        learning_rate_init=c["learning_rate"],
        alpha=c["weight_decay"],
        max_iter=c["epochs"],
        n_iter_no_change=10**9,
        **sklearn_mlp.OPTIMIZERS.get(OPTIMIZERS.get(c["optimizer"], c["optimizer"]), {"solver": "adam"}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        model.fit(floats(X), y)
    return model.predict(floats(X_val))


TRAIN = {"torch": torch, "jax": jax, "sklearn": sklearn}


def main():
    work = json.loads(sys.argv[1])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, y = (np.load(f"{work['folder']}/{name}.npy") for name in "Xy")
    n = len(X) * 9 // 10
    study, train = optuna.load_study(study_name="trials", storage=work["storage"]), TRAIN[work["peer"]]

    def objective(trial):
        c = {name: trial.suggest_categorical(name, values) for name, values in work["space"].items()}
        return float((train(c, X[:n], y[:n], X[n:]) == y[n:]).mean())

    while study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        study.optimize(objective, n_trials=1)


if __name__ == "__main__":
    main()
