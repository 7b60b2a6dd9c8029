"""muslin: a feed-forward neural network written out in NumPy, in the notation of the class."""

from importlib import import_module
from typing import TYPE_CHECKING

from muslin.errors import Diverged, InputError

if TYPE_CHECKING:  # the whole package stands above its parts: only a type checker looks down here
    from muslin.network import FeedForwardNeuralNetwork

__version__ = "0.2.0"
__all__ = ["Diverged", "FeedForwardNeuralNetwork", "InputError", "__version__", "sweep"]

#: what comes only when it is asked for: NumPy with it, and a command is to hear Ctrl-C from its beginning
LATER = {"FeedForwardNeuralNetwork": "muslin.network", "sweep": "muslin.sweeps.start"}


def __getattr__(name: str) -> object:
    if name not in LATER:
        raise AttributeError(f"module 'muslin' has no attribute {name!r}")
    return getattr(import_module(LATER[name]), name)
