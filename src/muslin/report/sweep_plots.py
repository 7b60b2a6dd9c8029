"""The plots of a sweep, each one function: data in, PNG file out."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from muslin.report.style import FAINT, GREY, INK, TRAINING, VALIDATION, figure, short


def best_so_far(rows: list[dict[str, Any]], metric: Any, path: Path) -> None:
    """Every trial's value at its time of creation, and the best up to then. rows: as analysis.best_so_far has them."""
    times, unit = since([row["seconds"] for row in rows])
    with figure(path, 6.4, 3.0) as ax:
        ax.plot(times, [row["value"] for row in rows], "o", color=TRAINING, alpha=0.55, markersize=4, label="trial")
        best = [row["best"] for row in rows]
        ax.step(times, best, where="post", color=VALIDATION, label="best so far")
        ax.annotate(
            f"{best[-1]:.4g}", (times[-1], best[-1]), (6, 0), textcoords="offset points", va="center", color=VALIDATION
        )
        ax.set(title=f"Best {metric.name} so far", xlabel=f"{unit} from the first trial to its creation")
        ax.set_ylabel(metric.name)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)


def since(seconds: Any) -> tuple[np.ndarray, str]:
    """(times, unit): seconds from a start, ascending, in a unit that suits the last of them."""
    unit, length = next((name, length) for name, length, least in UNITS if seconds[-1] > least)
    return np.array(seconds) / length, unit


#: unit, seconds in it, seconds from which it is used
UNITS = (("hours", 3600, 10_800), ("minutes", 60, 180), ("seconds", 1, float("-inf")))


def importance(shares: dict[str, dict[str, float]], metric: Any, path: Path) -> None:
    """Bars of each hyperparameter's share, by both measures. shares: {measure: {name: share}}."""
    names = sorted(shares["fanova"] or shares["ped_anova"], key=lambda name: _share(shares, "fanova", name))
    y = np.arange(len(names))
    measures = {"fanova": ("fANOVA", TRAINING, 0.2), "ped_anova": ("PED-ANOVA", VALIDATION, -0.2)}
    with figure(path, 6.4, 0.42 * len(names) + 1.1) as ax:
        for key, (label, color, offset) in measures.items():
            ax.barh(y + offset, [_share(shares, key, name) for name in names], height=0.36, color=color, label=label)
        ax.set_yticks(y, names)
        ax.set(title=f"Importance for {metric.name}", xlabel="share")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower right")


def _share(shares, measure, name):
    return shares[measure].get(name, 0.0)


def correlation(rows: list[dict[str, Any]], metric: Any, path: Path, most: int = 24) -> None:
    """Bars of r from −1 to 1, the strongest ones. rows: [{"name", "value", "r"}]."""
    rows = sorted(sorted(rows, key=lambda row: -abs(row["r"]))[:most], key=lambda row: row["r"])
    labels = [row["name"] if row["value"] is None else f"{row['name']} = {row['value']}" for row in rows]
    with figure(path, 6.4, 0.24 * len(rows) + 1.0) as ax:
        colors = [TRAINING if row["r"] > 0 else VALIDATION for row in rows]
        ax.barh(range(len(rows)), [row["r"] for row in rows], height=0.7, color=colors)
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.set_yticks(range(len(rows)), labels)
        ax.set(title=f"Correlation with {metric.name}", xlabel="Pearson's r", xlim=(-1, 1))
        ax.grid(axis="y", visible=False)


def parallel_coordinates(
    rows: list[dict[str, Any]], names: Sequence[str], logarithmic: Collection[str], metric: Any, path: Path
) -> None:
    """One line a trial through an axis for each hyperparameter and one for the metric. The color is the rank by the
    metric, the best is thick and on top; at a step of an axis the lines lie beside each other."""
    from matplotlib import colormaps

    axes_names = [*names, metric.name]
    scales = [Scale([row[name] for row in rows], name in logarithmic) for name in axes_names]
    values = np.array([row[metric.name] for row in rows])
    order = np.argsort(values if metric.goal == "maximize" else -values, kind="stable")  # the best are drawn last
    shade, faint = colormaps["cividis_r"], min(0.9, 12 / len(rows))
    with figure(path, max(6.4, 1.15 * len(axes_names) + 1.2), 3.6) as ax:
        for rank, at in enumerate(order[:-1].tolist()):
            place = rank / max(1, len(order) - 2)
            look = {
                "edgecolor": shade(place),
                "linewidth": 0.6 + 0.6 * place,
                "alpha": faint + (0.9 - faint) * place**3,
            }
            ax.add_patch(_line(rows[at], at, axes_names, scales, **look))
        best = int(order[-1])
        for look in ({"edgecolor": "white", "linewidth": 5}, {"edgecolor": VALIDATION, "linewidth": 2.6}):
            ax.add_patch(_line(rows[best], best, axes_names, scales, **look))
        for x, scale in enumerate(scales):
            _axis(ax, x, scale)
        ax.set_xticks(range(len(axes_names)), [short(n, 22) for n in axes_names], rotation=20, ha="right")
        ax.set(title=f"{len(rows)} trials; thick: the best", xlim=(-0.15, len(axes_names) - 0.4), ylim=(-0.1, 1.1))
        ax.set_yticks([])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        _color_key(ax, shade, values[order], metric)


