"""BLAS, the library under `np.matmul`: how many threads it uses, and which one it is."""

from contextlib import nullcontext
from importlib.util import find_spec

from muslin.errors import InputError


def threads(n=None):
    """A context in which BLAS uses n threads; None leaves it alone.

    Raises InputError: n below 1, or threadpoolctl not installed.
    """
    if n is None:
        return nullcontext()
    if n < 1:
        raise InputError(f"threads is {n}; it must be a whole number from 1.")
    if find_spec("threadpoolctl") is None:
        raise InputError("threads needs threadpoolctl: pip install 'muslin[fast]' (or set OPENBLAS_NUM_THREADS).")
    from threadpoolctl import threadpool_limits

    return threadpool_limits(n, user_api="blas")


def description():
    """{"library", "kernels", "threads"} of the BLAS in use; results are bit-equal only where all of it is equal."""
    if find_spec("threadpoolctl") is None:
        return {}
    from threadpoolctl import threadpool_info

    pools = [p for p in threadpool_info() if p["user_api"] == "blas" and "numpy" in p["filepath"]]
    return {
        key: pools[0].get(name)
        for key, name in {"library": "internal_api", "kernels": "architecture", "threads": "num_threads"}.items()
        if pools
    }
