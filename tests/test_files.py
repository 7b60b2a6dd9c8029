"""Files: whole or not there, JSON that every reader understands, errors that name the file."""

import errno
import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from muslin import InputError
from muslin.files import (
    as_folder,
    atomic,
    finite,
    parse_json,
    read_bytes,
    read_json,
    read_json_lines,
    read_tensors,
    remove_litter,
    write_json,
    write_json_lines,
    write_new_json,
    write_tensors,
    write_text,
)

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
        write_tensors(tmp_path / "tensors", {"x": np.zeros(3)}, {})
        assert os.umask(umask) == umask  # and it is left as it was
    finally:
        os.umask(before)
    for name in ("file", "tensors"):  # a class can share its models
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


def test_json_has_null_for_what_is_no_number(tmp_path):
    value = {"loss": [1.5, NAN, {"deep": (INFINITY, -INFINITY, np.float64(NAN))}], "name": "η", "n": 3, "none": None}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    expected = {"loss": [1.5, None, {"deep": [None, None, None]}], "name": "η", "n": 3, "none": None}
    assert json.loads(text).items() >= expected.items()
    assert read_json(tmp_path / "a.json") == expected
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
    ("content", "message"), [(None, "There is no file"), (b"{", "not valid JSON"), (b"\xff", "not valid")]
)
def test_errors_name_the_file(tmp_path, read, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("path", "why"), [("a\0b", "embedded null byte"), ("x" * 1000, "File name too long")])
def test_a_path_that_no_file_can_have_is_not_read(path, why):
    with pytest.raises(InputError, match=rf"^Cannot read the file [^\n\0]*: {why}\.$"):
        read_bytes(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux has such a file")
def test_a_file_that_the_system_does_not_let_be_read():
    with pytest.raises(InputError, match=r"^Cannot read the file /proc/self/mem: Input/output error\.$"):
        read_bytes("/proc/self/mem")


def test_where_there_are_no_links_one_of_several_writes_all_the_same(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    assert write_new_json(tmp_path / "a.json", {"by": "the first"})
    assert not write_new_json(tmp_path / "a.json", {"by": "the second"})
    assert read_json(tmp_path / "a.json") == {"by": "the first"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(("number", "fine"), [(errno.EINVAL, True), (errno.EACCES, True), (errno.EIO, False)])
def test_a_folder_whose_names_cannot_be_flushed(number, fine, tmp_path, monkeypatch):
    """As on some network drives; a broken disk is another thing."""
    fsync = os.fsync

    def flush(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flush)
    if fine:
        write_text(tmp_path / "file", "text")
    else:
        with pytest.raises(InputError, match=r"Cannot write .*Input/output error"):
            write_text(tmp_path / "file", "text")


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b", "..", "/dev/null"])
def test_a_path_that_is_no_files_is_refused_in_a_sentence(path):
    with pytest.raises(InputError, match=r"^Cannot write [^\n\0]*\.$"):
        write_text(path, "text")


def special(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    return [tmp_path / name for name in ("pipe", "device", "folder")]


def test_pipes_devices_and_folders_are_neither_replaced_nor_read(tmp_path):
    for path in special(tmp_path):
        kind = stat.S_IFMT(path.stat().st_mode)
        with pytest.raises(InputError, match=r"^Cannot write .* is no regular file, and is not replaced\.$"):
            write_text(path, "text")
        assert stat.S_IFMT(path.stat().st_mode) == kind
        for read in (read_bytes, read_json, read_json_lines, lambda path: read_tensors(path, "model")):
            with pytest.raises(InputError, match=r"^Cannot read .*, not a regular file\.$"):
                read(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room on the disk
    for read in (read_bytes, read_json, lambda path: read_tensors(path, "model")):
        with pytest.raises(InputError, match=r"1,099,511,627,776 bytes; a \w+ has at most"):
            read(tmp_path / "large")


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 200 + "1" + "}" * 200, "[" * 101 + "]" * 101])
def test_deep_json_is_refused(deep):
    with pytest.raises(InputError, match=r"^here has lists or objects nested deeper than 100 levels\.$"):
        parse_json(deep, "here")
    assert parse_json("[" * 100 + "]" * 100, "here")


def test_a_temporary_file_takes_no_name_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda n: "aa")
    with atomic(tmp_path / "a") as temporary:
        (victim := tmp_path / "victim").write_text("kept")
    temporary.symlink_to(victim)
    with pytest.raises(InputError, match="Cannot write"):
        write_text(tmp_path / "a", "text")
    assert victim.read_text() == "kept"


def test_names_are_on_the_disk_too(tmp_path, monkeypatch):
    flushed = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (flushed.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    write_text(tmp_path / "new" / "file", "text")
    assert flushed[0] == str(tmp_path)  # it has the name "new" now
    assert flushed[1].endswith(".part")
    assert flushed[2] == str(tmp_path / "new")  # after the renaming
    assert len(flushed) == 3


def test_litter_of_the_dead_is_removed_and_no_other(tmp_path):
    child = subprocess.Popen(["true"])
    child.wait()
    with atomic(tmp_path / "file") as temporary:
        stem = temporary.name.rpartition("-")[0]
        dead = [f"{stem}-{child.pid}.part", f".model.safetensors.{child.pid}.part"]
        alive = [
            f"{stem}-{os.getppid()}.part",
            f".ab.elsewhere-{child.pid}.part",
            ".my.part",
            f".{child.pid}.part~",
            "b",
        ]
        for name in (*dead, *alive):
            (tmp_path / name).write_text("half")
        remove_litter.cache_clear()
        remove_litter(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {*alive, temporary.name}


def test_the_first_writing_into_a_folder_removes_its_litter(tmp_path):
    child = subprocess.Popen(["true"])
    child.wait()
    (tmp_path / f".a.{child.pid}.part").write_text("half")
    write_text(tmp_path / "file", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_rows_are_no_file(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", [{"epoch": 1}])
    write_json_lines(tmp_path / "a.jsonl", [])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(InputError, match=r"a\.jsonl is damaged: it is empty\.$"):
        read_json_lines(tmp_path / "a.jsonl")


def test_equal_tensors_are_equal_files(tmp_path):
    """The library writes metadata in an order that changes from process to process."""
    write = f"""
import numpy as np
from muslin.files import write_tensors
write_tensors({str(tmp_path / "x")!r}, {{"b": np.arange(3.0), "a": np.ones((2, 2))}}, dict.fromkeys("zyxwabc", [1]))
"""
    found = set()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", write], check=True)
        found.add((tmp_path / "x").read_bytes())
    assert len(found) == 1


def test_the_safetensors_library_reads_what_we_write(tmp_path):
    from safetensors import safe_open

    tensors = {"w": np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32), "b": np.arange(4)}
    write_tensors(tmp_path / "x", tensors, {"η": {"a": [1, None]}})
    with safe_open(tmp_path / "x", framework="numpy") as file:
        for name, tensor in tensors.items():
            assert np.array_equal(file.get_tensor(name), tensor)
        assert json.loads(file.metadata()["η"]) == {"a": [1, None]}
    found, metadata = read_tensors(tmp_path / "x", "model")
    assert metadata == {"η": {"a": [1, None]}}
    assert all(
        np.array_equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my run", "my run"),
        ("  a \t b\n", "a b"),
        ("../../x", "_.._x"),
        ("a/b\\c", "a_b_c"),
        (".hidden", "hidden"),
        ("ä" * 150, "ä" * 100),
        ("lr=0.1,bs@32+x-y", "lr=0.1,bs@32+x-y"),
        ("..", ""),
    ],
)
def test_a_name_as_that_of_one_folder(name, folder):
    assert as_folder(name) == folder