def _line(row, i, names, scales, **look):
    """The i-th trial's way through the axes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    y = [scale.beside(row[name], i) for scale, name in zip(scales, names, strict=True)]
    points, codes = [(0, y[0])], [Path.MOVETO]
    for x in range(1, len(y)):
        points += [(x - 0.5, y[x - 1]), (x - 0.5, y[x]), (x, y[x])]
        codes += [Path.CURVE4] * 3
    return PathPatch(Path(points, codes), fill=False, **look)


def _axis(ax, x, scale, most=11):
    """A vertical line with the names of its places, of many steps some."""
    ax.axvline(x, color=GREY, linewidth=0.9)
    ticks = scale.ticks()
    for place, label in ticks[:: -(-len(ticks) // most)]:
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": FAINT, "alpha": 0.85}
        where = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(short(label, 11), (x, place), fontsize=7, color=INK, bbox=box, **where)


def _color_key(ax, shade, ascending, metric):
    """What the colors say: the metric of the worst trial, of the one in the middle, of the best.  ascending: values"""
    from matplotlib.cm import ScalarMappable

    key = ax.figure.colorbar(ScalarMappable(cmap=shade), ax=ax, shrink=0.8, aspect=28, pad=0.01)
    places = [0, 0.5, 1]
    texts = [f"{ascending[round(place * (len(ascending) - 1))]:.4g}" for place in places]
    key.set_ticks(places, labels=texts)
    key.ax.set_title(short(metric.name, 14), fontsize=7, loc="center", fontweight="normal")
    key.ax.tick_params(labelsize=7)
    key.outline.set_visible(False)


def hyperparameters(
    rows: list[dict[str, Any]],
    states: Any,
    names: Sequence[str],
    logarithmic: Collection[str],
    metric: Any,
    path: Path,
    columns: int = 3,
) -> None:
    """The metric against each hyperparameter. rows: [{name: value, …, metric: value}]; states: that of each trial."""
    lines, columns = -(-len(names) // columns), min(columns, len(names))
    with figure(path, 6.4, 1.75 * lines + 0.3, nrows=lines, ncols=columns, squeeze=False, sharey=True) as axes:
        for ax in axes.flat[len(names) :]:
            ax.axis("off")
        for ax, name in zip(axes.flat, names, strict=False):
            scale = Scale([row[name] for row in rows], name in logarithmic)
            for state, (marker, color) in MARKERS.items():
                some = [(i, row) for i, row in enumerate(rows) if states[i] == state]
                x = [scale.beside(row[name], i) for i, row in some]
                y = [row[metric.name] for _, row in some]
                ax.plot(x, y, marker, color=color, markersize=3, alpha=0.6, label=state.replace("_", " "))
            places, labels = zip(*scale.ticks()[:: 1 if scale.steps else 2], strict=True)
            slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len("".join(labels)) > 20 else {}
            ax.set_xticks(places, [short(label, 12) for label in labels], fontsize=7, **slant)
            ax.set(xlabel=short(name, 28), xlim=(-0.15, 1.15))
        for ax in axes[:, 0]:
            ax.set_ylabel(metric.name)
        handles = axes[0, 0].get_legend_handles_labels()
        axes[0, 0].figure.legend(*handles, loc="outside upper left", ncols=2, handletextpad=0.1)


#: state → marker and color
MARKERS = {"finished": ("o", TRAINING), "stopped_early": ("x", VALIDATION)}


class Scale:
    """Places values between 0 and 1: numbers on a line, all else one step apart."""

    def __init__(self, values: Sequence[Any], logarithmic: bool):
        self.numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        self.logarithmic = self.numbers and logarithmic and min(values) > 0
        distinct = sorted(set(values)) if self.numbers else sorted(set(map(str, values)))
        self.steps = {} if self.numbers and len(distinct) > 6 else {v: i for i, v in enumerate(distinct)}
        ends: tuple[Any, Any] = (self._line(distinct[0]), self._line(distinct[-1])) if self.numbers else (0, 0)
        self.low, self.high = ends

    def _line(self, value):
        return np.log(value) if self.logarithmic else value

    def place(self, value: Any) -> float:
        if self.steps:
            last = len(self.steps) - 1
            return self.steps[value if self.numbers else str(value)] / last if last else 0.5
        return (self._line(value) - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    def beside(self, value: Any, i: int, width: float = 0.3) -> float:
        """The place of the i-th of many points; at a step they lie beside each other, in a golden-ratio order."""
        share = (i * 0.618034) % 1 - 0.5
        return self.place(value) + (share * width / len(self.steps) if self.steps else 0)

    def ticks(self) -> list[tuple[float, str]]:
        """[(place, label)]"""
        if self.steps:
            return [(self.place(v), f"{v:.4g}" if isinstance(v, float) else str(v)) for v in self.steps]
        inverse = np.exp if self.logarithmic else float
        return [(p, f"{inverse(self.low + p * (self.high - self.low)):.3g}") for p in (0, 0.25, 0.5, 0.75, 1)]
