"""scikit-learn's own networks beside ours, on tables and on Fashion-MNIST: accuracy or R², and the time to fit.

    python benchmarks/estimators.py           # the tables: defaults of each, 5 folds, interleaved
    python benchmarks/estimators.py fashion   # ten epochs of Fashion-MNIST, the same settings, interleaved
    python benchmarks/estimators.py --json    # one JSON object

Time is that of the median fold, after one fit that is not counted (numba compiles once a machine). Torch is timed
through skorch where it is installed.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from muslin.estimators import MuslinClassifier, MuslinRegressor

CLASSIFIERS = {
    "muslin": MuslinClassifier,
    "scikit-learn MLP": MLPClassifier,
    "gradient boosting": HistGradientBoostingClassifier,
}
REGRESSORS = {
    "muslin": MuslinRegressor,
    "scikit-learn MLP": MLPRegressor,
    "gradient boosting": HistGradientBoostingRegressor,
}


def mixed(n=2000):
    """A table of numbers, texts and gaps, made here."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": rng.lognormal(10, 0.6, n),
            "city": rng.choice(["Chennai", "Delhi", "Mumbai", "Pune"], n),
            "plan": rng.choice(["free", "basic", "pro"], n),
            **{f"x{i}": rng.standard_normal(n) for i in range(8)},
        }
    )
    score = (table["age"] - 45) / 15 + (table["city"] == "Chennai") - 1.2 * (table["plan"] == "free")
    score += table["x0"] * table["x1"] + 0.5 * np.log(table["income"] / 22_000)
    for name in ("age", "income", "city"):
        table.loc[rng.random(n) < 0.06, name] = None
    return table, (score + 0.5 * rng.logistic(size=n) > 0).astype(int).to_numpy()


def prepared(table):
    """What makes numbers of a table; of numbers alone, only their scale."""
    if not isinstance(table, pd.DataFrame):
        return StandardScaler()
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((numbers, [name for name in table if name not in texts]), (categories, texts))


DATA = {
    "digits": (load_digits(return_X_y=True), CLASSIFIERS),
    "breast cancer": (load_breast_cancer(return_X_y=True), CLASSIFIERS),
    "wine": (load_wine(return_X_y=True), CLASSIFIERS),
    "mixed, made here": (mixed(), CLASSIFIERS),
    "diabetes": (load_diabetes(return_X_y=True), REGRESSORS),
}


def folds(kinds, y):
    kind = StratifiedKFold if kinds is CLASSIFIERS else KFold
    return kind(5, shuffle=True, random_state=0).split(np.zeros(len(y)), y)


def rows_of(X, rows):
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def tables():
    """{data set: {library: {"score", "seconds"}}}"""
    result = {}
    for name, ((X, y), kinds) in DATA.items():
        found = {library: [] for library in kinds}
        first, *others = folds(kinds, y)
        for number, (train, test) in enumerate([first, first, *others]):
            scale = prepared(X)
            A, B = scale.fit_transform(rows_of(X, train)), scale.transform(rows_of(X, test))
            for library, kind in kinds.items():
                model = kind(random_state=0)
                started = time.perf_counter()
                model.fit(A, y[train])
                seconds = time.perf_counter() - started
                if number:
                    found[library].append((model.score(B, y[test]), seconds))
        result[name] = {
            library: dict(zip(("score", "seconds"), map(float, (np.mean(scores), np.median(times))), strict=True))
            for library, pairs in found.items()
            for scores, times in [zip(*pairs, strict=True)]
        }
    return result


def fashion(rounds=3):
    """{library: {"accuracy", "seconds"}} of ten epochs with the same settings, float32, one after the other."""
    from muslin import datasets

    data = datasets.load("fashion_mnist", quiet=True)
    X, X_test = (A.astype(np.float32) / 255 for A in (data.X_train, data.X_test))
    settings = {"hidden_layer_sizes": (128,), "batch_size": 32, "max_iter": 10, "tol": 0.0, "random_state": 0}
    times, models = {"muslin": [], "scikit-learn MLP": []}, {}
    MuslinClassifier(**settings | {"max_iter": 1}).fit(X[:5000], data.y_train[:5000])  # compiles
    for _ in range(rounds):
        for library in times:
            model = CLASSIFIERS[library](**settings)
            started = time.perf_counter()
            models[library] = model.fit(X, data.y_train)
            times[library].append(time.perf_counter() - started)
    return {
        library: {"accuracy": model.score(X_test, data.y_test), "seconds": min(times[library])}
        for library, model in models.items()
    }


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    result = fashion(1 if "--once" in sys.argv else 3) if "fashion" in sys.argv else tables()
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    if "fashion" in sys.argv:
        for library, row in result.items():
            print(f"{library:<20} {row['accuracy']:.2%}  {row['seconds']:.1f} s")
        print(f"ratio {result['scikit-learn MLP']['seconds'] / result['muslin']['seconds']:.1f}")
        return
    for name, by_library in result.items():
        for library, row in by_library.items():
            print(f"{name:<18} {library:<18} {row['score']:.4f}  {row['seconds']:.3f} s")


if __name__ == "__main__":
    main()
