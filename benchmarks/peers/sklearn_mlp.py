"""scikit-learn's MLPClassifier on float32, its own loop over an epoch, without the checks that come before it.

It has no RMSProp and no Nadam: Adam stands in for them.
"""

import time

from sklearn.neural_network import MLPClassifier

from benchmarks.peers.protocol import serve

ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic"}
OPTIMIZERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    "nag": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
}


class Started(MLPClassifier):
    """Starts from given parameters, and times its loop over the batches."""

    def _init_coef(self, n_in, n_out, dtype):
        self.given_ = getattr(self, "given_", None) or iter(self.layers)
        W, b = next(self.given_)
        return W.T.copy(), b.copy()

    def _fit_stochastic(self, *arguments):
        started = time.perf_counter()
        super()._fit_stochastic(*arguments)
        self.seconds = time.perf_counter() - started


def classifier(work):
    model = Started(
        hidden_layer_sizes=work.hidden,
        activation=ACTIVATIONS[work.activation],
        batch_size=work.batch,
        learning_rate_init=work.learning_rate,
        alpha=0.0,
        n_iter_no_change=10**9,
        random_state=0,
        **OPTIMIZERS.get(work.optimizer, {"solver": "adam"}),
    )
    model.layers = work.layers
    return model


def train(work):
    X, model, done = work.floats(work.X), classifier(work), False
    while not done:
        model.partial_fit(X, work.y, classes=range(10))
        done = work.report(
            model.seconds, lambda: ((W.T, b) for W, b in zip(model.coefs_, model.intercepts_, strict=True))
        )


def predict(work):
    model = classifier(work).partial_fit(work.floats(work.X[: work.batch]), work.y[: work.batch], classes=range(10))
    model.coefs_, model.intercepts_ = [W.T.copy() for W, _ in work.layers], [b for _, b in work.layers]
    work.predict(model.predict_proba)


if __name__ == "__main__":
    serve(train=train, predict=predict)
