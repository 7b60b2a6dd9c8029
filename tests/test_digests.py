"""The digest in every file: one changed bit anywhere, one byte more or less, and the file is called damaged."""

import hashlib
import json

import numpy as np
import pytest

from muslin import InputError, digests
from muslin.files import read_json, read_json_lines, read_tensors, write_json, write_json_lines, write_tensors

ROWS = [{"epoch": 1, "loss": 0.5, "name": "η"}, {"epoch": 2, "loss": 0.25}, {"epoch": 3, "loss": None}]
#: kind of file → (write, read, content)
KINDS = {
    "json": (write_json, read_json, {"a": [1.5, None, "η"], "b": {"deep": True}}),
    "lines": (write_json_lines, read_json_lines, ROWS),
    "tensors": (
        lambda path, content: write_tensors(path, {k: np.array(v) for k, v in content.items()}, {"muslin": {"n": 1}}),
        lambda path: {name: array.tolist() for name, array in read_tensors(path, "model file")[0].items()},
        {"w": [[0.1, 0.2], [0.3, 0.4]], "b": [1.0]},
    ),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    write, read, content = KINDS[request.param]
    path = tmp_path / "file"
    write(path, content)
    assert read(path) == content
    return path, read, content


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_any_flipped_bit_is_damage(kind, every):
    path, read, _ = kind
    data = path.read_bytes()
    for at in range(0, 8 * len(data), every):
        path.write_bytes(data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :])
        with pytest.raises(InputError, match=r"file is damaged: its content is not what its digest stands for"):
            read(path)


def test_a_file_cut_anywhere_is_no_shorter_file(kind):
    path, read, _ = kind
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            read(path)
    path.write_bytes(data + b" ")
    with pytest.raises(InputError, match="damaged"):
        read(path)


def test_the_digest_is_sha256_of_the_bytes_with_zeros_in_its_place(kind):
    data = kind[0].read_bytes()
    found = digests.PLACE.search(data)[1]
    zeros = data.replace(found, b"0" * 64)
    assert hashlib.sha256(zeros).hexdigest().encode() == found


def test_a_digest_further_in_is_content_like_any_other(tmp_path):
    inner = {"muslin_digest": "muslin-sha256:" + "1" * 64}
    write_json(tmp_path / "a", {"config": inner})
    assert read_json(tmp_path / "a") == {"config": inner}


@pytest.mark.parametrize("read", [read_json, read_json_lines])
def test_a_file_of_an_older_version_is_read_with_a_word(read, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(digests, "OLD", [])
    (tmp_path / "old").write_text(json.dumps({"epoch": 1}))
    for _ in range(2):
        assert read(tmp_path / "old") in ({"epoch": 1}, [{"epoch": 1}])
    assert capsys.readouterr().err.count("old has no digest, as of an older version") == 1


def test_a_model_of_an_older_version_is_read_with_a_word(tmp_path, capsys, monkeypatch):
    from safetensors.numpy import save_file

    monkeypatch.setattr(digests, "OLD", [])
    save_file({"x": np.arange(3.0)}, tmp_path / "old", {"muslin": "{}"})
    assert read_tensors(tmp_path / "old", "model file")[0]["x"].tolist() == [0, 1, 2]
    assert "old has no digest" in capsys.readouterr().err


def test_a_digest_may_be_taken_out_by_hand(tmp_path):
    write_json(tmp_path / "a", {"name": "old"})
    value = json.loads((tmp_path / "a").read_text())
    (tmp_path / "a").write_text(json.dumps(value | {"name": "new"}))
    with pytest.raises(InputError, match=r"on purpose, take the entry muslin_digest out of it"):
        read_json(tmp_path / "a")
    del value["muslin_digest"]
    (tmp_path / "a").write_text(json.dumps(value | {"name": "new"}))
    assert read_json(tmp_path / "a") == {"name": "new"}
