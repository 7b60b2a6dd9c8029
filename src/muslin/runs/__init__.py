"""A run: its settings, its directory, its training."""

from muslin.runs.directory import Run, create, default_name, evaluate_test, need_test, split, test_figures, train

__all__ = ["Run", "create", "default_name", "evaluate_test", "need_test", "split", "test_figures", "train"]
