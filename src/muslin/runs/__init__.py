"""A run: its settings, its directory, its training."""

from muslin.runs.directory import (
    Run,
    create,
    default_name,
    evaluate_test,
    figures_on,
    need_classes,
    need_test,
    prolong,
    split,
    successive,
    train,
)

__all__ = [
    "Run",
    "create",
    "default_name",
    "evaluate_test",
    "figures_on",
    "need_classes",
    "need_test",
    "prolong",
    "split",
    "successive",
    "train",
]
