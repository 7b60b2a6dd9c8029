"""muslin bench."""

import json

import pytest

SMALL = ("--inputs", 20, "--classes", 3, "--hidden-size", 8, "--rounds", 2)


def test_json_has_a_row_for_each_number_of_threads(muslin):
    found = json.loads(muslin("bench", *SMALL, "--threads", 1, "--json").out)
    (row,) = found["rows"]
    assert row["threads"] == 1
    assert row["samples_per_second"] == pytest.approx(32 / row["step"])
    assert found["share_of_limit"] == pytest.approx(row["limit"] / row["step"])


def test_what_a_person_reads(muslin):
    code, said, _ = muslin("bench", *SMALL)
    assert code == 0
    assert "20-8-8-8-3, sigmoid" in said
    assert "µs a step" in said


def test_why_steps_are_not_played_from_tape(muslin):
    said = muslin("bench", *SMALL, "--engine", "numpy").out
    assert "not played from tape: " in said
    assert "numpy engine" in said
    (row,) = json.loads(muslin("bench", *SMALL, "--engine", "numpy", "--threads", 1, "--json").out)["rows"]
    assert row["engine_note"]


def test_settings_that_time_nothing_are_refused(muslin):
    code, _, said = muslin("bench", "--epochs", 3, "--dataset", "digits")
    assert code == 2
    assert "leave out dataset, epochs" in said
