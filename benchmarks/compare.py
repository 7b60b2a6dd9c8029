"""`make bench`: the time of a training step, muslin against its peers and against the limit."""

import time
from dataclasses import asdict
from statistics import geometric_mean, median

import numpy as np

from benchmarks.configurations import CONFIGURATIONS, chosen
from benchmarks.contest import (
    RESULTS,
    Samples,
    arguments,
    contest,
    failures,
    machine,
    names,
    network,
    note,
    parser,
    save,
    table,
    take_turns,
)
from muslin.report.style import INK, figure
from muslin.training import evaluate

PEERS = ("muslin", "muslin-numpy", "torch", "torch-compile", "jax", "sklearn", "limit")
#: what stands for PyTorch where one figure is wanted
BETTER = "torch, better"
#: peer → color of its bar (Okabe & Ito's palette)
COLORS = {
    "muslin-numpy": "#56B4E9",
    "torch": "#E69F00",
    "torch-compile": "#D55E00",
    "jax": "#009E73",
    "sklearn": "#CC79A7",
}
#: samples of a turn with --quick
QUICK = 12_800


def main():
    made = parser(__doc__, PEERS)
    made.add_argument("--only", type=names, help="configurations, such as A,D,F3 (F: all of the grid)")
    made.add_argument("--quick", action="store_true", help="A to E, 3 short rounds, without torch.compile")
    made.add_argument("--late", type=int, default=0, help="epochs before those that count, beside the first (0)")
    given = arguments(made)
    if given.quick:
        given.rounds = min(given.rounds, 3)
        given.peers = [peer for peer in given.peers if peer != "torch-compile"]
        given.only = given.only or list(CONFIGURATIONS)
    about, data, results = machine(given.peers_python), Samples(), {}
    for name, configuration in chosen(given.only).items():
        results[name] = measure(configuration, data, given)
        note(f"{name}: {configuration}, {results[name]['seconds']:.0f} s")
    save(
        "latest",
        about | {"data": data.name, "rounds": given.rounds, "quick": given.quick, "late": given.late},
        results,
        report(results),
    )
    picture(results, RESULTS / "latest.png")


def measure(configuration, data, given):
    """One configuration: each peer's time of a step in every round, and what it had learned after the first epoch."""
    started = time.perf_counter()
    work = data.work(configuration, samples=QUICK if given.quick else None)
    with contest(given.peers, given.threads, work, given.peers_python) as contestants:
        if given.late:
            take_turns(contestants, given.late)
            for contestant in contestants:
                contestant.turns.clear()
        load = take_turns(contestants, given.rounds)
    peers = {peer: _figures([c for c in contestants if c.peer == peer], configuration, data) for peer in given.peers}
    if both := [peers[name] for name in ("torch", "torch-compile") if peers.get(name)]:
        peers[BETTER] = min(both, key=lambda figures: figures["median"])
    return {
        "name": str(configuration),
        **asdict(configuration),
        "steps": work["samples"] // configuration.batch,
        "seconds": time.perf_counter() - started,
        "cores in use by": load,
        "failed": failures(contestants),
        "peers": peers,
    }


def _figures(contestants, configuration, data):
    """A peer's figures, in microseconds a step, with the better number of threads."""
    fine = [c for c in contestants if not c.out]
    if not fine:
        return {}
    best = min(fine, key=lambda c: c.median("microseconds"))
    times = {c.threads: [turn["microseconds"] for turn in c.turns] for c in contestants if c.turns}
    found = {
        "median": best.median("microseconds"),
        "threads": best.threads,
        "rounds": times[best.threads],
        "all": times,
    }
    if best.peer == "limit":
        return found
    loss, accuracy, _ = evaluate(network(configuration, best.result()), *data.test)
    return found | {"loss": loss, "accuracy": accuracy}


# From times to ratios


def ratio(result, peer, to):
    """How many times as long as ``to`` the peer took: the median over the rounds. None where one is missing."""
    mine, other = (result["peers"].get(name, {}).get("rounds") for name in (peer, to))
    return median(a / b for a, b in zip(mine, other, strict=True)) if mine and other else None


def ratios(results, peer, to):
    """{configuration, or the mean of several: ratio}; means are geometric, over A to E and over F."""
    each = {name: ratio(result, peer, to) for name, result in results.items()}
    parts = {
        "A to E": [name for name in each if name in CONFIGURATIONS],
        "F": [n for n in each if n not in CONFIGURATIONS],
    }
    return each | {
        f"mean of {part}": geometric_mean([each[name] for name in members])
        for part, members in parts.items()
        if len(members) > 1 and all(each[name] for name in members)
    }


