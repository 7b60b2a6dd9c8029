"""Charts: plotly figures made here, drawn in the page by assets/charts.js. Colors are the page's CSS variables."""

import json
from collections.abc import Sequence
from typing import Any

from muslin.errors import InputError
from muslin.report.pages import MISSING
from muslin.report.plots import MARKED
from muslin.training import History

INK, GREY, LINE, CARD = "var(--ink)", "var(--grey)", "var(--line)", "var(--card)"
TRAINING, VALIDATION = "var(--training)", "var(--validation)"
SERIES = tuple(f"var(--series-{n})" for n in range(1, 8))
#: told apart without color, too
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

TEXT = {"font": {"size": 13, "color": INK}}
AXIS = {"gridcolor": LINE, "linecolor": GREY, "tickcolor": GREY, "zeroline": False, "automargin": True, "title": TEXT}
STYLE = {
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "colorway": SERIES,
    "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
    "hoverlabel": {"bgcolor": CARD, "bordercolor": GREY, "font": {"color": INK}},
    "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
    "xaxis": AXIS,
    "yaxis": AXIS,
}


def figure(traces: Sequence[Any], height: int = 300, **layout: Any) -> dict[str, Any]:
    """A figure for the macro ``chart``: traces (dictionaries or graph_objects) and layout in the pages' style."""
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise InputError(MISSING) from error
    layout = {"template": {"layout": STYLE}, "height": height, "uirevision": "kept", **layout}  # zoom and brush stay
    return json.loads(Figure(traces, layout).to_json())


def curve(history: History, name: str) -> dict[str, Any]:
    """A figure (loss, accuracy) of every epoch, training and validation."""
    kinds = {name: ("training", TRAINING, "solid"), f"val_{name}": ("validation", VALIDATION, "dash")}
    traces = [
        _line(history, [row.get(key) for row in history], label, {"color": color, "dash": dash})
        for key, (label, color, dash) in kinds.items()
        if key in history[0]
    ]
    percent = {"tickformat": ".0%", "hoverformat": ".2%"} if name == "accuracy" else {"hoverformat": ".4f"}
    return figure(traces, showlegend=True, xaxis=_epochs(history), yaxis=percent, hovermode="x unified")


def learning_rate(history: History) -> dict[str, Any]:
    """η at the end of every epoch."""
    trace = _line(history, [row["learning_rate"] for row in history], "learning rate", {"color": TRAINING})
    axis = {"tickformat": "~g", "hoverformat": ".4~g", "rangemode": "tozero"}
    return figure([trace], xaxis=_epochs(history), yaxis=axis, hovermode="x unified")


def gradient_norms(history: History) -> dict[str, Any]:
    """‖dW⁽ᵏ⁾‖ of each layer after every epoch."""
    axis = {"type": "log", "dtick": "D2", "tickformat": "~g", "hoverformat": ".3~g"}
    return _layers(history, "gradient_norms", axis)


def dead_units(history: History) -> dict[str, Any]:
    """Of each hidden layer, the share of units that answer to no sample, after every epoch."""
    axis = {"tickformat": ".0%", "hoverformat": ".1%", "rangemode": "tozero"}
    return _layers(history, "dead_units", axis)


def _layers(history, key, axis):
    traces = [
        _line(history, [row[key][k] for row in history], f"layer {k + 1}", {"dash": DASHES[k % len(DASHES)]})
        for k in range(len(history[0][key]))
    ]
    return figure(traces, showlegend=True, xaxis=_epochs(history), yaxis=axis, hovermode="x unified")


def _line(history, values, name, line):
    x = [row["epoch"] for row in history]
    mode = "lines+markers" if len(history) <= MARKED else "lines"
    look = {"type": "scatter", "mode": mode, "cliponaxis": False}
    return look | {"name": name, "x": x, "y": values, "line": line}


def _epochs(history):
    """The axis of epochs: whole numbers."""
    step = {"dtick": 1} if len(history) <= 12 else {}
    return {"title": {"text": "epoch"}, "tickformat": "d", **step}
