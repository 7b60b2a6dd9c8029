"""The recipe fashion-ten in PyTorch: the network compiled, its pictures changed by tensor operations, also compiled.

Reads what it needs as one line of JSON, then trains an epoch for each further line, and answers it with a line.
"""

import json
import resource
import sys
import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def network(hidden, inputs, outputs):
    sizes, modules = [inputs, *hidden], []
    for n, m in pairwise(sizes):
        modules += [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.GELU(approximate="tanh")]
    return nn.Sequential(*modules, nn.Linear(sizes[-1], outputs))


def changed(X, y, own, side, classes, shift, flip):
    """Mirrored, moved by parts of a pixel, mixed with the next one of the batch: (pictures, targets)."""
    n = len(X)
    pictures = X.reshape(n, 1, side, side).float() / 255
    mirror = torch.where(torch.rand(n) < flip, -1.0, 1.0)
    moves = (2 * torch.rand(n, 2) - 1) * (2 * shift / side)
    zero = torch.zeros(n)
    theta = torch.stack([torch.stack([mirror, zero, moves[:, 0]], 1), torch.stack([zero, zero + 1, moves[:, 1]], 1)], 1)
    grid = functional.affine_grid(theta, list(pictures.shape), align_corners=False)
    pictures = functional.grid_sample(pictures, grid, align_corners=False).reshape(n, -1)
    targets = functional.one_hot(y, classes).float()
    own = own[:, None]
    return own * pictures + (1 - own) * pictures.roll(-1, 0), own * targets + (1 - own) * targets.roll(-1, 0)


def main():
    work = json.loads(sys.stdin.readline())
    torch.set_num_threads(work["threads"])
    torch.manual_seed(0)
    arrays = np.load(work["data"])
    X, y = torch.from_numpy(arrays["X"]), torch.from_numpy(arrays["y"])
    classes, side, batch = work["classes"], round(X.shape[1] ** 0.5), work["batch_size"]
    model = network(work["hidden_size"], X.shape[1], classes)
    steps = len(X) // batch
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=work["learning_rate"], betas=(0.9, work["beta2"]), weight_decay=0.0, fused=True
    )
    change = torch.compile(changed)

    @torch.compile
    def loss_of(pictures, targets):
        return functional.cross_entropy(model(pictures), targets, label_smoothing=work["label_smoothing"])

    for _ in sys.stdin:
        started, total = time.perf_counter(), torch.zeros(())
        order = torch.randperm(len(X))
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            own = 1 - 0.5 * torch.rand(batch) ** work["mixup"]
            pictures, targets = change(X[rows], y[rows], own, side, classes, work["shift"], work["flip"])
            optimizer.zero_grad()
            loss = loss_of(pictures, targets)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "loss": float(total) / steps, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