def measured(results):
    """The peers that have figures, in the order of the tables."""
    known = (*PEERS[:4], BETTER, *PEERS[4:])
    return [peer for peer in known if any(r["peers"].get(peer) for r in results.values())]


# The report


def report(results):
    peers = measured(results)
    losses = [peer for peer in peers if peer not in ("limit", BETTER)]
    failed = [f"Failed in {name}: {line}" for name, r in results.items() for line in r["failed"]]
    load = {who: max(r["cores in use by"].get(who, 0.0) for r in results.values()) for who in ("waiting", "others")}
    return "\n\n".join(
        [
            "# The time of a training step",
            "Microseconds a step, the median of the rounds, with the better number of threads (in brackets).",
            table(
                ["", "layers, batch, optimizer", *(p for p in peers if p != BETTER)],
                *(
                    [name, r["name"], *(_time(r["peers"].get(p, {})) for p in peers if p != BETTER)]
                    for name, r in results.items()
                ),
            ),
            *_ratios(
                results,
                "muslin",
                "How many times as long as muslin (numba engine) each took, and the share of the "
                "limit that it reaches. Medians of the round-by-round ratios; their means are geometric.",
            ),
            *_ratios(results, "muslin-numpy", "The same beside muslin's NumPy engine."),
            "Loss on the test set (and accuracy) after the first epoch, from the same initial weights.",
            table(
                ["", *losses],
                *([name, *(_loss(r["peers"].get(p, {})) for p in losses)] for name, r in results.items()),
            ),
            f"Cores in use at most, on the average of a configuration: by waiting peers {load['waiting']:.2f}, "
            f"by other processes {load['others']:.2f}.",
            *failed,
        ]
    )


def _ratios(results, to, text):
    """The text and its table, as far as ``to`` was measured."""
    columns = {peer: ratios(results, peer, to) for peer in measured(results) if peer != to}
    rows = dict.fromkeys(name for column in columns.values() for name in column)
    cells = [
        [name, *(f"{column[name]:.2f}" if column.get(name) else "" for column in columns.values())] for name in rows
    ]
    heading = ["", *(peer if peer != "limit" else "share of the limit" for peer in columns)]
    return [text, table(heading, *cells)] if rows and to in measured(results) else []


def _time(figures):
    return f"{figures['median']:,.0f} ({figures['threads']})" if figures else ""


def _loss(figures):
    return f"{figures['loss']:.4f} ({figures['accuracy']:.1%})" if "loss" in figures else ""


def picture(results, path):
    """Horizontal bars: how many times as long as muslin each peer took."""
    columns = {peer: ratios(results, peer, "muslin") for peer in measured(results) if peer in COLORS}
    rows = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [name for name in rows if name in CONFIGURATIONS or name not in results] or rows
    X = np.array([[column.get(row) or np.nan for row in rows] for column in columns.values()])
    if not np.isfinite(X).any():
        return
    low, high, apart = min(1.0, np.nanmin(X)) * 0.8, max(2.0, np.nanmax(X)) * 1.3, len(columns) + 1
    with figure(path, 6.8, 0.7 + 0.16 * len(rows) * apart) as ax:
        for i, (peer, x) in enumerate(zip(columns, X, strict=True)):
            y = np.arange(len(rows)) * apart + i
            ax.barh(y, x - 1, 0.9, left=1, color=COLORS[peer], label=peer)
            for at, value in zip(y[np.isfinite(x)], x[np.isfinite(x)], strict=True):
                ax.text(max(value, 1) * 1.03, at, f"{value:.2f}", va="center", fontsize=7, color=INK)
        ax.axvline(1, color=INK, linewidth=1)
        ax.set_xscale("log")
        ax.set_xticks(ticks := [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high], map(str, ticks))
        ax.minorticks_off()
        ax.set_xlim(low, high)
        labels = [f"{name}: {results[name]['name']}" if name in results else name for name in rows]
        ax.set_yticks(np.arange(len(rows)) * apart + len(columns) / 2 - 0.5, labels)
        ax.set_xlabel("time of a training step, as a multiple of muslin's")
        ax.invert_yaxis()
        ax.grid(False, axis="y")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8)


if __name__ == "__main__":
    main()
