"""muslin: a feed-forward neural network written out in NumPy, in the notation of the class."""

from typing import TYPE_CHECKING

from muslin.errors import Diverged, InputError

if TYPE_CHECKING:
    from muslin.network import FeedForwardNeuralNetwork

__version__ = "0.1.0"
__all__ = ["Diverged", "FeedForwardNeuralNetwork", "InputError", "__version__"]


def __getattr__(name: str) -> object:
    """The network comes with NumPy, and only when it is asked for: a command is to hear Ctrl-C from its beginning."""
    if name != "FeedForwardNeuralNetwork":
        raise AttributeError(f"module 'muslin' has no attribute {name!r}")
    from muslin.network import FeedForwardNeuralNetwork

    return FeedForwardNeuralNetwork
