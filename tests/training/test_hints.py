"""What is said once of features that differ much in scale."""

import warnings

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.estimators import MuslinClassifier, MuslinRegressor

RNG = np.random.default_rng(0)
UNPREPARED = np.column_stack([RNG.lognormal(10, 0.5, 300), RNG.random(300), np.ones(300)])
PIXELS = np.where(RNG.random((300, 64)) < np.r_[0.004, np.full(63, 0.5)], RNG.integers(0, 256, (300, 64)), 0)
PIXELS[:, 1] = np.arange(300) == 7  # a pixel that changes once, by 1 of 255


def hints(fit):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            fit()
    return [str(w.message) for w in caught if "differ in scale" in str(w.message)]


def fitted(X, **more):
    network = FeedForwardNeuralNetwork([X.shape[1], 3, 2], engine="numpy")
    network.fit(X, np.arange(len(X)) % 2, epochs=1, **more)
    return network


def test_features_of_other_scales_are_hinted_at_once():
    (said,) = hints(lambda: fitted(UNPREPARED))
    assert "column 0" in said
    assert "column 1" in said
    assert "StandardScaler" in said


def test_estimators_hint_too():
    model = MuslinClassifier(max_iter=1, tol=0.0, engine="numpy", warm_start=True)
    assert len(hints(lambda: model.fit(UNPREPARED, np.arange(300) % 2))) == 1
    assert hints(lambda: MuslinClassifier(max_iter=1, engine="numpy").fit(UNPREPARED[:, 1:], np.arange(300) % 2)) == []


def test_the_hint_names_the_callers_line():
    with pytest.warns(UserWarning, match="differ in scale") as caught:
        fitted(UNPREPARED)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "X",
    [
        UNPREPARED[:, 1:],
        (UNPREPARED[:, :2] - UNPREPARED[:, :2].mean(axis=0)) / UNPREPARED[:, :2].std(axis=0),
        np.column_stack([RNG.standard_normal(300), RNG.random(300) < 0.01]).astype(float),  # a rare category
        PIXELS.astype(np.uint8),
        PIXELS.astype(float),
        PIXELS / 255,
        (PIXELS / 255 - 0.13) / 0.31,
    ],
)
def test_nothing_is_hinted_at(X):
    assert hints(lambda: fitted(X)) == []


@pytest.mark.parametrize(("scale", "shift", "said"), [(1, 0, 0), (1, 20, 0), (1, 50, 1), (50, 0, 1), (1e6, 1e6, 1)])
def test_targets_far_from_0_are_hinted_at(scale, shift, said):
    X = UNPREPARED[:, 1:]
    y = shift + scale * (X[:, 0] - 0.5) * 3.4
    network = FeedForwardNeuralNetwork([2, 3, 1], output="identity", engine="numpy")

    def fit():
        network.scale = None  # as new
        network.fit(X, y, epochs=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        fit(), fit()
    assert len([w for w in caught if "networks begin near 0" in str(w.message)]) == said
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        MuslinRegressor(max_iter=1, engine="numpy").fit(X, y)
    assert len([w for w in caught if "TransformedTargetRegressor" in str(w.message)]) == said


def test_pictures_are_not_hinted_at():
    X = np.resize(UNPREPARED, (20, 2, 2))
    network = FeedForwardNeuralNetwork([4, 3, 2], engine="numpy")
    assert hints(lambda: network.fit(X, np.arange(20) % 2, epochs=1, batch_size=10)) == []
    assert hints(lambda: fitted(UNPREPARED, image_shape=(3, 1))) == []
    network = fitted(UNPREPARED[:, 1:])
    assert hints(lambda: network.fit(UNPREPARED[:, :2], np.arange(300) % 2, epochs=1)) == []  # it was trained before
