"""The page of several runs: their curves on one chart, the settings that differ, test figures, McNemar's test."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from muslin.report import pages
from muslin.report.comparison import LEVEL, METHOD, histories, labels, p_text, series
from muslin.report.pages.charts import SERIES, figure
from muslin.runs import Run

#: one after the other, so that a line can be told without its color
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")


def write(
    rows: list[dict[str, Any]], settings: Sequence[str], figures: Sequence[str], tests: list[dict[str, Any]], path: Path
) -> None:
    """Write the page. rows: {"run": path, name: value, …} a run; ``settings`` and ``figures`` are the names that it
    shows; tests: as comparison.pairwise has them. Raises InputError where plotly or Jinja is missing."""
    paths = [row["run"] for row in rows]
    names = labels(paths)
    groups = series(histories(paths))
    pages.render(
        "compare.html",
        path,
        rows=rows,
        names=names,
        settings=settings,
        figures=figures,
        tests=[test | {"p_text": p_text(test["p"]), "holm_text": p_text(test["p_holm"])} for test in tests],
        method=METHOD,
        level=LEVEL,
        charts={group: _curves(group, runs, names) for group, runs in groups.items()},
        classes=_classes(paths, names),
    )


def _curves(group, runs, names):
    """All runs' curves of one figure: validation dashed, training solid."""
    traces = [
        _looks(i)
        | {
            "x": x,
            "y": y,
            "mode": "lines+markers",
            "name": escape(names[run]),
            "legendgroup": run,
            "showlegend": key == next(iter(lines)),
            "line": {"dash": "solid" if key == group else "dash"},
            "hovertemplate": f"{key.replace('_', ' ')} %{{y:.4g}}, epoch %{{x}}",
        }
        for i, (run, lines) in enumerate(runs.items())
        for key, (x, y) in lines.items()
    ]
    return figure(traces, height=330, xaxis={"title": {"text": "epoch"}, "tickformat": "d"}, showlegend=True)


def _classes(paths, names):
    """F1 of each class of the test set, a mark for each run that was evaluated; None if there is none."""
    scores = {path: _summary(path).get("per_class") for path in paths}
    traces = [
        _looks(i)
        | {
            "x": [row["f1"] for row in scores[path]],
            "y": [escape(str(row["class"])) for row in scores[path]],
            "mode": "markers",
            "name": escape(names[path]),
            "hovertemplate": "%{y}: F1 %{x:.4f}",
        }
        for i, path in enumerate(paths)
        if scores[path]
    ]
    if not traces:
        return None
    height = 120 + 26 * max(len(trace["y"]) for trace in traces) + 20 * len(traces)
    return figure(traces, height=height, yaxis={"autorange": "reversed", "type": "category"}, showlegend=True)


def _summary(path):
    run = Run(Path(path))
    return run.summary if run.finished and run.ours else {}


def _looks(i):
    marker = {"symbol": SYMBOLS[i % len(SYMBOLS)], "size": 8, "color": SERIES[i % len(SERIES)]}
    return {"type": "scatter", "marker": marker}
