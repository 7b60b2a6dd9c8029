"""What a report shows of samples that are no pictures: the columns of the table and what each is worth to the network,
how far its probabilities can be believed, how far its numbers are off."""

from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.preparation.columns import Column
from muslin.training.metrics import NAMES, measure

#: permutations of each column; rows; and what bounds the time: passes, and products of a weight and an input, in all
REPEATS, ROWS, PASSES, PRODUCTS = 10, 5_000, 5_000, 5e10
#: points of a cloud
POINTS = 2_000
#: of the errors: the shares that are below the figures told
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: figure → how its fall is told
FALLS = {"accuracy": "accuracy falls by", "r2": "R² falls by"}


def columns(table: Any) -> list[dict[str, Any]]:
    """A row of texts for each column of the table: name, what it is, missing values, its values, what becomes of it.

    table: a `muslin.datasets.TableFacts`
    """
    prepared = {column.name: column for column in table.preparation.columns}
    rows = [_column(column, prepared.get(column.name)) for column in table.columns]
    return [*rows, _target(table.target, table.without_target)]


def _column(column: Column, prepared):
    become = BECOME[prepared.kind](prepared) if prepared else "not used"
    return column.name, column.kind, f"{column.missing:,}" if column.missing else "", column.about, become


def _target(target, missing):
    if target.task == "regression":
        become = f"to be predicted, as {_standard(target.center, target.scale)}"
        return target.name, "target, numbers", f"{missing:,}" if missing else "", "", become
    names = _some(target.classes)
    return target.name, "target, classes", f"{missing:,}" if missing else "", names, "to be predicted"


def _some(names, most=8):
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


def _number_becomes(column):
    gaps = f"; a gap is filled with {column.fill:,.5g}, and has an input of its own" if column.gaps else ""
    return f"{_standard(column.center[0], column.scale[0])}{gaps}"


def _standard(center, scale):
    return f"(value {'+' if center < 0 else '−'} {abs(center):,.5g}) / {scale:,.5g}"


def _category_becomes(column):
    rare = "; rare and unknown values share one" if column.rare else ""
    return f"an input for each of {_some(column.levels)}{rare}"


def _date_becomes(column):
    gaps = "; a gap is filled with the median, and has an input of its own" if column.gaps else ""
    return f"days, and the places in the year and in the week{gaps}"


#: kind of column → what becomes of it, in words
BECOME = {"number": _number_becomes, "category": _category_becomes, "date": _date_becomes}


# What each column is worth


def importance(network: Any, preparation: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """How much worse the network is when one column's values are dealt out anew among the rows (Breiman, "Random
    forests", 2001, section 10; scikit-learn's permutation_importance), the most important column first.

    X, y: validation samples, (N × features) and their targets. Returns {"figure": "accuracy" or "r2", "rows": N,
    "repeats", "columns": [{"name", "fall", "spread", "loss"}]}: the mean fall of the figure and its standard deviation
    over the repeats, and the mean rise of the loss. Of many rows, weights or columns, fewer rows and repeats are taken,
    so that it takes seconds. Raises InputError: fewer than two samples.
    """
    from sklearn.inspection import permutation_importance

    n, names = len(y), [column.name for column in preparation.columns]
    if n < 2:
        raise InputError("What each column is worth is measured on validation samples, and there are none.")
    repeats = int(np.clip(PASSES // len(names), 1, REPEATS))
    rows = int(np.clip(PRODUCTS / (repeats * len(names) * network.theta.size), 50, ROWS))
    chosen = np.linspace(0, n - 1, min(n, rows)).round().astype(int)
    figure = NAMES[network.target][0]
    estimator = _OfColumns(network, X[chosen], [len(column.features) for column in preparation.columns])
    scores = permutation_importance(
        estimator, estimator.rows, y[chosen], scoring=estimator.figures, n_repeats=repeats, random_state=0
    )
    columns = [
        {"name": name, "fall": float(fall), "spread": float(spread), "loss": float(rise)}
        for name, fall, spread, rise in zip(
            names,
            scores[figure].importances_mean,
            scores[figure].importances_std,
            scores["closeness"].importances_mean,
            strict=True,
        )
    ]
    columns.sort(key=lambda row: (-row["fall"], -row["loss"]))
    return {"figure": figure, "rows": len(chosen), "of": n, "repeats": repeats, "columns": columns}


class _OfColumns:
    """The network as an estimator of row numbers (N × columns), which say from which sample the value of each column
    comes: when scikit-learn permutes a column of these, all features that the column has become move together."""

    def __init__(self, network, X, widths):
        ends = np.cumsum(widths)
        self.network, self.X = network, X
        self.features = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.rows = np.repeat(np.arange(len(X))[:, None], len(widths), axis=1)

    def fit(self, rows, y):
        """It is trained; scikit-learn asks for the method."""
        return self

    def figures(self, _, rows, y):
        """The figures, all of them better when larger."""
        X = self.X.copy()
        for column in np.flatnonzero((rows != self.rows).any(axis=0)):
            X[:, self.features[column]] = self.X[rows[:, column], self.features[column]]
        figure, figures = NAMES[self.network.target][0], measure(self.network, X, y)[0]
        return {figure: figures[figure], "closeness": -figures["loss"]}


# Numbers


def residuals(predicted: np.ndarray, true: np.ndarray, names: Any) -> dict[str, Any]:
    """How far numbers are off.  predicted, true: (N × outputs), in the units of the data; names: of the outputs.

    Returns {"samples", "outputs": [{"name", "predicted", "true", "quantiles"}]}: of many samples some, at equal
    distances, for a chart; and the quantiles (`QUANTILES`) of predicted − true of all.
    """
    some = np.linspace(0, len(true) - 1, min(len(true), POINTS)).round().astype(int)
    outputs = [
        {
            "name": name,
            "predicted": predicted[some, k].tolist(),
            "true": true[some, k].tolist(),
            "quantiles": np.quantile(predicted[:, k] - true[:, k], QUANTILES).tolist(),
        }
        for k, name in enumerate(names)
    ]
    return {"samples": len(true), "shown": len(some), "outputs": outputs}
