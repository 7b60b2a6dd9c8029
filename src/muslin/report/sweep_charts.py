"""The charts of a sweep's page: what sweep_plots.py draws for paper, to be pointed at. Every name is escaped: plotly
takes its texts for HTML."""

from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import numpy as np

from muslin.report.pages.charts import CARD, GREY, INK, LINE, TRAINING, VALIDATION, figure
from muslin.report.sweep_plots import Scale, since

#: state → (marker, color, width of its line)
MARKERS = {"finished": ("circle", TRAINING, 0), "stopped_early": ("x-thin-open", VALIDATION, 1.8)}


def parallel_coordinates(
    rows: list[dict[str, Any]], names: Sequence[str], logarithmic: Collection[str], metric: Any
) -> dict[str, Any]:
    """An axis for each hyperparameter and one for the metric, to be brushed. rows: {"trial", name: value, …}; the color
    of a line is its rank, the best has the strongest."""
    values = np.array([row[metric.name] for row in rows])
    rank = np.argsort(np.argsort(values if metric.goal == "maximize" else -values, kind="stable"))
    dimensions = [
        _dimension(name, Scale([row[name] for row in rows], name in logarithmic), [row[name] for row in rows])
        for name in (*names, metric.name)
    ]
    trace = {
        "type": "parcoords",
        "dimensions": dimensions,
        "customdata": [row["trial"] for row in rows],
        "line": {"color": rank.tolist(), "colorscale": [[0, GREY], [0.6, TRAINING], [1, VALIDATION]]},
        "unselected": {"line": {"color": LINE, "opacity": 0.5}},
        "labelfont": {"color": INK, "size": 12},
        "tickfont": {"color": INK, "size": 11},
        "rangefont": {"color": "rgba(0,0,0,0)"},
        "labelangle": -18,
    }
    return figure([trace], height=420, margin={"l": 56, "r": 64, "t": 84, "b": 24}, uirevision="brushed")


def _dimension(name, scale, values):
    places, texts = zip(*scale.ticks(), strict=True)  # here plotly takes ticks for plain text
    return {
        "label": escape(name),
        "values": [scale.beside(value, i) for i, value in enumerate(values)],
        "range": [-0.1, 1.1],
        "tickvals": places,
        "ticktext": texts,
    }


def best_so_far(rows: list[dict[str, Any]], states: Any, metric: Any) -> dict[str, Any]:
    """Each trial's value at its creation, and the best up to then. rows: as analysis.best_so_far has them."""
    times, unit = since([row["seconds"] for row in rows])
    points = [
        {"x": time, "y": row["value"], "trial": row["trial"], "state": state}
        for time, row, state in zip(times.tolist(), rows, states, strict=True)
    ]
    best = {
        "type": "scatter",
        "x": times.tolist(),
        "y": [row["best"] for row in rows],
        "mode": "lines",
        "line": {"shape": "hv", "color": VALIDATION, "width": 2.5},
        "name": "best so far",
        "hovertemplate": "best so far %{y:.5g}<extra></extra>",
    }
    axis = {"title": {"text": f"{unit} since the first trial"}}
    return figure([*_points(points), best], height=340, xaxis=axis, yaxis={"title": {"text": escape(metric.name)}})


def importance(shares: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Bars of each hyperparameter's share, by both measures. shares: {measure: {name: share}}."""
    names = sorted(shares["fanova"] or shares["ped_anova"], key=lambda name: shares["fanova"].get(name, 0.0))
    bars = [
        _bars(names, [shares[key].get(name, 0.0) for name in names], label, color, pattern)
        for key, label, color, pattern in (
            ("ped_anova", "PED-ANOVA", VALIDATION, "/"),
            ("fanova", "fANOVA", TRAINING, ""),
        )
    ]
    axis = {"tickformat": ".0%", "rangemode": "tozero"}
    return figure(bars, height=110 + 38 * len(names), barmode="group", xaxis=axis, legend={"traceorder": "reversed"})


def correlation(rows: list[dict[str, Any]], most: int = 24) -> dict[str, Any]:
    """Bars of r from −1 to 1, the strongest ones. rows: [{"name", "value", "r"}]."""
    rows = sorted(sorted(rows, key=lambda row: -abs(row["r"]))[:most], key=lambda row: row["r"])
    labels = [row["name"] if row["value"] is None else f"{row['name']} = {row['value']}" for row in rows]
    bars = _bars(labels, [row["r"] for row in rows], "r", [TRAINING if r["r"] > 0 else VALIDATION for r in rows], "")
    axis = {"range": [-1, 1], "zeroline": True, "zerolinecolor": GREY, "title": {"text": "Pearson's r"}}
    return figure([bars], height=100 + 24 * len(rows), xaxis=axis, showlegend=False)


def _bars(labels, values, name, color, pattern):
    return {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": [escape(label) for label in labels],
        "name": name,
        "marker": {"color": color, "pattern": {"shape": pattern, "fgcolor": CARD, "fillmode": "overlay"}},
        "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
    }


def strip(
    rows: list[dict[str, Any]], states: Any, name: str, logarithmic: Collection[str], metric: Any
) -> dict[str, Any]:
    """The metric against one hyperparameter. rows: [{"trial", name: value, metric: value}]; states: that of each."""
    scale = Scale([row[name] for row in rows], name in logarithmic)
    points = [
        {"x": scale.beside(row[name], i), "y": row[metric.name], "trial": row["trial"], "state": states[i]}
        for i, row in enumerate(rows)
    ]
    places, labels = zip(*scale.ticks()[:: 1 if scale.steps else 2], strict=True)
    axis = {"tickvals": places, "ticktext": [escape(label) for label in labels], "range": [-0.15, 1.15]}
    return figure(_points(points), height=240, xaxis=axis, showlegend=False, margin={"l": 8, "r": 8, "t": 12, "b": 8})


def _points(points):
    """A trace of markers for each state that occurs. points: [{"x", "y", "trial", "state"}]."""
    traces = []
    for state, (marker, color, line) in MARKERS.items():
        some = [point for point in points if point["state"] == state]
        traces += [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [point["x"] for point in some],
                "y": [point["y"] for point in some],
                "customdata": [point["trial"] for point in some],
                "name": state.replace("_", " "),
                "marker": {"symbol": marker, "color": color, "size": 7, "opacity": 0.8, "line": {"width": line}},
                "hovertemplate": "trial %{customdata}: %{y:.5g}<extra></extra>",
            }
        ] * bool(some)
    return traces
