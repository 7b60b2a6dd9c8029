"""BLAS, the library under `np.matmul`: which of its kernels, how many threads. Imported before NumPy."""

import os
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from muslin.errors import InputError

AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def choose_kernels(cpuinfo="/proc/cpuinfo"):
    """On AMD processors with AVX-512 (Zen 4 and later), ask OpenBLAS for its AVX-512 kernels.

    OpenBLAS has them under the name of Intel's SkylakeX and would take those of Haswell, half as wide. It reads the
    environment variable OPENBLAS_CORETYPE as NumPy loads it; whoever has set that variable, or has imported NumPy
    before muslin, keeps what they have.
    """
    if "numpy" in sys.modules or "OPENBLAS_CORETYPE" in os.environ:
        return
    try:
        with Path(cpuinfo).open() as file:
            lines = dict(line.split(":", 1) for line in file.read(16_384).split("\n\n")[0].splitlines() if ":" in line)
    except OSError:
        return
    facts = {key.strip(): value.split() for key, value in lines.items()}
    if facts.get("vendor_id") == ["AuthenticAMD"] and set(facts.get("flags", ())) >= AVX512:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"


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
