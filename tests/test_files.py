"""Files: whole or not there, JSON that every reader understands, errors that name the file."""

import errno
import json
import os
import stat

import numpy as np
import pytest

from muslin import InputError
from muslin.files import atomic, finite, read_json, read_json_lines, write_json, write_json_lines, write_text

NAN, INFINITY = float("nan"), float("inf")


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    write_text(tmp_path / "new" / "folder" / "η.txt", "η ← 0.1\n")
    write_text(tmp_path / "new" / "folder" / "η.txt", "β₁\n")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["η.txt"]
    assert (tmp_path / "new" / "folder" / "η.txt").read_bytes() == "β₁\n".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_an_error_inside_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(error), atomic(path) as temporary:  # noqa: PT012 (the file must be half written)
        temporary.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"^Cannot write .*kept\.txt: No space left on device\.$"):
        write_text(tmp_path / "kept.txt", "new")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path):
    write_text(tmp_path / "file", "")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below.txt", tmp_path / "folder"):
        with pytest.raises(InputError, match=r"^Cannot write .*\.$"):
            write_text(path, "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "text")
        assert os.umask(umask) == umask  # and it is left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


def test_json_has_null_for_what_is_no_number(tmp_path):
    value = {"loss": [1.5, NAN, {"deep": (INFINITY, -INFINITY, np.float64(NAN))}], "name": "η", "n": 3, "none": None}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    expected = {"loss": [1.5, None, {"deep": [None, None, None]}], "name": "η", "n": 3, "none": None}
    assert json.loads(text) == read_json(tmp_path / "a.json") == expected
    assert "η" in text
    assert text.endswith("}\n")


def test_json_lines_are_one_object_each(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": NAN}]
    write_json_lines(tmp_path / "a.jsonl", rows)
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8").count("\n") == 2
    assert read_json_lines(tmp_path / "a.jsonl") == [rows[0], {"epoch": 2, "loss": None}]


def test_numbers_survive_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).standard_normal(100).tolist()
    write_json(tmp_path / "a.json", values)
    assert read_json(tmp_path / "a.json") == values


def test_finite_leaves_the_rest_alone():
    assert finite({"a": True, "b": [0, "NaN", None]}) == {"a": True, "b": [0, "NaN", None]}


@pytest.mark.parametrize("read", [read_json, read_json_lines])
@pytest.mark.parametrize(
    ("content", "message"), [(None, "Cannot read"), (b"{", "not valid JSON"), (b"\xff", "not valid")]
)
def test_errors_name_the_file(tmp_path, read, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
