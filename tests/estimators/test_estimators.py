"""The estimators in scikit-learn's hands: its own checks, its own MLP beside ours, its pipelines and searches."""

import inspect
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from muslin.estimators import MuslinClassifier, MuslinRegressor

PAIRS = [(MuslinClassifier, MLPClassifier), (MuslinRegressor, MLPRegressor)]
each = pytest.mark.parametrize("kind", [MuslinClassifier, MuslinRegressor])
X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)


@pytest.fixture(autouse=True)
def not_converged():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:y has the mean")  # a hint, which some of the checks' data give reason for
@each
def test_every_check_of_scikit_learn(kind):
    check_estimator(kind(max_iter=100), on_skip=None)  # such as what only PyTorch's arrays are for


#: of the checks, those of the data that may come in, and of the weights
QUICK = ("check_sample_weight", "check_estimator_sparse", "check_classifiers_one_label", "check_n_features_in")


@pytest.mark.filterwarnings("ignore")
@each
def test_some_checks_of_scikit_learn(kind):
    done = 0
    for estimator, check in estimator_checks_generator(kind(max_iter=20)):
        if check.func.__name__.startswith(QUICK):
            check(estimator)
            done += 1
    assert done >= 5


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_has_their_name_and_default(ours, theirs):
    own = inspect.signature(ours).parameters
    for name, parameter in inspect.signature(theirs).parameters.items():
        assert own[name].default == parameter.default
        assert own[name].kind == parameter.kind


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False},
        {"solver": "sgd", "momentum": 0.8},
        {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "momentum": 0.0},
        {"solver": "adam", "learning_rate": "invscaling", "power_t": 1.0, "epsilon": 1e-12},
        {"solver": "adam", "alpha": 0.3, "epsilon": 1e-12},
    ],
    ids=str,
)
def test_the_parameters_are_theirs_after_some_epochs(activation, options):
    """The same initial weights, order and steps; of Adam up to where ε stands."""
    common = {"activation": activation, "shuffle": False, "random_state": 3, "max_iter": 6, "batch_size": 50}
    common |= {"hidden_layer_sizes": (7, 5), "learning_rate_init": 0.01, "tol": 0.0} | options
    for target, (ours, theirs) in zip((y, X @ [1.0, -2, 0.5, 0]), PAIRS, strict=True):
        a, b = (kind(**common).fit(X, target) for kind in (ours, theirs))
        for W, V in zip([*a.coefs_, *a.intercepts_], [*b.coefs_, *b.intercepts_], strict=True):
            np.testing.assert_allclose(W, V, rtol=0, atol=1e-10 if options["solver"] == "sgd" else 2e-5)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"learning_rate": "adaptive", "solver": "sgd"}, {}])
def test_it_stops_and_goes_on_as_theirs(options):
    common = {
        "shuffle": False,
        "random_state": 0,
        "tol": 1e-2,
        "alpha": 0.0,
        "epsilon": 1e-12,
        "learning_rate_init": 0.02,
    } | options
    a, b = MuslinClassifier(**common).fit(X, y), MLPClassifier(**common).fit(X, y)
    assert abs(a.n_iter_ - b.n_iter_) <= 1
    np.testing.assert_allclose(a.loss_curve_[:20], b.loss_curve_[:20], rtol=1e-4)
    if options.get("early_stopping"):
        np.testing.assert_allclose(a.validation_scores_[:10], b.validation_scores_[:10])


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_finds_what_theirs_does(ours, theirs, weighted):
    w = np.random.default_rng(0).integers(1, 4, len(X)) if weighted else None
    target = y if ours is MuslinClassifier else X @ [1.0, -2, 0.5, 0]
    common = {"solver": "lbfgs", "hidden_layer_sizes": 4, "activation": "tanh", "alpha": 1.0, "random_state": 1}
    a, b = (kind(**common, tol=1e-7, max_iter=500).fit(X, target, sample_weight=w) for kind in (ours, theirs))
    np.testing.assert_allclose(
        a.loss_, b.loss_, rtol=1e-4
    )  # both stop where a step gains less than 2e-9: near the least


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "absolute_error", "huber"])
def test_losses_of_numbers(loss):
    target = np.exp(X[:, 0] / 2)
    model = MuslinRegressor(loss, max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, target)
    assert model.score(X, target) > 0.95
    assert MuslinRegressor(loss).fit(X, np.column_stack([target, target])).predict(X).shape == (150, 2)


