"""What a step cannot do without: its matrix products through np.matmul, and one pass over the optimizer's memory."""

import time

from benchmarks.peers.ours import network
from benchmarks.peers.protocol import serve
from muslin.runs.timing import least


def train(work):
    step, done = least(network(work), work.batch, work.optimizer), False
    while not done:
        started = time.perf_counter()
        for _ in range(work.steps):
            step()
        done = work.report(time.perf_counter() - started)


if __name__ == "__main__":
    serve(train=train)
