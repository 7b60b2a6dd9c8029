"""W&B's early_terminate: bands, hand-worked cases, and its own code on random histories."""

import json
import math
import runpy
from pathlib import Path

import pytest

from muslin.sweeps.file.hyperband import Hyperband, stops

REFERENCES = Path(__file__).parents[1] / "references"
RECORD = json.loads((REFERENCES / "sweeps.json").read_text(encoding="utf-8"))["stopped"]
MAKE = runpy.run_path(str(REFERENCES / "make.py"))


@pytest.mark.parametrize(
    ("rule", "iterations", "expected"),
    [
        (Hyperband(min_iter=3), 100, [3, 9, 27, 81]),  # W&B's documentation
        (Hyperband(min_iter=3), 2, []),
        (Hyperband(min_iter=3), 3, [3]),
        (Hyperband(min_iter=3), 27, [3, 9, 27]),
        (Hyperband(min_iter=3), 26, [3, 9]),
        (Hyperband(min_iter=1, eta=2), 20, [1, 2, 4, 8, 16]),
        (Hyperband(min_iter=2, eta=1.5), 12, [2, 3, 4, 6, 10]),  # 2, 3, 4.5, 6.75, 10.1
        (Hyperband(min_iter=10, eta=1.01), 11, [10, 11]),
        (Hyperband(max_iter=27, s=2), 100, [3, 9]),  # W&B's documentation
        (Hyperband(max_iter=27, s=2), 8, [3]),
        (Hyperband(max_iter=81, s=3), 100, [3, 9, 27]),
        (Hyperband(max_iter=18, s=2), 100, [2, 6]),
        (Hyperband(max_iter=9, s=5), 100, [1, 3]),  # 9 / 27 is below 1
        (Hyperband(max_iter=5, s=2, eta=2), 100, [1, 2]),  # 2.5 and 1.25
        (Hyperband(min_iter=4, max_iter=27, s=2), 100, [3, 9]),  # both: max_iter counts
        (Hyperband(min_iter=4, max_iter=27), 50, [4, 12, 36]),  # no s: min_iter counts
        (Hyperband(min_iter=1, eta=1 + 1e-9), 10**6, [1]),  # soon done, though the bands would be billions
    ],
)
def test_bands(rule, iterations, expected):
    assert rule.bands(iterations) == expected


THREE = Hyperband(min_iter=2, eta=3)  # bands 2, 6, 18
HALF = Hyperband(min_iter=2, eta=2)  # bands 2, 4, 8


@pytest.mark.parametrize(
    ("history", "others", "rule", "goal", "expected"),
    [
        # alone: the threshold is its own value
        ([0.9, 0.8], [], THREE, "minimize", False),
        # no band yet, however bad
        ([9.0], [[0.1, 0.1]] * 5, THREE, "minimize", False),
        # two runs, η = 3: place ⌊2/3⌋ = 0 is the better one
        ([0.9, 0.8], [[0.9, 0.7]], THREE, "minimize", True),
        ([0.9, 0.7], [[0.9, 0.8]], THREE, "minimize", False),
        # a tie survives
        ([0.9, 0.7], [[0.5, 0.7]], THREE, "minimize", False),
        # three runs, η = 3: place ⌊3/3⌋ = 1 is the second of 0.5 0.6 0.7
        ([1.0, 0.6], [[1.0, 0.5], [1.0, 0.7]], THREE, "minimize", False),
        ([1.0, 0.7], [[1.0, 0.5], [1.0, 0.6]], THREE, "minimize", True),
        # five runs, η = 3: place ⌊5/3⌋ = 1;  η = 2: place ⌊5/2⌋ = 2;  the run is the third of 0.1 … 0.5
        ([1.0, 0.3], [[1.0, v] for v in (0.1, 0.2, 0.4, 0.5)], THREE, "minimize", True),
        ([1.0, 0.3], [[1.0, v] for v in (0.1, 0.2, 0.4, 0.5)], HALF, "minimize", False),
        # the value at the band counts, not the latest: 0.9 at 2, though 0.1 at 3
        ([1.0, 0.9, 0.1], [[1.0, 0.5]], THREE, "minimize", True),
        # not strict: its best so far counts, 0.1
        ([1.0, 0.9, 0.1], [[1.0, 0.5]], Hyperband(min_iter=2, strict=False), "minimize", False),
        ([0.4, 0.9, 0.8], [[1.0, 0.5]], Hyperband(min_iter=2, strict=False), "minimize", False),
        ([0.6, 0.9, 0.8], [[1.0, 0.5]], Hyperband(min_iter=2, strict=False), "minimize", True),
        # the largest band reached counts: worst at 2, best at 4
        ([1.0, 0.9, 0.9, 0.1], [[1.0, 0.5, 0.5, 0.4]], HALF, "minimize", False),
        ([1.0, 0.1, 0.1, 0.9], [[1.0, 0.5, 0.5, 0.4]] * 2, HALF, "minimize", True),
        # runs that did not get so far do not count at that band: place ⌊2/2⌋ = 1 of 0.4 0.9
        ([1.0, 0.5, 0.5, 0.9], [[1.0, 0.1, 0.1], [1.0, 0.4, 0.4, 0.4]], HALF, "minimize", False),
        # maximize: mirrored
        ([0.1, 0.6], [[0.1, 0.7]], THREE, "maximize", True),
        ([0.1, 0.7], [[0.1, 0.6]], THREE, "maximize", False),
        ([0.1, 0.7], [[0.1, 0.7]], THREE, "maximize", False),
        ([0.1, 0.6, 0.9], [[0.1, 0.7]], Hyperband(min_iter=2, strict=False), "maximize", False),
        # what is not finite is no iteration: with it the band would be reached
        ([1.0, math.nan, math.inf], [[0.1, 0.1]] * 5, THREE, "minimize", False),
        ([1.0, math.nan, 0.9], [[0.1, 0.1]] * 5, THREE, "minimize", True),
        ([1.0, 0.9], [[0.1, math.nan]] * 5, THREE, "minimize", False),
    ],
)
def test_hand_worked(history, others, rule, goal, expected):
    for histories in ([history, *others], [*others, history]):
        assert bool(stops(history, histories, rule, goal)) is expected


def test_the_reason_says_what_was_compared():
    histories = [[0.1, 0.6], [0.1, 0.75], [0.1, 0.7]]
    reason = "hyperband: 0.6 at iteration 2 is below 0.7, the threshold of 3 runs"
    assert stops(histories[0], histories, THREE, "maximize") == reason
    reason = "hyperband: 0.75 at iteration 2 is above 0.7, the threshold of 3 runs"
    assert stops(histories[1], histories, THREE, "minimize") == reason


@pytest.mark.parametrize("name", MAKE["RULES"])
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_the_runs_that_wandb_stops(name, goal):
    rule = Hyperband(**MAKE["RULES"][name], strict=False)
    found = []
    for seed in MAKE["SEEDS"]:
        runs = MAKE["histories"](seed)
        found.append([i for i, history in enumerate(runs) if stops(history, runs, rule, goal)])
    assert found == RECORD[f"{name}, {goal}"]
    assert any(found)
