"""Transfer: is a data set learned better from the weights of a network that was trained on another?

A cell is one training: a fraction of the new training data, a seed and a contestant. Cells of one fraction and seed
have the same samples in the same order, settings, number of steps and fresh weights where they have fresh ones. They
differ in this alone:

    scratch       starts from fresh weights
    fine_tuned    starts from the trained network's hidden layers, and trains all of it
    frozen        starts like fine_tuned, and its first K layers keep their values

The test set measures; nothing is chosen by it.
"""

from muslin.studies.transfer.elsewhere import train_side_by_side
from muslin.studies.transfer.plan import CONTESTANTS, Transfer, plan
from muslin.studies.transfer.results import missing, read, train, write
from muslin.studies.transfer.standings import conclusions, layers, percent, table

__all__ = [
    "CONTESTANTS",
    "Transfer",
    "conclusions",
    "layers",
    "missing",
    "percent",
    "plan",
    "read",
    "table",
    "train",
    "train_side_by_side",
    "write",
]
