"""What an option of training costs: how many times as long a step takes with it as without, round by round."""

from statistics import median

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Samples, arguments, machine, network, note, parser, save, table
from muslin.training import Callback


class Steps(Callback):
    """Asks to be told of every step."""

    def on_step(self, state, samples, loss, correct):
        self.last = loss


#: name → the arguments of `fit` that it adds
OPTIONS = {
    "dropout 0.2": {"dropout": 0.2},
    "clip_norm 1": {"clip_norm": 1.0},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "weight_decay 1e-4": {"weight_decay": 1e-4},
    "schedule cosine": {"schedule": "cosine"},
    "a callback after each step": {"callbacks": [Steps()]},
}
#: samples of an epoch, and epochs of a turn, of which the last one counts
SAMPLES, EPOCHS = 12_800, 3


def main():
    given = arguments(parser(__doc__))
    about, data = machine(given.peers_python), Samples()
    X, y = (array[:SAMPLES] for array in data.train)
    results = {}
    for name in "ABCD":
        rounds = {option: [] for option in OPTIONS}
        for _ in range(given.rounds):
            for option, more in OPTIONS.items():
                without, with_ = (microseconds(CONFIGURATIONS[name], X, y, extra) for extra in ({}, more))
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
