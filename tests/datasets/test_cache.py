"""The cache: mapped, verified at every use, atomic, and never a reason to fail."""

import errno
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from numpy.lib import format as npy

from muslin.datasets import cache

FILE = "train-images-idx3-ubyte"


@pytest.fixture
def array(payloads) -> np.ndarray:
    return np.frombuffer(payloads[FILE][16:], np.uint8).reshape(-1, 4, 4)


@pytest.fixture
def kept(tiny, array):
    """The path of a file in the cache."""
    cache.keep(tiny, FILE, array)
    return cache.place(tiny, FILE)


def test_what_is_kept_comes_back_as_a_read_only_map_of_a_plain_npy(tiny, array, kept):
    for mapped in (cache.keep(tiny, FILE, array), cache.get(tiny, FILE)):
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        np.testing.assert_array_equal(mapped, array)
    np.testing.assert_array_equal(np.load(kept), array)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_an_array_from_the_cache_is_not_written_again(tiny, kept):
    before = kept.stat()
    mapped = cache.get(tiny, FILE)
    assert cache.keep(tiny, FILE, mapped) is mapped
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_place_is_the_environments_or_the_systems(tiny, tmp_path, monkeypatch):
    assert cache.place(tiny, FILE) == tmp_path / "cache" / "tiny" / f"{FILE}.npy"
    monkeypatch.delenv("MUSLIN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert cache.root() == tmp_path / "xdg" / "muslin"


def change(position: int, data: bytes) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


DAMAGE = {
    "a changed byte": partial(change, -1),
    "a changed header": partial(change, 30),
    "int8 for uint8": lambda data: data.replace(b"|u1", b"|i1"),
    "truncated": lambda data: data[:-100],
    "cut in the header": lambda data: data[:20],
    "empty": lambda data: b"",
    "another file": lambda data: b"hello" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_named_removed_and_built_again(tiny, array, kept, capsys, damage):
    times = kept.stat()
    kept.write_bytes(damage(kept.read_bytes()))
    os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))  # neither time nor size need betray it
    assert cache.get(tiny, FILE) is None
    assert f"the cache's {kept} is damaged: removed" in capsys.readouterr().err
    assert not kept.exists()
    np.testing.assert_array_equal(cache.keep(tiny, FILE, array), array)
    assert isinstance(cache.get(tiny, FILE), np.memmap)


def test_no_byte_of_a_header_can_be_changed_to_harm(tiny, array, kept):
    whole = kept.read_bytes()
    rng = np.random.default_rng(0)
    for position in range(npy_header := len(whole) - array.size):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        kept.write_bytes(damaged)
        mapped = cache.get(tiny, FILE)
        assert mapped is None or np.array_equal(mapped, array), position
    assert npy_header == 128


def test_an_absent_file_is_no_damage(tiny, capsys):
    assert cache.get(tiny, FILE) is None
    assert capsys.readouterr().err == ""


def raising(number: int):
    def fail(*args):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "quota")])
def test_a_full_disk_leaves_nothing_half_written_and_the_data_in_memory(
    tiny, array, monkeypatch, capsys, number, reason
):
    monkeypatch.setattr(os, "fsync", raising(number))
    assert cache.keep(tiny, FILE, array) is array
    said = capsys.readouterr().err
    assert reason in said
    assert str(cache.root()) in said
    assert said.count("\n") == 1
    assert not [path for path in cache.root().rglob("*") if path.is_file()]


def test_a_full_disk_is_noticed_by_the_write_itself(array):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
        cache._write("/dev/full", array)
    assert caught.value.errno == errno.ENOSPC


def test_an_interrupt_leaves_nothing_half_written(tiny, array, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(npy, "write_array_header_1_0", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.keep(tiny, FILE, array)
    assert list(cache.place(tiny, FILE).parent.iterdir()) == []


def test_a_cache_that_cannot_be_written_warns_once(tiny, array, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MUSLIN_CACHE", str(tmp_path / "file"))
    for _ in range(3):
        assert cache.keep(tiny, FILE, array) is array
    said = capsys.readouterr().err
    assert said.startswith(f"muslin: the cache {tmp_path / 'file' / 'tiny'} cannot be written")
    assert said.count("\n") == 1


FILL = """
import sys
import numpy as np
from dataclasses import replace
from muslin.datasets import cache, idx
from muslin.datasets.catalogue import CATALOGUE
array = np.arange(3 << 16, dtype=np.uint8).reshape(3, 256, 256)
entry = replace(CATALOGUE["mnist"], checksums={"images": idx.digest(array)})
print("ready", flush=True)
sys.stdin.readline()
for k in range(30):
    kept = cache.keep(replace(entry, name=f"set{k}"), "images", array)
    assert isinstance(kept, np.memmap) and np.array_equal(kept, array), k
"""


def test_two_processes_may_fill_it_at_once(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    workers = [subprocess.Popen([sys.executable, "-c", FILL], text=True, **pipes) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        ends = [worker.communicate("\n", timeout=60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert ends == [("", "")] * 2
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 30