@each
@pytest.mark.parametrize("solver", ["adam", "nadam", "sgd"])
def test_ten_calls_of_partial_fit_are_ten_epochs(kind, solver):
    options = {"solver": solver, "random_state": 1, "batch_size": 32, "tol": 0.0}
    once = kind(max_iter=10, **options).fit(X, y)
    several = kind(**options)
    for i in range(10):
        several.partial_fit(X, y, **({"classes": [0, 1, 2]} if kind is MuslinClassifier and not i else {}))
        several = pickle.loads(pickle.dumps(several))
    np.testing.assert_array_equal(several.network_.theta, once.network_.theta)


def test_a_chunk_may_have_one_class_or_one_sample():
    model = MuslinClassifier(random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    model.partial_fit(X[60:61], y[60:61])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`"):
        model.partial_fit(X[:2], [0, 7])


def test_labels_of_any_type():
    names = np.array(["setosa", "versicolor", "virginica"], object)
    assert {*MuslinClassifier(max_iter=3).fit(X, names[y]).predict(X)} <= {*names}
    assert MuslinClassifier(max_iter=3).fit(X, y > 0).predict(X).dtype == bool
    many, labels = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    model = MuslinClassifier(max_iter=300, learning_rate_init=0.01, random_state=0).fit(many, labels)
    assert model.predict(many).shape == labels.shape
    assert model.score(many, labels) > 0.9


def test_class_weight_is_seen_in_the_recall_of_a_rare_class():
    keep = (y != 1) | (np.arange(150) % 12 == 0)
    common = {"random_state": 0, "max_iter": 40, "hidden_layer_sizes": 8, "learning_rate_init": 0.01}
    recall = [
        (MuslinClassifier(class_weight=w, **common).fit(X[keep], y[keep]).predict(X[y == 1]) == 1).mean()
        for w in (None, "balanced", {1: 50})
    ]
    assert recall[0] + 0.2 < recall[1] <= recall[2]


@each
def test_a_validation_set_of_ones_own(kind):
    model = kind(max_iter=12, random_state=0).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 12
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[1::2], y[1::2]))
    with pytest.raises(ValueError, match="X_val and y_val"):
        kind().fit(X, y, X_val=X)


@pytest.mark.parametrize(
    ("options", "common"),
    [
        ({"dropout": 0.5}, {}),
        ({"schedule": "cosine"}, {}),
        ({"warmup": 3.0}, {}),
        ({"initializer": "he"}, {}),
        ({"clip_norm": 0.01}, {"solver": "sgd", "learning_rate_init": 0.1}),
        ({"label_smoothing": 0.3}, {}),
        ({"loss": "squared_error"}, {}),
        ({"solver": "adamw"}, {"alpha": 10.0}),
        ({"activation": "gelu"}, {}),
    ],
    ids=str,
)
def test_each_option_that_theirs_lacks_has_an_effect(options, common):
    common |= {"max_iter": 8, "random_state": 0}
    plain = MuslinClassifier(**common).fit(X, y).predict_proba(X)
    assert np.abs(MuslinClassifier(**(common | options)).fit(X, y).predict_proba(X) - plain).max() > 1e-3


def test_in_a_search_over_a_pipeline():
    data, target = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), MuslinClassifier(max_iter=15, random_state=0))
    search = GridSearchCV(pipe, {"muslinclassifier__alpha": [1e-4, 1.0]}, cv=2, n_jobs=1).fit(data, target)
    assert search.best_score_ > 0.95
    assert cross_val_score(clone(pipe), data, target, cv=3).mean() > 0.95


def test_float32_stays_and_sparse_is_dense():
    single = MuslinRegressor(max_iter=5, random_state=0).fit(X.astype(np.float32), y)
    assert {W.dtype for W in single.coefs_} == {single.predict(X.astype(np.float32)).dtype} == {np.dtype(np.float32)}
    thin = MuslinRegressor(max_iter=5, random_state=0).fit(sparse.csr_array(X), y)
    np.testing.assert_array_equal(thin.predict(sparse.csc_array(X)), thin.predict(X))


def test_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = MuslinClassifier(max_iter=3).fit(frame, pandas.Series(y))
    assert list(model.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])


@pytest.mark.filterwarnings("ignore:y has the mean")
def test_what_diverges_says_so():
    data, target = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=r"non-finite .* Training diverged"):
        MuslinRegressor(solver="sgd", learning_rate_init=1e3, activation="identity").fit(data, target * 1e3)
