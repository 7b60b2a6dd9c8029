"""Which kernels OpenBLAS is asked for, and how many threads."""

import os
import sys

import pytest
from threadpoolctl import threadpool_info

from muslin import blas
from muslin.errors import InputError

AVX512 = "avx512f avx512bw avx512cd avx512dq avx512vl"


def cpuinfo(vendor, flags):
    return f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu sse2 {flags}\n\nprocessor\t: 1\nvendor_id\t: other\n"


@pytest.fixture
def fresh(monkeypatch):
    """As at the start of a process: NumPy not imported, the variable not set."""
    monkeypatch.delitem(sys.modules, "numpy")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")  # so that what the test leaves there is undone
    monkeypatch.delenv("OPENBLAS_CORETYPE")


@pytest.mark.parametrize(
    ("text", "kernels"),
    [
        (cpuinfo("AuthenticAMD", AVX512), "SkylakeX"),
        (cpuinfo("AuthenticAMD", "avx2 avx512f avx512bw"), None),
        (cpuinfo("AuthenticAMD", "avx2"), None),
        (cpuinfo("GenuineIntel", AVX512), None),
        ("Processor: ARMv8\n", None),
        ("", None),
        (None, None),
    ],
    ids=["Zen 4", "some AVX-512", "Zen 3", "Intel", "ARM", "empty", "no such file"],
)
def test_kernels(text, kernels, fresh, tmp_path):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    blas.choose_kernels(tmp_path / "cpuinfo")
    assert os.environ.get("OPENBLAS_CORETYPE") == kernels


def test_whoever_has_chosen_keeps_their_choice(fresh, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(cpuinfo("AuthenticAMD", AVX512))
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    blas.choose_kernels(tmp_path / "cpuinfo")
    assert os.environ["OPENBLAS_CORETYPE"] == "Zen"


def test_too_late_once_numpy_is_there(fresh, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(cpuinfo("AuthenticAMD", AVX512))
    monkeypatch.setitem(sys.modules, "numpy", object())
    blas.choose_kernels(tmp_path / "cpuinfo")
    assert "OPENBLAS_CORETYPE" not in os.environ


def in_use():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_threads_are_limited_and_given_back():
    with blas.threads(2):
        before = in_use()
        with blas.threads(1):
            assert in_use() == [1] * len(before)
        with blas.threads(None):
            assert in_use() == before


def test_threads_below_one():
    with pytest.raises(InputError, match="threads is 0; it must be a whole number from 1"):
        blas.threads(0)


def test_without_threadpoolctl(monkeypatch):
    monkeypatch.setattr(blas, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install 'muslin"):
        blas.threads(1)
    assert blas.description() == {}


def test_description():
    pools = [p for p in threadpool_info() if p["user_api"] == "blas" and "numpy" in p["filepath"]]
    found = blas.description()
    assert set(found) == ({"library", "kernels", "threads"} if pools else set())
    if pools:
        assert found["threads"] == pools[0]["num_threads"]
        assert found["library"] == pools[0]["internal_api"]
