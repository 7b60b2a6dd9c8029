"""What an option of training costs: how many times as long a step takes with it as without, round by round."""

import math
from statistics import median

import numpy as np

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Samples, arguments, machine, network, note, parser, save, table
from muslin import FeedForwardNeuralNetwork
from muslin.training import Callback


class Steps(Callback):
    """Asks to be told of every step."""

    def on_step(self, state, samples, loss, correct):
        self.last = loss


def adam_by_loss(theta, g, m, v, *, learning_rate, t, loss, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Adam, whose step is shorter where the loss is large: a rule of a user's own."""
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g * g - v)
    rate = learning_rate / (1 + loss) * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    return theta - rate * m / (np.sqrt(v) + epsilon), m, v


#: name → the arguments of `fit` that it adds
OPTIONS = {
    "dropout 0.2": {"dropout": 0.2},
    "clip_norm 1": {"clip_norm": 1.0},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "weight_decay 1e-4": {"weight_decay": 1e-4},
    "schedule cosine": {"schedule": "cosine"},
    "a callback after each step": {"callbacks": [Steps()]},
    "adam that asks for the loss": {"optimizer": "adam_by_loss"},
}
#: the step without the option, where it is not the configuration's own
WITHOUT = {"adam that asks for the loss": {"optimizer": "adam"}}
#: samples of an epoch, and epochs of a turn, of which the last one counts
SAMPLES, EPOCHS = 12_800, 3


def main():
    FeedForwardNeuralNetwork.optimizers["adam_by_loss"] = adam_by_loss
    given = arguments(parser(__doc__))
    about, data = machine(given.peers_python), Samples()
    X, y = (array[:SAMPLES] for array in data.train)
    results = {}
    for name in "ABCD":
        rounds = {option: [] for option in OPTIONS}
        for _ in range(given.rounds):
            for option, more in OPTIONS.items():
                steps = WITHOUT.get(option, {}), more
                without, with_ = (microseconds(CONFIGURATIONS[name], X, y, extra) for extra in steps)
                rounds[option].append(with_ / without)
        results[name] = {option: median(ratios) for option, ratios in rounds.items()}
        note(f"{name}: done")
    rows = [[option, *(f"{results[name][option]:.2f}" for name in results)] for option in OPTIONS]
    text = "# Options\n\nTimes a step without the option; medians of the rounds.\n\n" + table(["", *results], *rows)
    save("options", about | {"data": data.name, "rounds": given.rounds}, results, text)


def microseconds(c, X, y, more):
    settings = {"optimizer": c.optimizer, "learning_rate": c.learning_rate, "batch_size": c.batch, "epochs": EPOCHS}
    return 1e6 * c.batch / network(c).fit(X, y, **settings | more)["samples_per_second"][-1]


if __name__ == "__main__":
    main()
