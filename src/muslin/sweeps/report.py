"""The page of a sweep: its runs as a table, what they teach, and what to try next."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from pydantic import BaseModel, FiniteFloat, ValidationError

from muslin.files import read_json, writable
from muslin.report import pages, sweep_charts
from muslin.report.sweep_plots import since
from muslin.sweeps.analysis import ENOUGH, analyse, findings, logarithmic, measured
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file.space import at
from muslin.sweeps.recommend import METHOD, recommend
from muslin.sweeps.scheduler import best
from muslin.sweeps.trial_store import ENDED, Trial, TrialStore


def write(
    path: str | PathLike[str], output: str | PathLike[str] | None = None, storage: str | None = None
) -> dict[str, Any]:
    """Write the page of a sweep directory (to report.html in it, or to ``output``) and the pictures that it lacks.

    Returns {"report": path, "pictures": [path], "left_out": [a sentence for each thing that the sweep has not]}.
    Raises InputError: no sweep directory, its study cannot be opened, plotly is missing.
    """
    directory = SweepDirectory(Path(path))
    output = Path(output or directory.path / "report.html")
    study = directory.study_to_read(storage)
    if writable(directory.path) and _kept(directory, study, measured(study)) is None:
        analyse(directory, study)
    facts = contents(directory, study, output.parent)
    pages.render("sweep.html", output, **facts)
    return {"report": output, "pictures": sorted(directory.path.glob("*.png")), "left_out": facts["left_out"]}


def contents(
    directory: SweepDirectory, study: TrialStore, folder: Path, analysis: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What templates/sweep.html shows. ``folder`` is where the page will be: the links lead from there. ``found`` are
    the findings, where they are known."""
    metric, space = directory.metric, directory.sweep.space
    every = sorted(study.trials().values(), key=lambda trial: trial.number)
    trials, names = measured(study), [leaf.name for leaf in space.searched]
    charts = _charts(directory, study, trials, names, analysis) if trials else {}
    return {
        "name": directory.facts["name"],
        "metric": metric,
        "sweep": directory.sweep,
        "counts": Counter(trial.state for trial in every),
        "best": best(every, metric),
        "took": _took(every),
        "names": names,
        "table": [_row(trial, names, directory.path, folder) for trial in every],
        "advice": recommend(space, trials, metric),
        "method": METHOD,
        "charts": charts,
        "left_out": [sentence for name, sentence in NEEDED.items() if name not in charts],
        "file": yaml.safe_dump(directory.sweep.raw, sort_keys=False, allow_unicode=True),
    }


#: chart → what is said where it is not there
NEEDED = {
    "best_so_far": "No trial has a value yet, so there are no charts.",
    "parallel": "Parallel coordinates need a trial with a value and a parameter that is searched.",
    "importance": f"Importance and correlation need a searched parameter and {ENOUGH} trials whose values differ.",
}


def _took(trials: Sequence[Trial]) -> str:
    """From the first trial's creation to the last one's end, in words; empty if none has ended."""
    ends: list[datetime] = [trial.ended for trial in trials if trial.state in ENDED and trial.ended]
    if not ends:
        return ""
    (length,), unit = since([(max(ends) - min(trial.created for trial in trials)).total_seconds()])
    return f"{length:.3g} {unit}"


def _row(trial: Trial, names: list[str], sweep: Path, folder: Path) -> dict[str, Any]:
    report = sweep / trial.run / "report.html"
    return {
        "trial": trial.number,
        "run": trial.run,
        "link": quote(os.path.relpath(report, folder)) if report.exists() else None,
        "state": trial.state.replace("_", " "),
        "value": trial.value if trial.state != "failed" else None,
        "settings": [at(trial.config, name) for name in names],
        "seconds": (trial.ended - trial.created).total_seconds() if trial.ended else None,
        "reason": trial.reason,
    }


def _charts(
    directory: SweepDirectory,
    study: TrialStore,
    trials: Sequence[Trial],
    names: list[str],
    analysis: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """{name: figure}; those of importance and correlation only where there are enough trials."""
    metric, scales = directory.metric, logarithmic(directory.sweep.space)
    analysis = analysis or _kept(directory, study, trials) or findings(directory, study, trials)
    states = [trial.state for trial in trials]
    rows = analysis["parallel_coordinates"]
    charts = {"best_so_far": sweep_charts.best_so_far(analysis["best_so_far"], states, metric)}
    if names:
        charts["parallel"] = sweep_charts.parallel_coordinates(rows, names, scales, metric)
        charts["strips"] = {name: sweep_charts.strip(rows, states, name, scales, metric) for name in names}
    if names and "importance" in analysis:
        charts["importance"] = sweep_charts.importance(analysis["importance"])
        charts["correlation"] = sweep_charts.correlation(analysis["correlation"])
    return charts


class Shares(BaseModel):
    fanova: dict[str, FiniteFloat]
    ped_anova: dict[str, FiniteFloat]


class Strength(BaseModel):
    name: str
    value: str | None
    r: FiniteFloat


class Costly(BaseModel):
    """What of analysis.json takes its time."""

    importance: Shares
    correlation: list[Strength]


def _kept(directory: SweepDirectory, study: TrialStore, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """analysis.json, which `muslin sweep` writes at its end, if it is of these very trials."""
    path = directory.path / "analysis.json"
    analysis = read_json(path) if path.exists() else None
    fresh = json.loads(json.dumps(findings(directory, study, trials, costly=False)))
    if not isinstance(analysis, dict) or fresh != {key: analysis.get(key) for key in fresh}:
        return None
    if not analysis.keys() & Costly.model_fields.keys():
        return analysis
    try:
        Costly.model_validate(analysis, strict=True)
    except ValidationError:
        return None
    return analysis
