"""Seconds from the start of a process until its network is right on 88 % of the test images: B, Fashion-MNIST.

After each epoch the network is tested, by muslin for every peer; that time is not counted. Caches of compiled code are
those of a second start. All take the same batches from the same weights (scikit-learn draws its own batches).
"""

import time
from statistics import median

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Contestant, Samples, arguments, machine, network, note, parser, save, table
from muslin.training import evaluate

PEERS = ("muslin", "muslin-numpy", "torch", "jax", "sklearn")
TARGET, EPOCHS = 0.88, 30


def main():
    given = arguments(parser(__doc__, PEERS, rounds=3))
    about, data = machine(given.peers_python), Samples()
    work = data.work(CONFIGURATIONS["B"]) | {"every_turn": True}
    runs = {(peer, n): [] for peer in given.peers for n in given.threads}
    for number in range(given.rounds + 1):  # the first start fills the caches
        for (peer, n), found in runs.items():
            found.append(run(Contestant(peer, n, work, given.peers_python), data))
        note(f"round {number} of {given.rounds}")
    results = {peer: best({n: runs[peer, n][1:] for n in given.threads}) for peer in given.peers}
    rows = [[f"{peer} ({r['threads']})", f"{r['seconds']:.1f}", r["epochs"]] for peer, r in results.items() if r]
    text = f"# {TARGET:.0%} of the test images from a cold process\n\n" + table(["", "seconds", "epochs"], *rows)
    save("result", about | {"data": data.name, "rounds": given.rounds}, results, text)


def run(contestant, data):
    """{"seconds", "epochs"}; none where the peer failed or did not get there."""
    started, testing, found = time.perf_counter(), 0.0, {}
    for epoch in range(1, EPOCHS + 1):
        if not contestant.answer():
            break
        seconds = time.perf_counter() - started - testing
        begun = time.perf_counter()
        _, accuracy, _ = evaluate(network(CONFIGURATIONS["B"], contestant.result()), *data.test)
        testing += time.perf_counter() - begun
        if accuracy >= TARGET:
            found = {"seconds": seconds, "epochs": epoch}
            break
        contestant.go()
    contestant.close()
    return found


def best(runs):
    """The medians of the rounds, with the number of threads that is there first."""
    fine = {n: (median(r["seconds"] for r in found), n) for n, found in runs.items() if all(found)}
    if not fine:
        return {}
    seconds, threads = min(fine.values())
    return {"seconds": seconds, "threads": threads, "epochs": runs[threads][0]["epochs"], "all": runs}


if __name__ == "__main__":
    main()
