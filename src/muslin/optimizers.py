"""Optimizers: each is one rule that says what a step makes of the parameters.

    rule(theta, g, <slots…>, *, <scalars…>) -> theta, or (theta, <slots…>)

``theta`` and ``g`` are the parameters θ and their gradient; every further positional argument is a *slot*, a vector of
the same shape that the rule keeps from step to step (it starts at zero). The keyword arguments are scalars, asked for
by name: ``learning_rate``, ``t`` (the number of this step, from 1), ``loss`` (of this batch), ``weight_decay``; any
other name is a hyperparameter of the rule, with its default. So the signature is the whole description, and a new
optimizer is one function and one row.

L2 weight decay λ means that λW is added to the gradient before the rule sees it. A rule that asks for ``weight_decay``
itself, as `adamw` does, gets the plain gradient. Biases are never decayed.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from muslin.memory import Array

#: scalars that the training loop provides; any other of a rule is a hyperparameter
PROVIDED = ("learning_rate", "t", "loss", "weight_decay")


def signature(rule: Callable[..., Any]) -> tuple[list[str], dict[str, float | None]]:
    """(names of a rule's slots, {name: default} of its scalars; None where the loop gives the value)."""
    parameters = inspect.signature(rule).parameters.values()
    slots = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][2:]
    return slots, {p.name: None if p.default is p.empty else p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def hyperparameters(rule: Callable[..., Any]) -> dict[str, float | None]:
    """{name: default} of the scalars that are the rule's own."""
    return {name: default for name, default in signature(rule)[1].items() if name not in PROVIDED}


def sgd(theta: Array, g: Array, *, learning_rate: float) -> Array:
    """Gradient descent: θ ← θ − η g. With ``batch_size`` of the whole data it is batch, with 1 stochastic descent."""
    return theta - learning_rate * g


def momentum(theta: Array, g: Array, u: Array, *, learning_rate: float, momentum: float = 0.9) -> tuple[Array, Array]:
    """u ← μu + g;  θ ← θ − ηu.  Polyak 1964, in the form of PyTorch.

    The course's u ← μu + ηg takes the same steps as long as η does not change.
    """
    u = momentum * u + g
    return theta - learning_rate * u, u


def nag(theta: Array, g: Array, u: Array, *, learning_rate: float, momentum: float = 0.9) -> tuple[Array, Array]:
    """Nesterov's accelerated gradient: u ← μu + g;  θ ← θ − η(g + μu).  Nesterov 1983; Sutskever et al., ICML 2013.

    θ here is the point that looks ahead (the blackboard's w − μu), so that no second gradient is needed: the form of
    Bengio et al. 2012, arXiv:1212.0901, equation 7, and of PyTorch.
    """
    u = momentum * u + g
    return theta - learning_rate * (g + momentum * u), u


def rmsprop(theta: Array, g: Array, v: Array, *, learning_rate: float,
            beta: float = 0.9, epsilon: float = 1e-8) -> tuple[Array, Array]:  # fmt: skip
    """v ← βv + (1 − β)g²;  θ ← θ − ηg / (√v + ε).  Tieleman & Hinton 2012, lecture 6.5.

    ε stands outside the root, as in PyTorch (whose β is 0.99); TensorFlow has it inside.
    """
    v = v + (1.0 - beta) * (g * g - v)
    return theta - learning_rate * g / (np.sqrt(v) + epsilon), v


def adagrad(theta: Array, g: Array, v: Array, *, learning_rate: float, epsilon: float = 1e-8) -> tuple[Array, Array]:
    """v ← v + g²;  θ ← θ − ηg / (√v + ε).  Duchi, Hazan & Singer, JMLR 2011."""
    v = v + g * g
    return theta - learning_rate * g / (np.sqrt(v) + epsilon), v


def adam(theta: Array, g: Array, m: Array, v: Array, *, learning_rate: float, t: int,
         beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> tuple[Array, Array, Array]:  # fmt: skip
    """Kingma & Ba 2014, arXiv:1412.6980, algorithm 1.

    m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  θ ← θ − η m̂ / (√v̂ + ε),  m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
    The moments are written as steps towards g and g²: the same value with one rounding less.
    """
    m = m + (1.0 - beta1) * (g - m)
    v = v + (1.0 - beta2) * (g * g - v)
    m_hat = m * (1.0 / (1.0 - beta1**t))
    v_hat = v * (1.0 / (1.0 - beta2**t))
    return theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def nadam(theta: Array, g: Array, m: Array, v: Array, *, learning_rate: float, t: int,
          beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> tuple[Array, Array, Array]:  # fmt: skip
    """Adam with Nesterov momentum. Dozat, ICLR 2016 workshop; the variant of optax, with a constant β₁.

    As `adam`, but with m̂ = β₁m / (1 − β₁ᵗ⁺¹) + (1 − β₁)g / (1 − β₁ᵗ). PyTorch's NAdam lets β₁ grow with t.
    """
    m = m + (1.0 - beta1) * (g - m)
    v = v + (1.0 - beta2) * (g * g - v)
    m_hat = beta1 / (1.0 - beta1 ** (t + 1.0)) * m + (1.0 - beta1) / (1.0 - beta1**t) * g
    v_hat = v * (1.0 / (1.0 - beta2**t))
    return theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def adamw(theta: Array, g: Array, m: Array, v: Array, *, learning_rate: float, t: int, weight_decay: float,
          beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> tuple[Array, Array, Array]:  # fmt: skip
    """Adam with decoupled weight decay: also θ ← θ − ηλθ. Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2."""
    m = m + (1.0 - beta1) * (g - m)
    v = v + (1.0 - beta2) * (g * g - v)
    m_hat = m * (1.0 / (1.0 - beta1**t))
    v_hat = v * (1.0 / (1.0 - beta2**t))
    return theta - learning_rate * weight_decay * theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


#: name → rule. A new optimizer is one function and a row here.
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nag": nag,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adam": adam,
    "nadam": nadam,
    "adamw": adamw,
}
