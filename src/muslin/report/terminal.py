"""A run or a sweep as text, for a terminal. Charts are drawn by plotext: data in, a text of ``width`` × ``height`` out,
its colors as ANSI sequences."""

from typing import Any

from muslin.errors import InputError
from muslin.report.style import TRAINING, VALIDATION
from muslin.training.metrics import epoch_line as epoch
from muslin.training.metrics import numbers

__all__ = ["best_so_far", "curves", "epoch"]

#: of more values, some have no cross: they would hide each other
CROSSES = 16


def curves(history: Any, width: int, height: int) -> Any:
    """A chart of the loss and one of the accuracy in every epoch; of a program's run, one of the first two figures that
    it logged. Training is a line, validation crosses."""
    names = [key for key in ("loss", "accuracy") if history and key in history[0]]
    return [
        _chart(key, _points(history, key), _points(history, f"val_{key}"), width, height)
        for key in names or numbers(history[0] if history else {})[:2]
    ]


def best_so_far(values: Any, best: Any, name: str, width: int, height: int) -> Any:
    """A chart of a sweep: the value of each trial, and the best up to it.  values, best: [(number, value)]"""
    return _chart(name, best, values, width, height, ("best so far", "trial"))


def _points(history, name):
    """[(epoch, value)] where there is a value: a NaN is null in history.jsonl."""
    return [(n, row[name]) for n, row in enumerate(history, 1) if isinstance(row.get(name), int | float)]


def _chart(title, line, crosses, width, height, kinds=("training", "validation")):
    plot = _plotext()
    plot.clear_figure()
    plot.limit_size(False, False)
    plot.plotsize(width, height)
    plot.theme("clear")
    plot.title(f"{title}: ─ {kinds[0]}, x {kinds[1]}" if crosses else title)
    if line:
        plot.plot(*zip(*line, strict=True), marker="braille", color=_rgb(TRAINING))
    if crosses:
        step = -(-len(crosses) // CROSSES)
        plot.scatter(*zip(*crosses[::-step], strict=True), marker="x", color=_rgb(VALIDATION))
    if points := line + crosses:
        numbers, values = zip(*points, strict=True)
        plot.xticks(*_ticks(min(numbers), max(numbers), round, str))
        plot.yticks(*_ticks(min(values), max(values), float, "{:.3f}".format))
    return plot.build().rstrip("\n")


def _ticks(low, high, kind, form):
    """(up to five places from low to high, their names)"""
    places = sorted({kind(low + part * (high - low) / 4) for part in range(5)})
    return places, [form(place) for place in places]


def _rgb(color):
    return tuple(bytes.fromhex(color.removeprefix("#")))


def _plotext():
    try:
        import plotext
    except ImportError as error:
        raise InputError("Curves on a terminal need plotext: pip install 'muslin[report]'") from error
    return plotext
