"""The picture of a study: panels of lines, each labelled where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muslin.report.style import DASHES, GREY, INK, SERIES, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: eight, for as many optimizers
COLORS = (*SERIES, GREY)


@dataclass(frozen=True)
class Panel:
    """lines: name → (seeds × points), drawn as their mean and a band of one standard deviation; NaN is not drawn.
    The first point is at ``start``."""

    title: str
    xlabel: str
    lines: dict[str, np.ndarray]
    ylabel: str = ""
    start: int = 1
    percent: bool = False
    log: bool = False


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Panels side by side. A line's name has the same color in each."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    looks = {
        name: {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]} for i, name in enumerate(names)
    }
    with figure(path, 1.6 + 2.4 * len(panels), 2.6, ncols=len(panels)) as axes:
        for ax, panel in zip(np.atleast_1d(axes), panels, strict=True):
            ends = {name: _line(ax, panel, np.asarray(panel.lines[name]), looks[name]) for name in panel.lines}
            ax.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel, yscale="log" if panel.log else "linear")
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            ax.yaxis.set_major_formatter(
                (lambda v, _: f"{100 * v:.4g}%") if panel.percent else (lambda v, _: f"{v:.4g}")
            )
            _label(ax, {name: end for name, end in ends.items() if end}, looks)


def _line(ax: "Axes", panel: Panel, values: np.ndarray, look: dict[str, Any]) -> tuple[float, float] | None:
    """Draw one line; returns its last point, None where there is none."""
    values = values[:, ~np.isnan(values).all(axis=0)] if values.size else values
    if not values.size:
        return None
    x = panel.start + np.arange(values.shape[1])
    mean, known = np.nanmean(values, axis=0), np.isfinite(values).sum(axis=0)
    sd = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(known - 1, 1))
    ax.plot(x, mean, marker="." if len(x) < 30 else None, linewidth=1.6 if len(x) < 30 else 1.0, **look)
    if len(values) > 1:
        ax.fill_between(x, mean - sd, mean + sd, color=look["color"], alpha=0.15, linewidth=0)
    return x[-1], mean[-1]


def _label(ax: "Axes", ends: dict[str, tuple[float, float]], looks: dict[str, dict[str, Any]]) -> None:
    """Each line's name at the right, level with its end, as far as the others leave room."""
    ax.autoscale_view()
    height = [ax.transAxes.inverted().transform(ax.transData.transform(end))[1] for end in ends.values()]
    for (name, end), place in zip(ends.items(), spread(height), strict=True):
        ax.annotate(
            name.replace("_", " "),
            end,
            (1.06, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "-", "relpos": (0, 0.5), "patchA": None, "color": looks[name]["color"]},
        )


def spread(places: Sequence[float], gap: float = 0.075) -> np.ndarray:
    """The places, from 0 to 1, moved apart as far as needed for a gap between neighbors. Their order stays; of equals
    the first is the highest."""
    order, steps = np.argsort(-np.asarray(places), kind="stable")[::-1], gap * np.arange(len(places))
    packed = np.asarray(places)[order] - steps
    up, down = np.maximum.accumulate(packed), np.minimum.accumulate(packed[::-1])[::-1]
    moved = np.empty(len(places))
    moved[order] = ((up + down) / 2).clip(0, 1 - steps[-1:]) + steps
    return moved
