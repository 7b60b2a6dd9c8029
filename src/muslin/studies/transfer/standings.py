"""What the cells say: who is ahead of scratch, by how much, and whether that could be chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from muslin.evidence import listed, paired, spread
from muslin.studies.transfer.plan import CONTESTANTS, Cell

AHEAD, BEHIND, EVEN = "is ahead of scratch", "is behind scratch", "cannot be told from scratch"

#: a fraction: its samples and seeds, and the figures of each contestant
Row = dict[str, Any]

#: what `paired` gives, by name
DIFFERENCE = ("difference", "standard_error", "margin")


def table(cells: list[Cell], fractions: Sequence[float], seeds: Sequence[int]) -> list[Row]:
    """A row a fraction. Of each contestant: mean and standard deviation of the test accuracy over the seeds. Of all but
    scratch the difference from it, seed by seed, too: see `paired`."""
    by_place = {(cell["fraction"], cell["seed"], cell["contestant"]): cell for cell in cells}
    rows = []
    for fraction in fractions:
        of = {name: [by_place[fraction, seed, name] for seed in seeds] for name in CONTESTANTS}
        accuracy = {name: np.array([cell["test_accuracy"] for cell in of[name]]) for name in of}
        figures = {name: {"mean": float(values.mean()), "sd": spread(values)} for name, values in accuracy.items()}
        for name in [*CONTESTANTS][1:]:
            difference = paired(accuracy[name] - accuracy["scratch"], of[name][0].get("test_samples"))
            figures[name] |= dict(zip(DIFFERENCE, difference, strict=True))
        rows.append({"fraction": fraction, "samples": of["scratch"][0]["samples"], "seeds": len(seeds), **figures})
    return rows


def conclusions(rows: list[Row], freeze: int) -> list[str]:
    """What the differences from scratch say, a sentence for each of the other contestants."""
    return [_conclusion("Fine-tuning", rows, "fine_tuned"), _conclusion(f"Freezing {layers(freeze)}", rows, "frozen")]


def _conclusion(subject: str, rows: list[Row], contestant: str) -> str:
    said: dict[str, list[str]] = {AHEAD: [], BEHIND: [], EVEN: []}
    n = rows[0]["seeds"]
    for row in rows:
        standing, amount = _standing(**row[contestant])
        said[standing].append(f"{amount}with {percent(row['fraction'])}")
    parts = "; it ".join(f"{standing} {listed(shares)}" for standing, shares in said.items() if shares)
    return f"{subject} {parts} of the data ({n} seed{'s' * (n > 1)}, ± standard error)."


def _standing(difference: float, standard_error: float, margin: float, **_: float) -> tuple[str, str]:
    """(who is ahead, by how much in words): clear is what is longer than its margin."""
    if not abs(difference) > margin:  # nor where it is NaN, of one seed
        return EVEN, ""
    amount = f"by {100 * abs(difference):.2f} ± {100 * standard_error:.2f} points "
    return (AHEAD if difference > 0 else BEHIND), amount


def percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def layers(freeze: int) -> str:
    return "layer 1" if freeze == 1 else f"layers 1–{freeze}"
