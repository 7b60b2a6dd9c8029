"""scikit-learn's door: `MuslinClassifier` and `MuslinRegressor` have every parameter of its MLPClassifier and
MLPRegressor, under its name, with its default and its meaning, and what those lack. Change the import, and a program
runs."""

from muslin.estimators.classifier import MuslinClassifier
from muslin.estimators.regressor import MuslinRegressor

__all__ = ["MuslinClassifier", "MuslinRegressor"]
