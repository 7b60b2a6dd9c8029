"""The plot of a transfer: data in, PNG file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muslin.report.style import GREY, INK, TRAINING, VALIDATION, figure
from muslin.studies.transfer.standings import layers, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: contestant → how it is drawn
LOOKS: dict[str, dict[str, Any]] = {
    "scratch": {"color": INK, "marker": "o", "linestyle": "-", "label": "from scratch"},
    "fine_tuned": {"color": TRAINING, "marker": "s", "linestyle": "--", "label": "fine-tuned"},
    "frozen": {"color": VALIDATION, "marker": "^", "linestyle": ":"},
}


def curves(results: dict[str, Any], path: Path) -> None:
    """Test accuracy against the fraction of the new data (± standard deviation), and beside it, on a scale of its own,
    how far fine-tuning is ahead of scratch (95 % intervals).

    results: {"to", "freeze", "table"}, the table as `muslin.studies.transfer.table` has it.
    """
    rows, looks = results["table"], {**LOOKS}
    looks["frozen"] = LOOKS["frozen"] | {"label": f"{layers(results['freeze'])} frozen"}
    fractions = np.array([row["fraction"] for row in rows])
    with figure(path, 6.4, 2.9, ncols=2) as (left, right):
        for step, (name, look) in enumerate(looks.items(), -1):  # side by side, so that the bars can be told apart
            _points(left, fractions * 1.06**step, [row[name] for row in rows], "mean", "sd", look)
        _points(right, fractions, [row["fine_tuned"] for row in rows], "difference", "margin", looks["fine_tuned"])
        right.axhline(0, color=GREY, linewidth=0.8)
        left.set_title(f"Test accuracy on {results['to']}")
        right.set_title("Fine-tuned − from scratch, points")
        left.yaxis.set_major_formatter(lambda value, _: percent(value))
        right.yaxis.set_major_formatter(lambda value, _: f"{100 * value:+.3g}")
        for ax in (left, right):
            ax.set(xscale="log", xlabel="share of the new training data")
            ax.set_xticks(fractions, map(percent, fractions))
            ax.set_xticks([], minor=True)
        left.figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _points(
    ax: "Axes", x: np.ndarray, figures: list[dict[str, float]], middle: str, spread: str, look: dict[str, Any]
) -> None:
    ax.errorbar(x, [f[middle] for f in figures], [f[spread] for f in figures], capsize=2.5, markersize=4, **look)
