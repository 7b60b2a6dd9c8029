"""The report of a run: one page that shows everything its directory tells, and the pictures as PNG files too.

What a run has not, or not yet, is left out, with a sentence in its place.
"""

import json
import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.files import damaged, output_folder, read_tensors
from muslin.network import FeedForwardNeuralNetwork
from muslin.report import plots, tabular, tabular_parts
from muslin.report.pages import charts, images, render
from muslin.report.pages.drawing import drawing
from muslin.runs import Run, directory
from muslin.runs.settings import Settings
from muslin.training.metrics import calibration

#: mistakes, units of the first layer, and images of one cell of the confusion matrix that are shown
MISTAKES, UNITS, CELL = 24, 64, 12
#: about how many pixels all the images of the confusion matrix have together
PIXELS = 1_200_000


def write(run: Run, path: Path | None = None) -> dict[str, Any]:
    """Write the page (to report.html in the run directory, or to ``path``) and, into the run directory, the pictures.

    Returns {"report": path, "pictures": [path], "left_out": [a sentence for each thing that the run has not]}.
    Raises InputError where there is no run.
    """
    path = path or output_folder(run.path) / "report.html"
    facts = Facts(run)
    render("run.html", path, **contents(facts))
    return {"report": path, "pictures": pictures(facts), "left_out": list(facts.missing.values())}


class Facts:
    """All that a report needs to know of a run. What cannot be had is None or empty, and ``missing`` says why.

    network        the trained one, or that of the last checkpoint
    probabilities  of the classes (columns) for each of the test samples; ``mistakes`` has the rows of those that are
                   taken for another class, the most confident first
    """

    def __init__(self, run: Run):
        self.run, self.config = run, run.config
        self.missing: dict[str, str] = {}
        self.settings = {name: self.config[name] for name in Settings.model_fields if name in self.config}
        self.history = run.history_so_far
        self.summary = run.summary if run.finished else {}
        self.network = self._had("network", lambda: run.network if run.finished else _checkpointed(run))
        self.data = self._had("data", run.dataset)
        self.probabilities = self._had("test", self._tested)
        self.table = self._had("table", lambda: run.table)
        self.importance = self._had("importance", self._importance)
        self.calibration = self._had("calibration", self._calibration)
        self.residuals = self._had("residuals", self._residuals)

    def _had(self, what, get):
        try:
            return get()
        except InputError as error:
            self.missing[what] = str(error)
            return None

    def _tested(self):
        if "test_loss" not in self.run.summary:
            line = shlex.join(["muslin", "evaluate", str(self.run.path)])
            raise InputError(f"It has not been measured on the test set; to do that: {line}")
        if self.data is None or self.data.X_test is None or self.data.target != "class":
            return None
        return self._fitting.predict_proba(self.data.X_test)

    @cached_property
    def _fitting(self):
        """The trained network. Raises InputError where it does not fit the data set."""
        return self.run.model_for(self.data)

    @property
    def _of_rows(self):
        """Whether there are samples that are no pictures, and a network that is done."""
        return self.data is not None and not self.data.image_shape and self.run.finished

    def _importance(self):
        if not self._of_rows or self.table is None:
            return None
        X, y = (part[self._validation] for part in (self.data.X_train, self.data.y_train))
        return tabular.importance(self._fitting, self.table.preparation, X, y)

    def _calibration(self):
        if self.data is None or not self.run.finished or self.data.target != "class" or self._judged is None:
            return None
        which, X, y = self._judged
        return {"which": which, **calibration(self._fitting.predict_proba(X), y)}

    def _residuals(self):
        if not self._of_rows or self.data.target != "numbers" or self._judged is None:
            return None
        (which, X, true), target = self._judged, self.table and self.table.target
        predicted = self._fitting.respond(X)
        if target:
            predicted, true = target.decode(predicted), target.decode(true)
        names = [target.name] if target else [f"output {k}" for k in range(1, true.shape[1] + 1)]
        return {"which": which, **tabular.residuals(predicted, true, names)}

    @cached_property
    def _validation(self):
        """The rows of the validation samples."""
        return directory.split(self.run.settings, self.data)[1]

    @cached_property
    def _judged(self):
        """(what they are, inputs, targets) of the test samples if they were looked at, else of those of validation."""
        rows = self._validation
        if "test_loss" in self.summary and self.data.X_test is not None:
            return "test", self.data.X_test, self.data.y_test
        return ("validation", self.data.X_train[rows], self.data.y_train[rows]) if len(rows) else None

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @property
    def mistakes(self) -> np.ndarray:
        wrong = np.flatnonzero(self.predicted != self.data.y_test)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")]

    @property
    def class_names(self) -> Sequence[str]:
        """Of the data set, or as the test figures have them."""
        if self.data is not None:
            return self.data.class_names
        return [row["class"] for row in self.summary.get("per_class", ())]

    @property
    def image_shape(self) -> tuple[int, int] | None:
        return None if self.data is None else self.data.image_shape


