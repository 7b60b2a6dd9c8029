"""Schedules: values worked out by hand, and PyTorch's."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from muslin.schedules import SCHEDULES, warm_up

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "references.json").read_text(encoding="utf-8"))["schedules"]
MAKE = runpy.run_path(str(REFERENCES / "make.py"))

#: name → {epoch of 10: factor}
BY_HAND = {
    "constant": {0: 1, 3.5: 1, 10: 1},
    "step": {0: 1, 4.9: 1, 5: 0.1, 7.4: 0.1, 7.5: 0.01, 10: 0.01},
    "cosine": {0: 1, 2.5: 0.5 + 0.125**0.5, 5: 0.5, 7.5: 0.5 - 0.125**0.5, 10: 0},
    "linear": {0: 1, 2.5: 0.75, 9: 0.1, 10: 0},
    "one_cycle": {0: 0.04, 1.5: 0.52, 3: 1, 6.5: 0.500002, 10: 4e-6},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_values_by_hand(name):
    for epoch, factor in BY_HAND[name].items():
        assert SCHEDULES[name](epoch, 10) == pytest.approx(factor, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_only_the_share_of_the_epochs_counts(name):
    for p in (0.0, 0.1, 0.3, 0.6, 0.9, 1.0):
        assert SCHEDULES[name](p * 16, 16) == pytest.approx(SCHEDULES[name](p * 4, 4), rel=1e-9, abs=1e-15)


def test_cosine_is_torchs():
    found = [SCHEDULES["cosine"](e, MAKE["EPOCHS"]) for e in range(MAKE["EPOCHS"] + 1)]
    np.testing.assert_allclose(found, RECORD["cosine"], rtol=0, atol=1e-14)


def test_one_cycle_is_torchs():
    """PyTorch's two phases end at the steps 0.3 N − 1 and N − 1, the formula's at 30 and at 100 percent."""
    steps, top, end = np.arange(MAKE["TOTAL"]), 0.3 * MAKE["TOTAL"] - 1, MAKE["TOTAL"] - 1
    shares = np.where(steps < top, 0.3 * steps / top, 0.3 + 0.7 * (steps - top) / (end - top))
    found = [SCHEDULES["one_cycle"](p, 1.0) for p in shares]
    np.testing.assert_allclose(found, RECORD["one_cycle"], rtol=0, atol=1e-14)


def test_warm_up_rises_in_a_straight_line_then_moves_the_schedule():
    warmed = warm_up(SCHEDULES["cosine"], 2)
    assert [warmed(e, 10) for e in (0, 0.5, 1, 2)] == [0, 0.25, 0.5, 1]
    assert [warmed(e, 10) for e in (4, 6, 10)] == pytest.approx([0.5 + 0.125**0.5, 0.5, 0])


def test_no_warm_up_is_the_schedule_itself():
    assert warm_up(SCHEDULES["step"], 0) is SCHEDULES["step"]
