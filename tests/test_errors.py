"""What messages show of a value: short, in one line, and nothing that a terminal would obey."""

import time

import numpy as np
import pytest

from muslin.errors import known, shown, visible

BOMB = ["x"]
for _ in range(40):
    BOMB = [BOMB] * 9  # 9⁴⁰ items


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("adam", "'adam'"),
        (None, "None"),
        (1.5, "1.5"),
        (True, "True"),
        ([1, "a"], "[1, 'a']"),
        ({"a": 1}, "{'a': 1}"),
        ("\x1b[31mred", r"'\x1b[31mred'"),
        (10**400, "a whole number of about 400 digits"),
        (-(10**400), "a whole number of about 400 digits"),
        (np.float32(2), repr(np.float32(2))),
    ],
)
def test_short_values_are_shown_as_they_are(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    "value",
    ["x" * 10**7, [1] * 10**6, BOMB, {"a": BOMB}, [10**100_000], {n: n for n in range(10**5)}, b"x" * 10**6],
    ids=["text", "list", "bomb", "bomb in a mapping", "number", "mapping", "bytes"],
)
def test_long_ones_are_cut_before_they_are_rendered(value):
    started = time.perf_counter()
    assert len(shown(value)) <= 100
    assert time.perf_counter() - started < 1


def test_a_long_unknown_name_is_cut_too():
    started = time.perf_counter()
    with pytest.raises(ValueError, match="Unknown optimizer 'a") as error:
        known({"adam": 1}, "optimizer", "adam\x1b" * 100_000)
    assert len(str(error.value)) < 250
    assert "\x1b" not in str(error.value)
    assert time.perf_counter() - started < 1


def test_nothing_steers_the_terminal():
    text = "".join(map(chr, range(0x2100))) + "\ud800\u2066"
    seen = visible(text)
    assert all(c.isprintable() or c in "\xa0\xad" or ord(c) > 0x300 for c in seen if not c.isspace())
    assert not any(c in seen for c in "\x1b\x07\x08\x7f\x85\x9b\u202e\u2028\u2066\ud800\n\r")
    assert visible("a\tb\nc", keep="\t\n") == "a\tb\nc"
    assert visible("Ωé\u200d👍") == "Ωé\u200d👍"
