"""BLAS, the library under `np.matmul`: how many threads it uses, and which one it is."""

import ctypes
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


#: names of the matrix product in one BLAS or another, and the size of its integers
PRODUCTS = {
    "scipy_cblas_{}gemm64_": 64,
    "cblas_{}gemm64_": 64,
    "scipy_cblas_{}gemm": 32,
    "cblas_{}gemm": 32,
}


def product(dtype):
    """(address, size of its integers) of the function by which NumPy's BLAS multiplies matrices; None if not found."""
    pool = _pool()
    if pool is None:
        return None
    letter = {"float32": "s", "float64": "d"}[dtype.name]
    for name, size in PRODUCTS.items():
        if function := getattr(pool.dynlib, name.format(letter), None):
            return ctypes.cast(function, ctypes.c_void_p).value, size
    return None


def n_threads():
    """How many threads NumPy's BLAS uses now."""
    pool = _pool()
    return pool.num_threads if pool else 1


def _pool():
    """threadpoolctl's controller of NumPy's BLAS, or None."""
    if find_spec("threadpoolctl") is None:
        return None
    from threadpoolctl import ThreadpoolController

    pools = [pool for pool in ThreadpoolController().lib_controllers if pool.user_api == "blas"]
    numpys = [pool for pool in pools if "numpy" in pool.filepath]
    return (numpys or (pools if len(pools) == 1 else [None]))[0]
