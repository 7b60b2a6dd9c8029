"""How a formula meets arrays. One formula, two engines.

The numpy engine calls a formula with whole arrays. The numba engine compiles the *same* function into one loop over
the elements: no temporaries, one pass over memory, and the same results to the bit. Whole steps of training are
written down by the `tape`, and played by the `player`.
"""

import importlib
import importlib.util
from functools import cache

from muslin.engines.contract import Engine
from muslin.engines.numba_engine import NumbaEngine
from muslin.engines.numpy_engine import NumpyEngine
from muslin.errors import InputError, note, shown, unknown

ENGINES = {"numpy": NumpyEngine, "numba": NumbaEngine}
_engines: dict[str, Engine] = {}


def engine(name: str = "auto") -> Engine:
    """The engine of that name; "auto" is numba where it can be loaded, else numpy. One of each is made and shared.

    Raises InputError: an unknown name, or numba asked for and not to be had.
    """
    name = str(name).lower()
    if name not in ("auto", *ENGINES):
        raise unknown("engine", name, ["auto", *ENGINES])
    if name != "numpy":
        name = _numba(asked=name == "numba")
    return _engines.setdefault(name, ENGINES[name]())


def _numba(asked: bool) -> str:
    """The name of the engine to take."""
    if importlib.util.find_spec("numba") is None:
        if asked:
            raise InputError("The numba engine needs numba: pip install 'muslin[fast]' (or choose the numpy engine).")
        return "numpy"
    if (trouble := trouble_of_numba()) and asked:
        raise InputError(f"The numba engine needs numba, which cannot be loaded: {trouble}")
    if trouble:
        _say(trouble)
    return "numpy" if trouble else "numba"


@cache
def trouble_of_numba() -> str | None:
    """Why the numba that is installed cannot be loaded, as where NumPy is too new for it, or None."""
    try:
        importlib.import_module("numba")
    except Exception as error:
        return shown(" ".join(str(error).split()))
    return None


@cache
def _say(trouble: str) -> None:
    """Once."""
    note(f"numba cannot be loaded, and the numpy engine is taken: {trouble}")