def _checkpointed(run):
    """The network as it is in the checkpoint. Raises InputError where there is none."""
    tensors, metadata = read_tensors(run.checkpoint, "checkpoint")
    try:
        network = FeedForwardNeuralNetwork(**metadata["network"])
        network.theta[...] = tensors["theta"]
        if (running := network.parameters.running).size:
            running[...] = tensors["running"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(damaged(run.checkpoint, "checkpoint")) from error
    return network


#: part of the page (templates/run/*.html) → its title
PARTS = {
    "network": "Network",
    "training": "Training",
    "columns": "Columns",
    "test": "Test",
    "calibration": "How far its probabilities can be believed",
    "residuals": "How far its numbers are off",
    "mistakes": "The most confident mistakes",
    "settings": "Settings",
    "reproduce": "Reproduce",
}


def contents(facts: Any) -> dict[str, Any]:
    """What the template run.html is given."""
    tests = _tests(facts) if facts.probabilities is not None and facts.image_shape else None
    own = {"mistakes": tests, "training": not facts.run.members} | tabular_parts.of(facts)
    return own | {
        "name": facts.config["name"],
        "intro": _intro(facts),
        "unfinished": None if facts.summary else f"{_epochs(len(facts.history))} done; to go on with the run:",
        "resume": facts.run.resume_line,
        "tiles": _tiles(facts),
        "parts": {id: title for id, title in PARTS.items() if own.get(id, True)},
        "missing": {"data": None, "test": None, "importance": None} | facts.missing,
        "members": [(member["run"], str(member["views"])) for member in facts.run.members],
        "layers": _layers(facts.network) if facts.network else [],
        "drawing": facts.network and drawing(facts.network),
        "units": _units(facts) if facts.network and facts.image_shape else None,
        "charts": _charts(facts.history),
        "epochs": _table(facts.history),
        "names": facts.class_names,
        "classes": facts.summary.get("per_class"),
        "test_figures": _test_figures(facts),
        "matrix": _matrix(facts),
        "alarming": plots.ALARMING,
        "tests": tests,
        "settings": _settings(facts.settings),
        "command": ensemble_line(facts) if facts.run.members else command_line(facts.settings),
        "versions": _versions(facts.config),
        "checksums": list(facts.config["data_checksums"].items()),
    }


def _intro(facts):
    s = facts.settings
    if facts.run.members:
        return f"the mean of {len(facts.run.members)} networks, trained on {s['dataset']}"
    units = "-".join(map(str, facts.network.sizes)) + " units, " if facts.network else ""
    return f"{units}{s.get('activation')}, trained on {s.get('dataset')} with {s.get('optimizer')}"


def _epochs(n):
    return f"{n} epoch{'s' * (n != 1)}"


def _tiles(facts):
    """[(title, figure, what goes with it)] of the figures that a reader looks for first."""
    summary = facts.summary
    last = summary or (facts.history[-1] if facts.history else {})
    tiles = [
        (f"{title} accuracy", _figure(f"{kind}accuracy", last), f"loss {_figure(f'{kind}loss', last)}")
        for title, kind in (("test", "test_"), ("validation", "val_"), ("training", ""))
        if f"{kind}accuracy" in last
    ]
    tiles += [
        (f"{title} R²", _figure(f"{kind}r2", last), f"root mean square error {_figure(f'{kind}rmse', last)}")
        for title, kind in (("test", "test_"), ("validation", "val_"))
        if f"{kind}r2" in last
    ]
    if facts.network:
        tiles.append(("parameters", f"{facts.network.theta.size:,}", f"{facts.network.L} layers of weights"))
    elif facts.run.members:
        parameters = f"{summary['parameters']:,}" if summary else "–"
        tiles.append(("parameters", parameters, f"{len(facts.run.members)} networks"))
    if "seconds" in summary:
        speed = f"{summary['samples_per_second']:,.0f} samples/s"
        tiles.append(("time", f"{summary['seconds']:,.1f} s", f"{_epochs(summary['epochs'])}, {speed}"))
    return tiles


#: figure of the test of numbers or labels → its name
TEST_FIGURES = {
    "test_r2": "R²",
    "test_mae": "mean absolute error",
    "test_rmse": "root mean square error",
    "test_accuracy": "accuracy (all labels right)",
    "test_f1": "F1",
}


def _test_figures(facts):
    """[(name, figure)] of a test that has no classes."""
    if "confusion_matrix" in facts.summary:
        return []
    return [(name, _figure(key, facts.summary)) for key, name in TEST_FIGURES.items() if key in facts.summary]


def _layers(network):
    """A row of texts for each layer, the inputs first: name, units, size of its weights, parameters."""
    rows = [("input", f"{network.sizes[0]:,}", "", "")]
    for k, W in network.weights.items():
        name = f"output, {network.output}" if k == network.L else f"hidden {k}, {network.activation}"
        rows.append((name, f"{len(W):,}", "{:,} × {:,}".format(*W.shape), f"{W.size + len(W):,}"))
    return rows


def _units(facts):
    """The weights of the first layer's units as images."""
    W = facts.network.weights[1]
    units = plots.strongest(W, UNITS)
    pixels = plots.in_color(W[units]).reshape(-1, *facts.image_shape, 3)
    some = f"the {len(units)} units (of {len(W)}) with the largest ones"
    which = some if len(units) < len(W) else f"all {len(W)} units"
    return {"sprite": images.sprite(pixels), "numbers": (units + 1).tolist(), "which": which}


def _charts(history):
    """[(id, title, figure)] of what was recorded in every epoch."""
    drawn = {
        "loss": ("Loss", charts.curve, "loss"),
        "accuracy": ("Accuracy", charts.curve, "accuracy"),
        "r2": ("R²", charts.curve, "r2"),
        "learning_rate": ("Learning rate", charts.learning_rate),
        "gradient_norms": ("Norms of the gradients", charts.gradient_norms),
        "dead_units": ("Dead units", charts.dead_units),
    }
    if history and not plots.varies(history):
        del drawn["learning_rate"]
    first = history[0] if history else {}
    present = {key: row for key, row in drawn.items() if first.get(key, first.get(f"val_{key}")) not in (None, [])}
    return [(key, title, draw(history, *names)) for key, (title, draw, *names) in present.items()]


#: figure → how it is written; all others with four digits
FORMS = (
    dict.fromkeys(("accuracy", "val_accuracy", "test_accuracy"), "{:.2%}")
    | dict.fromkeys(("loss", "val_loss", "test_loss"), "{:.4f}")
    | {"epoch": "{:d}", "samples_per_second": "{:,.0f}"}
)


def _table(history):
    """{"head", "rows"}: the figures of every epoch as texts; a list has a column for each layer."""
    rows = [{k: v for key, value in row.items() for k, v in _flat(key, value)} for row in history]
    head = list(rows[0]) if rows else []
    texts = [[_figure(key, row) for key in head] for row in rows]
    return {"head": [key.replace("_", " ") for key in head], "rows": texts}


def _figure(key, figures):
    value = figures.get(key)
    if isinstance(value, int | float):
        return FORMS.get(key, "{:.4g}").format(value)
    return "–" if value is None else str(value)  # of a callback of the user's own


def _flat(key, value):
    return [(f"{key}, {k}", v) for k, v in enumerate(value, 1)] if isinstance(value, list) else [(key, value)]


def _matrix(facts):
    """The cells of the confusion matrix, [true][predicted]; None where there is none, or no room for it."""
    counts, names = facts.summary.get("confusion_matrix"), facts.class_names
    if not counts or len(counts) > plots.LEGIBLE or len(counts) != len(names):
        return None
    shade = plots.heat(counts)

    def cell(t, p, n):
        what = ", right" if t == p else f" taken for {names[p]}"
        return {"count": n, "heat": round(float(shade[t, p]), 3), "label": f"{names[t]}{what}: {n:,}"}

    return [[cell(t, p, n) for p, n in enumerate(row)] for t, row in enumerate(counts)]


def _tests(facts):
    """The images of the mistakes and of the cells of the confusion matrix.

    {"sprite", "names", "mistakes": [sample], "cells": {"true,predicted": [sample]}}, where a sample is
    {"at": its place in the sprite, "row" of the test set, "true", "predicted", "probability", "of_true"}.
    """
    data, predicted, cells = facts.data, facts.predicted, {}
    for row in np.argsort(-facts.probabilities.max(axis=1), kind="stable").tolist():
        cells.setdefault(f"{data.y_test[row]},{predicted[row]}", []).append(row)
    most = int(np.clip(PIXELS // (data.X_test.shape[1] * len(cells)), 1, CELL))
    mistakes = facts.mistakes[:MISTAKES].tolist()
    shown = list(dict.fromkeys(mistakes + [row for rows in cells.values() for row in rows[:most]]))
    samples = {row: _sample(facts, row) | {"at": at} for at, row in enumerate(shown)}
    pixels = images.to_bytes(data.X_test[shown]).reshape(-1, *data.image_shape)
    return {
        "sprite": images.sprite(pixels, 84),
        "names": facts.class_names,
        "mistakes": [samples[row] for row in mistakes],
        "cells": {cell: [samples[row] for row in rows[:most]] for cell, rows in cells.items()},
    }


def _sample(facts, row):
    t, probabilities = int(facts.data.y_test[row]), facts.probabilities[row]
    p = int(probabilities.argmax())
    shares = {"probability": round(float(probabilities[p]), 6), "of_true": round(float(probabilities[t]), 6)}
    return {"row": row, "true": t, "predicted": p} | shares


def _settings(settings):
    """[{"name", "value", "default", "about", "changed"}], all of them texts but the last."""
    return [
        {"name": name, "value": _text(settings[name]), "default": _text(field.default), "about": field.description}
        | {"changed": settings[name] != field.default}
        for name, field in Settings.model_fields.items()
        if name in settings
    ]


def _text(value):
    """A setting as it is written in a config file."""
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def command_line(settings: Any) -> str:
    """The ``muslin train`` with these settings, for a shell. What has its default is left out."""
    changed = {name: value for name, value in settings.items() if value != Settings.model_fields[name].default}
    return shlex.join(["muslin", "train", *(word for name, value in changed.items() for word in _flag(name, value))])


def ensemble_line(facts: Any) -> str:
    """The ``muslin ensemble`` that makes the run once more."""
    members, temperature = facts.run.members, facts.summary.get("temperature")
    views = ["--views"] if any(member["views"] > 1 for member in members) else []
    divided = ["--temperature", f"{temperature:.6g}"] if temperature else []
    return shlex.join(["muslin", "ensemble", *(member["run"] for member in members), *views, *divided])


def _flag(name, value):
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]


def _versions(config):
    """[(title, text)] of the software and the machine that the run was made with."""
    versions = [(name, version or "not installed") for name, version in config.get("versions", {}).items()]
    machine = config.get("machine", {})
    blas = machine.get("blas") or {}
    return [
        *versions,
        ("machine", f"{machine.get('system')}, {machine.get('processor')}"),
        ("BLAS", ", ".join(f"{name} {value}" for name, value in blas.items())),
    ]


def pictures(facts: Any) -> list[Path]:
    """Draw the plots that the run has figures for; returns their paths."""
    history = facts.history
    drawn: dict[str, tuple[Any, ...]] = {}
    if history:
        drawn["curves"] = (plots.curves, history)
    if history and plots.varies(history):
        drawn["learning_rate"] = (plots.learning_rate, history)
    if history and "gradient_norms" in history[0]:
        drawn["diagnostics"] = (plots.diagnostics, history)
    if facts.network and facts.image_shape:
        drawn["weights"] = (plots.weights, facts.network.weights[1], facts.image_shape)
    if facts.probabilities is not None and facts.image_shape:
        drawn["mistakes"] = (plots.mistakes, facts.data, facts.probabilities, facts.mistakes)
    for name in ("importance", "calibration", "residuals"):
        if figures := getattr(facts, name):
            drawn[name] = (getattr(plots, name), figures)
    folder = output_folder(facts.run.path)
    paths = {folder / f"{name}.png": plot for name, plot in drawn.items()}
    for path, (plot, *arguments) in paths.items():
        plot(*arguments, path)
    return list(paths)
