"""Runs side by side: their curves, and McNemar's test of each pair on the test set."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from muslin.evidence import FEW, holm, mcnemar
from muslin.runs import Run
from muslin.training import evaluate

#: p below which a difference is called clear; below which its digits say nothing more
LEVEL, TINY = 0.05, 0.0001
#: columns of a history that are no curves of how good a run is
ASIDE = ("epoch", "step", "learning_rate", "seconds", "samples_per_second")
METHOD = (
    f"McNemar's test on the samples that only one of the two has right: exact binomial below {FEW} of them, else "
    "chi-squared with continuity correction (McNemar 1947, Dietterich 1998). It tells whether these two networks "
    "differ, not whether they would with another seed."
)


def labels(paths: Sequence[Path]) -> dict[str, str]:
    """{path: name}: a run's folder, or the whole path where another run has a folder of that name."""
    names = Counter(Path(path).name for path in paths)
    return {str(path): Path(path).name if names[Path(path).name] == 1 else str(path) for path in paths}


def pairwise(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """McNemar's test for each pair of the finished runs that were trained on the same data: a list of

    {"a", "b" paths, "samples", "only_a", "only_b" right, "p", "exact", "p_holm" (of all pairs together), "sentence"}.
    Raises InputError where a data set or model is gone.
    """
    groups: dict[str, list[Run]] = {}
    names = labels(paths)
    for path in names:
        if (key := _data_key(path)) is not None:
            groups.setdefault(key, []).append(Run(Path(path)))
    pairs = [pair for runs in groups.values() if len(runs) > 1 for pair in _pairs(runs)]
    adjusted = holm([pair["p"] for pair in pairs])
    pairs = [pair | {"p_holm": p} for pair, p in zip(pairs, adjusted, strict=True)]
    return [pair | {"sentence": _sentence(pair, names, len(pairs))} for pair in pairs]


def _data_key(path):
    """Runs with the same key have the same test set; None for a run that is not finished, or not ours."""
    run = Run(Path(path))
    if not run.finished or not run.ours:
        return None
    return json.dumps(run.config["data_checksums"] or run.config.get("dataset"), sort_keys=True)


def _pairs(runs):
    data = runs[0].dataset()
    if data.X_test is None or data.target != "class":
        return []  # of numbers none is right or wrong
    right = [evaluate(run.model_for(data), data.X_test, data.y_test)[2] == data.y_test for run in runs]
    tests = [(a, b, mcnemar(right[a], right[b])) for a, b in combinations(range(len(runs)), 2)]
    return [
        {
            "a": str(runs[a].path),
            "b": str(runs[b].path),
            "samples": len(data.y_test),
            "only_a": test.b,
            "only_b": test.c,
            "p": test.p,
            "exact": test.exact,
        }
        for a, b, test in tests
    ]


def _sentence(pair, names, tests):
    """What a test found, in words; of several tests by Holm's adjusted p."""
    a, b = names[pair["a"]], names[pair["b"]]
    better = a if pair["only_a"] > pair["only_b"] else b
    verdict = f"{better} is better" if pair["p_holm"] < LEVEL else "no clear difference"
    sign = "" if pair["p_holm"] < TINY else "= "
    adjusted = f" after Holm's correction for {tests} tests" if tests > 1 else ""
    return (
        f"{a} is right where {b} is wrong {pair['only_a']} times, the other way {pair['only_b']} times: "
        f"p {sign}{p_text(pair['p_holm'])}{adjusted}, {verdict}."
    )


def p_text(p: float) -> str:
    return f"< {TINY:g}" if p < TINY else f"{p:.2g}"


def histories(paths: Sequence[Path]) -> dict[str, Any]:
    """{path: history} of the runs that have one."""
    return {str(path): rows for path in paths if (rows := Run(Path(path)).history_so_far)}


def series(histories: Any, most: int = 6) -> dict[str, Any]:
    """{"loss": {path: {"loss": (epochs, values), "val_loss": …}}, …}: validation stands with training."""
    keys = dict.fromkeys(key for rows in histories.values() for row in rows for key, v in row.items() if _number(v))
    groups = dict.fromkeys(key.removeprefix("val_") for key in keys if key not in ASIDE)
    return {
        group: {
            path: {key: _line(rows, key) for key in (group, f"val_{group}") if any(key in row for row in rows)}
            for path, rows in histories.items()
        }
        for group in [*groups][:most]
    }


def _line(rows, key):
    return [row.get("epoch", i) for i, row in enumerate(rows, 1)], [row.get(key) for row in rows]


def _number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
