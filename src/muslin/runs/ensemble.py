"""An ensemble: trained runs that answer together, as a run of its own.

runs/<name>/config.json         the runs, the settings that all of them share, versions, data checksums
            model.safetensors   all their networks, and the views of each
            summary.json        its figures on validation samples, if it has some; test figures once evaluated
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np

from muslin.datasets.dataset import Dataset
from muslin.ensemble import Ensemble, views
from muslin.errors import InputError
from muslin.files import write_json
from muslin.runs import machine
from muslin.runs.directory import Run, place, split, unit
from muslin.training.metrics import measure_calibrated

#: settings that say what a table's data are; settings that say which samples are for validation
OF_TABLES, SPLIT = ("target", "drop", "task", "test", "encoding"), {"validation", "seed", "stratify"}
#: validation samples from which a temperature can be told
FEW = 100


def make(
    members: Sequence[Run],
    runs_dir: str | Path = "runs",
    name: str | None = None,
    with_views: bool = False,
    temperature: float | Literal["fit"] | None = None,
) -> tuple[Run, dict[str, Any]]:
    """The run of the ensemble, and its summary.

    with_views: each member sees a picture in the views that it was trained on: mirrored, moved by a pixel.
    temperature: what A⁽ᴸ⁾ is divided by; "fit": what makes the loss on the validation samples least. These are those
    that no member was trained on.

    Raises InputError where the runs are not of the same data, or do not go together; where views or a temperature
    are asked for that cannot be had; as `muslin.runs.create` does.
    """
    data = members[0].dataset()
    _need_the_same_data(members, data)
    seen = [_views(run, data) if with_views else None for run in members]
    if with_views and all(pixels is None for pixels in seen):
        raise InputError("None of these runs was trained on mirrored or moved pictures; in other views it would err.")
    ensemble, rows = Ensemble([run.network_for(data) for run in members], seen), _validation(members, data)
    ensemble.unit = unit(data.table)
    X, y = data.X_train[rows], data.y_train[rows]
    figures = _figures(ensemble, X, y)
    if temperature == "fit" and len(rows) < FEW:
        raise InputError(
            f"A temperature is found on validation samples, and these runs have {len(rows)} in common; give a number, "
            "such as runs of the same settings with --validation have found."
        )
    if temperature is not None:
        temperature = ensemble.temperature(X, y) if temperature == "fit" else temperature
        ensemble = ensemble.at(temperature)
        figures = {f"{key}_before": value for key, value in figures.items()} | _figures(ensemble, X, y)
    run = place(_facts(members, seen, data), data, Path(runs_dir), name, "ensemble", numbered=name is None)
    ensemble.save(run.path / "model.safetensors")
    parameters = sum(network.theta.size for network in ensemble.members)
    summary = {"parameters": parameters, "temperature": temperature, **figures}
    write_json(run.path / "summary.json", summary)
    return run, summary


def _need_the_same_data(members: Sequence[Run], data: Dataset) -> None:
    first = members[0]
    for run in members:
        run.need_network()
        same = [getattr(run.settings, name) == getattr(first.settings, name) for name in OF_TABLES]
        if run.config["data_checksums"] != data.checksums or not all(same):
            raise InputError(f"{first.path} and {run.path} were trained on different data.")


def _views(run: Run, data: Dataset) -> np.ndarray | None:
    mirrored, moved = (getattr(run.settings, name) > 0 for name in ("flip", "shift"))
    return views(data.image_shape, mirrored, moved) if data.image_shape and (mirrored or moved) else None


def _validation(members: Sequence[Run], data: Dataset) -> np.ndarray:
    """The rows of the training samples that no member was trained on."""
    rows = [split(run.settings, data)[1] for run in members]
    return reduce(np.intersect1d, rows)


def _figures(ensemble: Ensemble, X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Those of validation samples; none where there are none."""
    if not len(X):
        return {}
    return {f"val_{name}": value for name, value in measure_calibrated(ensemble, X, y)[0].items()}


def _facts(members: Sequence[Run], seen: Sequence[np.ndarray | None], data: Dataset) -> dict[str, Any]:
    """config.json: the settings that all members share; where their validation samples are others, none are left."""
    first, *others = (run.settings.model_dump() for run in members)
    shared = {name: value for name, value in first.items() if all(other[name] == value for other in others)}
    if not shared.keys() >= SPLIT:
        shared |= {"validation": 0}
    views = [1 if pixels is None else len(pixels) for pixels in seen]
    return {
        "members": [{"run": str(run.path), "views": n} for run, n in zip(members, views, strict=True)],
        **shared,
        "dataset": first["dataset"],
        "versions": machine.versions(),
        "machine": machine.facts(members[0].network),
    }
