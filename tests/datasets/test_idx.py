"""IDX: both directions, and one message for each way in which a file can be wrong."""

import gzip
import os
import tracemalloc
from hashlib import sha256

import numpy as np
import pytest

from muslin.datasets import idx
from muslin.errors import InputError

ARRAY = np.arange(2 * 3 * 2, dtype=np.uint8).reshape(2, 3, 2)
BYTES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, *range(12)])


def test_encode_is_the_format_by_its_letter():
    assert idx.encode(ARRAY) == BYTES


@pytest.mark.parametrize("array", [ARRAY, np.asfortranarray(ARRAY), ARRAY[::-1], np.arange(5, dtype=np.uint8)])
def test_digest_is_the_hash_of_the_file(array):
    assert idx.digest(array) == sha256(idx.encode(array)).hexdigest()


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_goes_by_the_content_not_by_the_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(BYTES))
    array = idx.read(tmp_path / name, 3)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, ARRAY)


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


PACKED = gzip.compress(BYTES)
WRONG = {
    "a web page": (b"\n<!DOCTYPE html><title>404</title>", "is a web page"),
    "not gzip": (b"PK\3\4", "is not gzip: it starts with 50 4b 03 04"),
    "empty": (b"", "is not gzip: it starts with nothing"),
    "gzip cut short": (PACKED[:-9], "is cut short"),
    "a changed byte": (flipped(PACKED, -8 + len(PACKED)), "is damaged: it does not unpack (CRC"),
    "a broken stream": (PACKED[:10] + b"\xff" * 8 + PACKED[18:], "is damaged: it does not unpack (Error"),
    "labels for images": (
        gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7])),
        "number 2049; it must be 2051 (uint8, 3-dim",
    ),
    "floats": (gzip.compress(flipped(BYTES, 2)), "magic number 2307; it must be 2051"),
    "cut in its header": (gzip.compress(BYTES[:9]), "ends inside its header"),
    "less than the header says": (gzip.compress(BYTES[:-5]), "2 × 3 × 2 = 12 bytes: it holds only 7."),
    "more than the header says": (gzip.compress(BYTES + b"!"), "2 × 3 × 2 = 12 bytes: it holds more."),
    "no machine's size": (gzip.compress(BYTES[:4] + b"\xff" * 12), "its header announces 79,228,162,458,924,105,385,"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_each_wrong_file_has_its_own_line(tmp_path, content, message):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        idx.read(path, 3)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_label_stands_for_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"<")
    with pytest.raises(InputError, match=r"^https://mirror/file is a web page"):
        idx.read(tmp_path / "file", 3, "https://mirror/file")


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(InputError, match=f"cannot be read: {os.strerror(21)}"):
        idx.read(tmp_path, 3)


def test_a_large_file_is_in_memory_once(tmp_path):
    size = 1 << 24
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx.header((1, 1, size)) + bytes(size), 1))
    tracemalloc.start()
    try:
        idx.read(path, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < peak < 1.3 * size
