"""muslin: a feed-forward neural network written out in NumPy, in the notation of the class."""

from muslin.blas import choose_kernels

choose_kernels()

from muslin.errors import Diverged, InputError  # noqa: E402
from muslin.network import FeedForwardNeuralNetwork  # noqa: E402

__version__ = "0.1.0"
__all__ = ["Diverged", "FeedForwardNeuralNetwork", "InputError", "__version__"]
