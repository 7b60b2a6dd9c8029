"""YAML and JSON of strangers: the value, or one sentence at once."""

import os
import time

import pytest

from muslin import InputError
from muslin.documents import read_document


def bomb(levels, width=9):
    lines = ["a0: &a0 [" + "x, " * width + "]"]
    lines += [f"a{n}: &a{n} [" + f"*a{n - 1}, " * width + "]" for n in range(1, levels)]
    return "\n".join(lines)


def nested(levels):
    return "a: " + "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 1.5]\n", {"a": 1, "b": ["x", 1.5]}),
        ('{"lr": 1e-5}', {"lr": 1e-5}),  # YAML 1.1 would read a text
        ("\ufeffa: 1", {"a": 1}),
        ("", None),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        (nested(99), None),
    ],
)
def test_what_it_holds(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert read_document(tmp_path / "a.yaml") == value or value is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1\nb: 2", "a.yaml, line 2: not valid YAML or JSON."),
        ('a: !!bool "x"', "not valid YAML"),
        ('a: !!int ""', "not valid YAML"),
        ('a: !!timestamp "foo"', "not valid YAML"),
        ("a: !!float x", "not valid YAML"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("? [a]\n: 1", "not valid YAML"),
        ("a: " + "1" * 5000, "not valid YAML"),
        (nested(150), "nested deeper than 100 levels"),
        (nested(50_000), "not valid YAML"),
        ('{"a": ' + "[" * 100_000, "not valid YAML"),
        ("a: &a [*a]", "nested deeper than 100 levels"),
        ("a: &a {b: *a}", "nested deeper than 100 levels"),
        (bomb(6), "stands for 672,604 values"),
        (bomb(12), "at most 100,000 can be meant"),
        ("a" * (1 << 21), "has 2,097,152 bytes; a file has at most 1,048,576."),
    ],
)
def test_what_cannot_be_meant_is_one_short_sentence_at_once(tmp_path, text, sentence):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    started = time.perf_counter()
    with pytest.raises(InputError) as error:
        read_document(tmp_path / "a.yaml")
    assert sentence in str(error.value)
    assert len(str(error.value)) < 300
    assert time.perf_counter() - started < 10


def test_a_name_that_ends_in_json_is_json_alone(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1,\n b: 2}')
    with pytest.raises(InputError, match=r"a\.json, line 2: not valid"):
        read_document(tmp_path / "a.json")


def test_no_text_and_no_file(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xfe\xff")
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (("a", "not valid"), ("pipe", "not a regular file"), ("none", "There is no config file")):
        with pytest.raises(InputError, match=sentence):
            read_document(tmp_path / name, "config file")
