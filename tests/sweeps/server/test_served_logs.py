"""Files of lines by offset, against a list."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muslin.sweeps.server.logs import LineFile, flat, rows

WRITES = st.lists(st.tuples(st.integers(0, 12), st.lists(st.text("ab é", max_size=5), max_size=4)), max_size=8)


@given(writes=WRITES, again=st.booleans())
def test_it_is_a_list_whose_tail_is_replaced(writes, again, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "file"
    model, file = [], LineFile(path)
    for offset, lines in writes:
        file = LineFile(path) if again else file
        file.write(offset, lines)
        model = [*model[:offset], *[""] * max(0, offset - len(model)), *lines]
        assert file.lines() == len(model)
    if writes:
        assert path.read_text(encoding="utf-8").split("\n") == [*model, ""]
        assert file.tail(3) == model[-3:]


def test_a_torn_line_is_cut_off_and_sent_again(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    file = LineFile(path)
    assert file.lines() == 2
    file.write(2, ['{"a": 3}'])
    assert list(rows(path)) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_the_tail_of_a_long_file(tmp_path):
    file = LineFile(tmp_path / "long")
    lines = [json.dumps({"n": n, "text": "x" * 100}) for n in range(3000)]
    file.write(0, lines)
    assert file.tail(1500) == lines[-1500:]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": {"b": {"c": 1}}, "d": 2}, {"a.b.c": 1, "d": 2}),
        ({"image": {"_type": "image-file", "path": "x"}}, {"image": {"_type": "image-file", "path": "x"}}),
    ],
)
def test_nested_keys_are_joined_by_points(row, expected):
    assert flat(row) == expected


def test_at_its_end_it_has_a_digest_until_it_goes_on(tmp_path):
    from muslin.files import read_json_lines

    file = LineFile(tmp_path / "history.jsonl")
    file.write(0, ['{"a": 1}', '{"a": 2}'])
    file.seal()
    assert b"muslin_digest" in file.path.read_bytes()
    assert read_json_lines(file.path) == [*rows(file.path)] == [{"a": 1}, {"a": 2}]
    assert file.tail(5) == ['{"a": 1}', '{"a": 2}']
    for again in (file, LineFile(file.path)):
        again.write(again.lines(), ['{"a": 3}'])
        assert b"muslin_digest" not in file.path.read_bytes()
        again.seal()
    assert [row["a"] for row in read_json_lines(file.path)] == [1, 2, 3, 3]
