"""Training: the loop, its state, its callbacks."""

from muslin.training.callbacks import Callback, Diagnostics, EarlyStopping
from muslin.training.fit import fit
from muslin.training.metrics import evaluate
from muslin.training.passes import chunks, loss_and_gradients, responses
from muslin.training.state import History, State, load_checkpoint, save_checkpoint

__all__ = [
    "Callback",
    "Diagnostics",
    "EarlyStopping",
    "History",
    "State",
    "chunks",
    "evaluate",
    "fit",
    "load_checkpoint",
    "loss_and_gradients",
    "responses",
    "save_checkpoint",
]
