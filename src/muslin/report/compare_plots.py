"""The plot of several runs: data in, PNG file out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from muslin.report.style import SERIES, figure, short

#: one after the other, so that a line can be told without its color
MARKERS = "osD^vPX*"


def curves(groups: Any, names: Sequence[str], path: Path) -> None:
    """A picture for each figure, such as loss, with the curves of all runs: validation dashed, training solid.

    groups: as comparison.series has them; names: {path of a run: its name}.
    """
    with figure(path, 6.4, 2.5 * len(groups) + 0.5, nrows=len(groups), squeeze=False) as axes:
        for ax, (group, runs) in zip(axes[:, 0], groups.items(), strict=True):
            for i, (run, lines) in enumerate(runs.items()):
                look = {"color": SERIES[i % len(SERIES)], "marker": MARKERS[i % len(MARKERS)], "markersize": 3.5}
                for key, (x, y) in lines.items():
                    whole = key == group
                    label = short(names[run], 60) if whole or len(lines) == 1 else None
                    ax.plot(x, y, linestyle="-" if whole else "--", alpha=0.6 if whole else 1, label=label, **look)
            ax.set(title=group.replace("_", " ").capitalize(), xlabel="epoch")
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower left")
