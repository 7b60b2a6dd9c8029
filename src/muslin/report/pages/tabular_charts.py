"""Charts of samples that are no pictures: what a column is worth, calibration, errors. Names are escaped: plotly takes
its texts for HTML."""

from html import escape
from typing import Any

from muslin.report.pages.charts import GREY, LINE, SERIES, TRAINING, VALIDATION, figure
from muslin.report.style import short

#: columns that have a bar
BARS = 30
#: marks of the outputs, told apart without color, too
MARKS = ("circle", "diamond", "square", "x", "triangle-up", "cross", "star")


def importance(worth: Any) -> dict[str, Any]:
    """Bars: how far the figure falls without each of the columns, the most important at the top."""
    rows = worth["columns"][:BARS][::-1]
    percent = worth["figure"] == "accuracy"
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [row["fall"] for row in rows],
        "y": list(range(len(rows))),  # two short names may be the same
        "customdata": [escape(row["name"]) for row in rows],
        "error_x": {"type": "data", "array": [row["spread"] for row in rows], "color": GREY, "thickness": 1.2},
        "marker": {"color": TRAINING},
        "hovertemplate": "%{customdata}: %{x}<extra></extra>",
    }
    names = {"tickvals": trace["y"], "ticktext": [escape(short(row["name"], 18)) for row in rows]}
    axis = {"tickformat": ".0%" if percent else "~g", "hoverformat": ".2%" if percent else ".4f", "nticks": 6}
    return figure(
        [trace], height=70 + 26 * len(rows), xaxis=axis | {"zeroline": True, "zerolinecolor": GREY}, yaxis=names
    )


def calibration(figures: dict[str, Any]) -> dict[str, Any]:
    """The reliability diagram: the share that is right in each bin, against how sure the network is."""
    bins = figures["bins"]
    bars = {
        "type": "bar",
        "x": [(row["low"] + row["high"]) / 2 for row in bins],
        "width": [row["high"] - row["low"] for row in bins],
        "y": [row["right"] for row in bins],
        "customdata": [[row["samples"], row["sure"]] for row in bins],
        "marker": {"color": TRAINING, "line": {"color": LINE, "width": 1}},
        "name": "right",
        "hovertemplate": "%{y:.1%} right, %{customdata[1]:.1%} sure, %{customdata[0]} samples<extra></extra>",
    }
    look = {"line": {"color": VALIDATION, "dash": "dash"}, "hoverinfo": "skip"}
    line = {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "name": "as sure as right", **look}
    axis = {"tickformat": ".0%", "range": [0, 1]}
    titles = [{"title": {"text": text}} for text in ("probability of the class predicted", "share that is right")]
    return figure([bars, line], height=360, showlegend=True, xaxis=axis | titles[0], yaxis=axis | titles[1])


def predicted_and_true(figures: dict[str, Any]) -> dict[str, Any]:
    """Each sample's number beside what is predicted; on the line it would be right."""
    outputs = figures["outputs"][: len(SERIES)]
    values = [value for output in outputs for key in ("predicted", "true") for value in output[key]]
    ends = [min(values), max(values)]
    look = {"line": {"color": VALIDATION, "dash": "dash"}, "hoverinfo": "skip"}
    line = {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "name": "right", **look}
    points = [_points(output["true"], output["predicted"], output["name"], k) for k, output in enumerate(outputs)]
    return _cloud([*points, line], "true", "predicted")


def errors(figures: dict[str, Any]) -> dict[str, Any]:
    """The error of each sample against what is predicted: above 0 it is predicted too large."""
    clouds = [
        _points(o["predicted"], [p - t for p, t in zip(o["predicted"], o["true"], strict=True)], o["name"], k)
        for k, o in enumerate(figures["outputs"][: len(SERIES)])
    ]
    return _cloud(clouds, "predicted", "predicted − true", zeroline=True, zerolinecolor=GREY, zerolinewidth=1.5)


def _points(x, y, name, k):
    marker = {"symbol": MARKS[k], "size": 6, "opacity": 0.55, "color": SERIES[k]}
    look = {"type": "scatter", "mode": "markers", "name": escape(short(name, 24)), "cliponaxis": False}
    return look | {"x": x, "y": y, "marker": marker}


def _cloud(traces, x, y, **axis):
    many = len(traces) > 1
    titles = {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}, **axis}}
    return figure(traces, height=360, showlegend=many, **titles)
