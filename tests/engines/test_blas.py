"""How many threads BLAS uses."""

import pytest
from threadpoolctl import threadpool_info

from muslin.engines import blas
from muslin.errors import InputError


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
