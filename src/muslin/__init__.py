"""muslin: a feed-forward neural network written out in NumPy, in the notation of the class."""

from muslin.errors import Diverged, InputError
from muslin.network import FeedForwardNeuralNetwork

__version__ = "0.1.0"
__all__ = ["Diverged", "FeedForwardNeuralNetwork", "InputError", "__version__"]
