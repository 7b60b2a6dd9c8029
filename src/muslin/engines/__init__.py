"""How a formula meets arrays. One formula, two engines.

The numpy engine calls a formula with whole arrays. The numba engine compiles the *same* function into one loop over
the elements: no temporaries, one pass over memory, and the same results to the bit. Whole steps of training are
written down by the `tape`, and played by the `player`.
"""

import importlib.util

from muslin.engines.contract import Engine
from muslin.engines.numba_engine import NumbaEngine
from muslin.engines.numpy_engine import NumpyEngine
from muslin.errors import InputError, unknown

ENGINES = {"numpy": NumpyEngine, "numba": NumbaEngine}
_engines: dict[str, Engine] = {}


def engine(name: str = "auto") -> Engine:
    """The engine of that name; "auto" is numba where it is installed, else numpy. One of each is made and shared.

    Raises InputError: an unknown name, or numba asked for and not installed.
    """
    installed = importlib.util.find_spec("numba") is not None
    name = str(name).lower()
    if name == "auto":
        name = "numba" if installed else "numpy"
    if name not in ENGINES:
        raise unknown("engine", name, ["auto", *ENGINES])
    if name == "numba" and not installed:
        raise InputError("The numba engine needs numba: pip install 'muslin[fast]' (or choose the numpy engine).")
    return _engines.setdefault(name, ENGINES[name]())
