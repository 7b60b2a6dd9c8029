"""Filters and orders of runs, as MongoDB's manual and W&B's describe them."""

import pytest

from muslin.sweeps.server.filters import ordered, passes

RUN = {
    "state": "finished",
    "config.lr": 0.1,
    "summary_metrics.loss": 2.0,
    "tags": ["a", "b"],
    "display_name": "brisk-hem-1",
}
RUN |= {"missing": None}


class Run(dict):
    def __missing__(self, key):
        return None


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [
        ({}, True),
        ({"state": "finished"}, True),
        ({"state": {"$ne": "finished"}}, False),
        ({"config.lr": {"$gte": 0.1, "$lt": 0.2}}, True),
        ({"config.lr": {"$gt": 0.1}}, False),
        ({"config.lr": {"$gt": "text"}}, False),
        ({"absent": {"$gt": 0}}, False),
        ({"tags": "a"}, True),
        ({"tags": {"$in": ["b", "z"]}}, True),
        ({"tags": {"$nin": ["b"]}}, False),
        ({"absent": {"$exists": True}}, False),
        ({"display_name": {"$regex": "^brisk"}}, True),
        ({"display_name": {"$regex": "("}}, False),
        ({"$or": [{"state": "failed"}, {"config.lr": 0.1}]}, True),
        ({"$and": [{"state": "finished"}, {"config.lr": 0.2}]}, False),
        ({"$nor": [{"state": "failed"}]}, True),
        ({"$not": {"state": "failed"}}, True),
        ({"config.lr": {"$not": {"$gt": 0.05}}}, False),
        ({"$unknown": 1}, False),
        ({"state": {"$unknown": 1}}, False),
    ],
)
def test_passes(wanted, passed):
    assert passes(wanted, Run(RUN)) is passed


@pytest.mark.parametrize(
    ("order", "expected"),
    [("+loss", [1, 2, 3, "NaN", None]), ("-loss", [3, 2, 1, "NaN", None]), ("+group,-loss", [3, 1, "NaN", 2, None])],
)
def test_ordered(order, expected):
    found = [Run(loss=loss, group=group) for loss, group in ((2, "b"), ("NaN", "a"), (1, "a"), (None, "b"), (3, "a"))]
    assert [run["loss"] for run, _ in ordered([(run, run) for run in found], order)] == expected
