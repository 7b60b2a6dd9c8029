"""muslin, through its front door."""

from benchmarks.peers.protocol import serve
from muslin import FeedForwardNeuralNetwork


def network(work):
    sizes = [work.X.shape[1], *work.hidden, 10]
    network = FeedForwardNeuralNetwork(sizes, work.activation, work.initializer, engine=work.engine)
    for k, (W, b) in enumerate(work.layers, 1):
        network.weights[k], network.biases[k] = W, b[:, None]
    return network


def train(work):
    net = network(work)

    def layers():
        return ((W, b[:, 0]) for W, b in zip(net.weights.values(), net.biases.values(), strict=True))

    def turn(state):
        return "no more turns" if work.report(state.history[-1]["seconds"], layers) else None

    net.fit(
        work.X,
        work.y,
        optimizer=work.optimizer,
        learning_rate=work.learning_rate,
        batch_size=work.batch,
        epochs=1_000_000,
        callbacks=[turn],
    )


def predict(work):
    work.predict(network(work).predict_proba)


if __name__ == "__main__":
    serve(train=train, predict=predict)
