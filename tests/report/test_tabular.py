"""What a report says of samples that are no pictures, against scikit-learn and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance

from muslin import preparation
from muslin.errors import InputError
from muslin.network import FeedForwardNeuralNetwork
from muslin.preparation import Target
from muslin.report import tabular
from muslin.training import metrics


def frame(n=60):
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"x": rng.standard_normal(n), "city": rng.choice(["Pune", "Delhi", "Goa"], n)})
    made["day"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D")).strftime("%Y-%m-%d")
    made.loc[::7, "x"] = np.nan
    return made


def fitted(table, output):
    """(network, preparation, X): the weights as they were drawn, so that every feature counts."""
    prepared, _ = preparation.fit(table)
    units = {"softmax": 3, "identity": 1}[output]
    network = FeedForwardNeuralNetwork([len(prepared.features), 6, units], "relu", "he", seed=1, output=output)
    return network, prepared, prepared.transform(table)


class OfFrames:
    """The network with its preparation, for scikit-learn's own permutation of a frame's columns."""

    def __init__(self, network, prepared):
        self.network, self.prepared = network, prepared

    def fit(self, table, y):
        return self

    def score(self, table, y):
        Y_hat = self.network.predict(self.prepared.transform(table))
        if self.network.output == "softmax":
            return float(np.mean(Y_hat == y))
        return 1 - float(np.sum((Y_hat - y[:, 0]) ** 2) / np.sum((y - y.mean()) ** 2))


@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_importance_is_that_of_whole_columns(output):
    table = frame()
    network, prepared, X = fitted(table, output)
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 60) if output == "softmax" else rng.standard_normal((60, 1)).astype(np.float32)
    found = tabular.importance(network, prepared, X, y)
    expected = permutation_importance(OfFrames(network, prepared), table, y, n_repeats=10, random_state=0)
    rows = {row["name"]: row for row in found["columns"]}
    for name, fall, spread in zip(table, expected.importances_mean, expected.importances_std, strict=True):
        assert rows[name]["fall"] == pytest.approx(fall, abs=2e-6)
        assert rows[name]["spread"] == pytest.approx(spread, abs=2e-6)
    falls = [row["fall"] for row in found["columns"]]
    assert falls == sorted(falls, reverse=True)
    assert (found["rows"], found["of"], found["repeats"]) == (60, 60, 10)


def test_importance_of_much_takes_fewer_rows_and_repeats(monkeypatch):
    table = frame()
    network, prepared, X = fitted(table, "softmax")
    monkeypatch.setattr(tabular, "PASSES", 12)
    monkeypatch.setattr(tabular, "PRODUCTS", 50 * 12 * network.theta.size)
    found = tabular.importance(network, prepared, X, np.arange(60) % 3)
    assert (found["rows"], found["of"], found["repeats"]) == (50, 60, 4)


def test_importance_needs_samples():
    network, prepared, X = fitted(frame(), "softmax")
    with pytest.raises(InputError, match="validation samples, and there are none"):
        tabular.importance(network, prepared, X[:0], np.zeros(0, int))


def test_calibration_by_hand():
    P = np.array([[0.9, 0.1], [0.95, 0.05], [0.3, 0.7], [0.6, 0.4]])
    found = metrics.calibration(P, np.array([0, 1, 1, 1]), bins=10)
    rows = [(row["low"], row["samples"], row["right"]) for row in found["bins"]]
    assert rows == [(0.5, 1, 0.0), (0.6, 1, 1.0), (0.8, 1, 1.0), (0.9, 1, 0.0)]  # a bin has its upper end
    assert found["ece"] == pytest.approx((0.6 + 0.3 + 0.1 + 0.95) / 4)


def test_calibration_against_scikit_learn():
    rng = np.random.default_rng(0)
    P, y = rng.dirichlet(np.ones(4), 500), rng.integers(0, 4, 500)
    found = metrics.calibration(P, y)
    right, sure = calibration_curve(P.argmax(axis=1) == y, P.max(axis=1), n_bins=15)
    np.testing.assert_allclose([row["right"] for row in found["bins"]], right)
    np.testing.assert_allclose([row["sure"] for row in found["bins"]], sure)
    assert sum(row["samples"] for row in found["bins"]) == 500


def test_residuals():
    true = np.arange(5000.0)[:, None]
    found = tabular.residuals(true + np.linspace(-1, 3, 5000)[:, None], true, ["price"])
    (output,) = found["outputs"]
    assert output["quantiles"] == pytest.approx([-1, -0.8, 0, 1, 2, 2.8, 3])
    assert (found["samples"], found["shown"]) == (5000, 2000)
    assert (output["true"][0], output["true"][-1], len(output["true"])) == (0, 4999, 2000)


def test_what_becomes_of_a_column():
    table = frame().assign(flat=1.0)
    prepared, columns = preparation.fit(table)

    class Facts:
        target, without_target = Target("y", "regression", center=-2.0, scale=4.0), 3

    Facts.preparation, Facts.columns = prepared, columns
    rows = {row[0]: row[1:] for row in tabular.columns(Facts)}
    x = table["x"]
    filled = x.fillna(x.median())
    fill, mean, deviation = (f"{v:,.5g}" for v in (x.median(), abs(filled.mean()), filled.std(ddof=0)))
    sign = "+" if filled.mean() < 0 else "−"
    assert (
        rows["x"][3] == f"(value {sign} {mean}) / {deviation}; a gap is filled with {fill}, and has an input of its own"
    )
    assert rows["x"][1] == "9"
    assert rows["city"][3] == "an input for each of Delhi, Goa, Pune"
    assert rows["flat"] == ("constant", "", "always '1'", "not used")
    assert rows["y"] == ("target, numbers", "3", "", "to be predicted, as (value + 2) / 4")
