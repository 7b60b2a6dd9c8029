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


def as_name(name: str) -> str:
    """The name of an engine, as it is known. Raises InputError: an unknown one, or numba, which is not installed."""
    name = str(name).lower()
    if name not in ("auto", *ENGINES):
        raise unknown("engine", name, ["auto", *ENGINES])
    if name == "numba" and not _installed():
        raise InputError("The numba engine needs numba: pip install 'muslin[fast]' (or choose the numpy engine).")
    return name


def engine(name: str = "auto") -> Engine:
    """The engine of that name; "auto" is numba where it can be loaded, else numpy. One of each is made and shared.

    Raises InputError: an unknown name, or numba asked for and not to be had.
    """
    name = as_name(name)
    trouble = trouble_of_numba() if name == "numba" or (name == "auto" and _installed()) else None
    if trouble and name == "numba":
        raise InputError(f"The numba engine needs numba, which cannot be loaded: {trouble}")
    if trouble:
        _say(trouble)
    if name == "auto":
        name = "numba" if _installed() and not trouble else "numpy"
    return _engines.setdefault(name, ENGINES[name]())


def _installed():
    return importlib.util.find_spec("numba") is not None


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
