"""Expected values from PyTorch and optax: ``python make.py`` writes them to references.json, with their versions.

The tests compare muslin with the record, and take the inputs (points, start, gradients) from the formulas below. The
test marked ``slow`` in test_optimizers.py runs the functions of `SECTIONS` again and compares the record with them.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

RECORD = Path(__file__).with_name("references.json")

# Inputs, which the tests compute too


def points():
    return np.linspace(-8.0, 8.0, 33)  # with 0, where the kinks are


def logits():
    return 4.0 * np.sin(np.arange(20.0)).reshape(4, 5)


LABELS = [0, 1, 2, 3, 1]
SMOOTHING = 0.1

STEPS = 100
KEPT = (1, 2, 10, 50, 100)  # the steps after which the parameters are recorded


def start(size=20):
    return 2.0 * np.cos(np.arange(1.0, size + 1))


def gradient(theta, t):
    """Of Σ aθ²/2 − cos(3θ)/3 with a = 1…2, not quadratic, and a perturbation that changes with the step t."""
    i = np.arange(theta.size).astype(theta.dtype)
    return (1 + i / theta.size) * theta + np.sin(3 * theta) + 0.2 * np.cos(i + t)


#: case → (optimizer, learning rate, weight decay, hyperparameters that are not the default)
CASES = {
    "sgd": ("sgd", 0.05, 0.0, {}),
    "sgd, decay": ("sgd", 0.05, 0.1, {}),
    "momentum": ("momentum", 0.01, 0.0, {}),
    "momentum, changed": ("momentum", 0.01, 0.1, {"momentum": 0.5}),
    "nag": ("nag", 0.01, 0.0, {}),
    "nag, changed": ("nag", 0.01, 0.1, {"momentum": 0.5}),
    "rmsprop": ("rmsprop", 0.01, 0.0, {}),
    "rmsprop, changed": ("rmsprop", 0.01, 0.1, {"beta": 0.99, "epsilon": 1e-3}),
    "adagrad": ("adagrad", 0.1, 0.0, {}),
    "adagrad, changed": ("adagrad", 0.1, 0.1, {"epsilon": 1e-3}),
    "adam": ("adam", 0.02, 0.0, {}),
    "adam, decay": ("adam", 0.02, 0.1, {}),
    "adam, changed": ("adam", 0.02, 0.1, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
    "nadam": ("nadam", 0.02, 0.0, {}),
    "nadam, changed": ("nadam", 0.02, 0.0, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
    "adamw": ("adamw", 0.02, 0.0, {}),
    "adamw, decay": ("adamw", 0.02, 0.1, {}),
    "adamw, changed": ("adamw", 0.02, 0.1, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
}

SIZES = [4, 5, 3, 3]  # of the network
TARGETS = [0, 2, 1, 1, 2, 0]


def samples():
    return np.sin(1.7 * np.arange(24.0)).reshape(6, 4)


def parameters():
    """θ of a network of `SIZES`: every W column by column, then every b."""
    return np.cos(np.arange(1.0, 1 + sum(n * m + n for m, n in pairwise(SIZES))))


EPOCHS, TOTAL = 20, 101  # of the cosine, in steps of the one cycle


# What the libraries make of them


def activations():
    """name → [values, slopes] at `points`."""
    import torch
    from torch.nn import functional as F

    functions = {
        "identity": lambda a: a * 1.0,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": F.relu,
        "leaky_relu": lambda a: F.leaky_relu(a, 0.01),
        "elu": F.elu,
        "gelu": lambda a: F.gelu(a, approximate="tanh"),
        "silu": F.silu,
        "sin": torch.sin,
    }
    found = {}
    for name, function in functions.items():
        a = torch.tensor(points(), requires_grad=True)
        h = function(a)
        h.sum().backward()
        found[name] = [h.tolist(), a.grad.tolist()]
    return found


def losses():
    """loss, also with smoothed labels → [loss of each column of `logits`, its gradient]."""
    import torch
    from torch.nn import functional as F

    y = torch.tensor(LABELS)

    def squares(A):
        return ((A.softmax(dim=1) - F.one_hot(y, 4)) ** 2).sum(dim=1)

    functions = {
        "cross_entropy": lambda A: F.cross_entropy(A, y, reduction="none"),
        "cross_entropy, smoothed": lambda A: F.cross_entropy(A, y, reduction="none", label_smoothing=SMOOTHING),
        "mean_squared_error": squares,
    }
    found = {}
    for name, function in functions.items():
        A = torch.tensor(logits().T, requires_grad=True)  # PyTorch's samples are rows
        loss = function(A)
        loss.sum().backward()
        found[name] = [loss.tolist(), A.grad.T.tolist()]
    return found


def optimizers():
    """case → the parameters after each of the steps `KEPT`."""
    return {case: (_optax if settings[0] == "nadam" else _torch)(*settings) for case, settings in CASES.items()}


def _torch(optimizer, learning_rate, weight_decay, hyperparameters):
    import torch

    defaults = {"momentum": 0.9, "beta": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}  # muslin's
    p = defaults | hyperparameters
    moments = {"betas": (p["beta1"], p["beta2"]), "eps": p["epsilon"]}
    make, theirs = {
        "sgd": (torch.optim.SGD, {}),
        "momentum": (torch.optim.SGD, {"momentum": p["momentum"]}),
        "nag": (torch.optim.SGD, {"momentum": p["momentum"], "nesterov": True}),
        "rmsprop": (torch.optim.RMSprop, {"alpha": p["beta"], "eps": p["epsilon"]}),
        "adagrad": (torch.optim.Adagrad, {"eps": p["epsilon"]}),
        "adam": (torch.optim.Adam, moments),
        "adamw": (torch.optim.AdamW, moments),
    }[optimizer]
    theta = torch.nn.Parameter(torch.tensor(start()))
    step = make([theta], lr=learning_rate, weight_decay=weight_decay, **theirs).step
    kept = []
    for t in range(1, STEPS + 1):
        theta.grad = torch.tensor(gradient(theta.detach().numpy(), t))
        step()
        if t in KEPT:
            kept.append(theta.tolist())
    return kept


def _optax(optimizer, learning_rate, weight_decay, hyperparameters):
    import jax

    jax.config.update("jax_enable_x64", True)
    import optax

    names = {"beta1": "b1", "beta2": "b2", "epsilon": "eps"}
    rule = getattr(optax, optimizer)(learning_rate, **{names[k]: v for k, v in hyperparameters.items()})
    theta = jax.numpy.array(start())
    state, kept = rule.init(theta), []
    for t in range(1, STEPS + 1):
        updates, state = rule.update(jax.numpy.array(gradient(np.array(theta), t)), state, theta)
        theta = optax.apply_updates(theta, updates)
        if t in KEPT:
            kept.append(theta.tolist())
    return kept


def schedules():
    """schedule → the factor at steps 0, 1, 2, …: `EPOCHS` of the cosine, `TOTAL` of the one cycle."""
    import torch

    def factors(make, steps):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule, found = make(optimizer), []
        for i in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if i < steps - 1:
                schedule.step()
        return found

    schedule = torch.optim.lr_scheduler
    return {
        "cosine": factors(lambda o: schedule.CosineAnnealingLR(o, EPOCHS), EPOCHS + 1),
        "one_cycle": factors(lambda o: schedule.OneCycleLR(o, 1.0, TOTAL, cycle_momentum=False), TOTAL),
    }


def network():
    """loss → [mean loss, its gradient in θ] of a tanh network of `SIZES` at `parameters`, by autograd."""
    import torch
    from torch.nn import functional as F

    y = torch.tensor(TARGETS)
    functions = {
        "cross_entropy": lambda A: F.cross_entropy(A, y),
        "mean_squared_error": lambda A: ((A.softmax(dim=1) - F.one_hot(y, SIZES[-1])) ** 2).sum(dim=1).mean(),
    }
    found = {}
    for name, function in functions.items():
        theta = torch.tensor(parameters(), requires_grad=True)
        pairs, at, W = list(pairwise(SIZES)), 0, []
        for m, n in pairs:
            W.append(theta[at : at + n * m].reshape(m, n))  # the transpose of W
            at += n * m
        H = torch.tensor(samples())
        for k, (_, n) in enumerate(pairs):
            A = H @ W[k] + theta[at : at + n]
            H, at = torch.tanh(A), at + n
        loss = function(A)
        loss.backward()
        found[name] = [loss.item(), theta.grad.tolist()]
    return found


SECTIONS = {f.__name__: f for f in (activations, losses, optimizers, schedules, network)}

if __name__ == "__main__":
    import optax
    import torch

    versions = {"torch": torch.__version__, "optax": optax.__version__}
    record = {"versions": versions} | {name: section() for name, section in SECTIONS.items()}
    lines = ",\n".join(
        f'"{section}": {{\n' + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in rows.items()) + "\n}"
        for section, rows in record.items()
    )
    RECORD.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
