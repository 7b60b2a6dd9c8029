"""The parts of a run's page that only samples without pictures have: what `tabular` says, in texts and charts."""

from typing import Any

from muslin.report import tabular
from muslin.report.pages import tabular_charts


def of(facts: Any) -> Any:
    """{part: what its template is given, or None}.  facts: a `muslin.report.run_report.Facts`"""
    return {
        "columns": facts.table and columns(facts.table, facts.importance),
        "calibration": facts.calibration and calibration(facts.calibration),
        "residuals": facts.residuals and residuals(facts.residuals),
    }


def columns(table: Any, worth: dict[str, Any] | None) -> dict[str, Any]:
    part = {"rows": tabular.columns(table), "worth": worth}
    if not worth:
        return part
    fall = tabular.FALLS[worth["figure"]]
    figures = [_worth(worth["figure"], row) for row in worth["columns"]]
    return part | {"fall": fall, "chart": tabular_charts.importance(worth), "figures": figures}


def _worth(figure, row):
    form = "{:.2%}" if figure == "accuracy" else "{:.4f}"
    return row["name"], *(form.format(row[key] + 0.0) for key in ("fall", "spread")), f"{row['loss'] + 0.0:.4f}"


def calibration(figures: dict[str, Any]) -> dict[str, Any]:
    rows = [
        (f"{row['low']:.0%} to {row['high']:.0%}", f"{row['samples']:,}", f"{row['sure']:.2%}", f"{row['right']:.2%}")
        for row in figures["bins"]
    ]
    return figures | {"chart": tabular_charts.calibration(figures), "rows": rows}


def residuals(residual: dict[str, Any]) -> dict[str, Any]:
    head = ["error of", *(f"{q:.0%} below" for q in tabular.QUANTILES[1:-1])]
    rows = [(output["name"], *(f"{q:+,.4g}" for q in output["quantiles"][1:-1])) for output in residual["outputs"]]
    figures = {"truth": tabular_charts.predicted_and_true(residual), "errors": tabular_charts.errors(residual)}
    return residual | {"charts": figures, "head": head, "rows": rows}
