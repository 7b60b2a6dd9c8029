"""Prediction: 10,000 images at once, and one image at a time (the 50th and 99th percentile of 1,000)."""

from benchmarks.configurations import chosen
from benchmarks.contest import Samples, arguments, contest, failures, machine, names, parser, save, table, take_turns

PEERS = ("muslin", "muslin-numpy", "onnxruntime", "torch", "sklearn")
#: figure → heading of its column
FIGURES = {"whole": "10,000 images, ms", "p50": "one image, p50 µs", "p99": "one image, p99 µs"}


def main():
    made = parser(__doc__, PEERS)
    made.add_argument("--only", type=names, default=["B", "D", "E"], help="configurations (default B,D,E)")
    given = arguments(made)
    about, data = machine(given.peers_python), Samples()
    results = {name: measure(configuration, data, given) for name, configuration in chosen(given.only).items()}
    save("predict", about | {"data": data.name, "rounds": given.rounds}, results, report(results))


def measure(configuration, data, given):
    """One network, from its initial weights: every peer's figures."""
    work = data.work(configuration, task="predict")
    with contest(given.peers, given.threads, work, given.peers_python) as contestants:
        load = take_turns(contestants, given.rounds)
    peers = {peer: figures([c for c in contestants if c.peer == peer]) for peer in given.peers}
    probabilities = [c.result()[0] for c in contestants if not c.out]
    return {
        "name": str(configuration),
        "largest difference": max(float(abs(P - probabilities[0]).max()) for P in probabilities),
        "cores in use by": load,
        "failed": failures(contestants),
        "peers": peers,
    }


def figures(contestants):
    """A peer's medians over the rounds, each with the better number of threads: {figure: [median, threads]}."""
    fine = [c for c in contestants if not c.out]
    if not fine:
        return {}
    best = {figure: min((c.median(figure), c.threads) for c in fine) for figure in FIGURES}
    return best | {"all": {c.threads: c.turns for c in fine}}


def report(results):
    parts = ["# Prediction", "Medians of the rounds, with the better number of threads (in brackets)."]
    for name, result in results.items():
        rows = [
            [peer, *("{:,.1f} ({})".format(*r[figure]) for figure in FIGURES)]
            for peer, r in result["peers"].items()
            if r
        ]
        parts += [
            f"**{name}**: {result['name']}. The probabilities differ by {result['largest difference']:.0e} at most.",
            table(["", *FIGURES.values()], *rows),
            *(f"Failed: {line}" for line in result["failed"]),
        ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
