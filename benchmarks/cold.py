"""From a cold process to the end of the first epoch of A (imports, data, compilation), and the most memory it took.

The first start finds numba's and torch.compile's caches empty, the second finds what the first left there. JAX keeps
nothing on disk unless told to.
"""

import tempfile
import time
from statistics import median

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.contest import Contestant, Samples, arguments, machine, note, parser, save, table

PEERS = ("muslin", "muslin-numpy", "torch", "torch-compile", "jax", "sklearn")
#: variables that say where compiled code is kept
CACHES = ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


def main():
    given = arguments(parser(__doc__, PEERS, rounds=3))
    about, data = machine(given.peers_python), Samples()
    work = data.work(CONFIGURATIONS["A"])
    starts = {(peer, n): [] for peer in given.peers for n in given.threads}
    for number in range(given.rounds):
        for peer, threads in starts:
            with tempfile.TemporaryDirectory() as cache:
                starts[peer, threads] += [[start(peer, threads, work, given.peers_python, cache) for _ in range(2)]]
        note(f"round {number + 1} of {given.rounds}")
    results = {peer: figures(peer, starts, given.threads) for peer in given.peers}
    save("cold", about | {"data": data.name, "rounds": given.rounds}, results, report(results))


def start(peer, threads, work, python, cache):
    """One process from its start to the end of epoch 1: {"seconds", "peak"}, or {"failed"}."""
    started = time.perf_counter()
    contestant = Contestant(peer, threads, work, python, **dict.fromkeys(CACHES, cache))
    answer, seconds = contestant.answer(), time.perf_counter() - started
    contestant.close()
    return {"seconds": seconds, "peak": answer["memory"]["peak"]} if answer else {"failed": contestant.failed}


def figures(peer, starts, threads):
    """The medians over the rounds, with the number of threads whose second start is the faster."""
    failures = {n: [s["failed"] for pair in starts[peer, n] for s in pair if "failed" in s] for n in threads}
    fine = {n: starts[peer, n] for n in threads if not failures[n]}
    if not fine:
        return {"failed": failures[threads[0]][0]}
    seconds = {n: [median(s["seconds"] for s in nth) for nth in zip(*pairs, strict=True)] for n, pairs in fine.items()}
    best = min(seconds, key=lambda n: seconds[n][1])
    peak = max(s["peak"] for pair in fine[best] for s in pair)
    return {"first": seconds[best][0], "second": seconds[best][1], "peak": peak, "threads": best, "all": fine}


def report(results):
    ours = results.get("muslin", {})
    rows = [
        [
            f"{peer} ({r['threads']})",
            *(f"{r[key]:.1f}" for key in ("first", "second")),
            f"{r['second'] / ours['second']:.1f}" if "second" in ours else "",
            f"{r['peak']:.0f}",
            f"{r['peak'] / ours['peak']:.1f}" if "peak" in ours else "",
        ]
        for peer, r in results.items()
        if "second" in r
    ]
    return "\n\n".join(
        [
            f"# From a cold process to the end of epoch 1 of A ({CONFIGURATIONS['A']})",
            "Medians, with the better number of threads (in brackets); × is the multiple of muslin's.",
            table(["", "first start, s", "second start, s", "×", "peak memory, MiB", "×"], *rows),
            *(f"Failed: {peer}: {r['failed']}" for peer, r in results.items() if "failed" in r),
        ]
    )


if __name__ == "__main__":
    main()
