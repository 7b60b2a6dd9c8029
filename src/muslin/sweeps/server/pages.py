"""What the addresses that W&B's client prints show: projects, a project's runs and sweeps, a run, a sweep."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, cached_property
from html import escape
from threading import Lock
from typing import Any
from urllib.parse import quote

from muslin.documents import flat, is_number
from muslin.errors import InputError
from muslin.report.live import Live, duration
from muslin.report.logged_run import LoggedRun, LogReader, sampled
from muslin.report.pages import charts, page
from muslin.runs import Run
from muslin.sweeps.analysis import findings, measured
from muslin.sweeps.report import contents
from muslin.sweeps.scheduler import best
from muslin.sweeps.server.desk import ENTITY, STREAMS, Desk, config_values
from muslin.sweeps.server.store import Row
from muslin.sweeps.server.trials import UNBEGUN, LedSweep
from muslin.sweeps.trial_store import TrialStore
from muslin.sweeps.watched import WatchedSweep

#: runs that a project's page lists; columns of settings and of figures; runs and metrics that have curves on it
RUNS, COLUMNS, LINES, CHARTS = 2000, 12, 8, 6
#: points of such a curve
POINTS = 300
PLOTLY = "/.page/plotly.js"
#: trials from which on the importance of hyperparameters is worked out again only when there are so many times as many
MANY, GROWTH = 200, 1.2


class Pages:
    """Each method makes the page that a request asks for, or None where there is no such thing. Pages of runs and
    sweeps are kept until something in them changes."""

    def __init__(self, desk: Desk):
        self.desk, self.store = desk, desk.store
        self.mark = secrets.token_hex(8)  # where the nonce goes in a page that is kept
        self.kept: dict[tuple[str, Any], Live] = {}
        self.logs: dict[int, LogReader] = {}
        self.lock = Lock()

    @staticmethod
    @cache
    def plotly() -> str:
        from plotly.offline import get_plotlyjs

        return get_plotlyjs()

    def _page(self, template: str, nonce: str, **context: Any) -> str:
        return page(template, nonce=_nonce(nonce), plotly_at=PLOTLY, **context)

    def missing(self, path: str, nonce: str) -> str:
        from pathlib import PurePosixPath

        reason = "There is nothing at this address."
        return self._page("waiting.html", nonce, path=PurePosixPath(path), reason=reason)

    # Lists

    def projects(self, request: Any, nonce: str) -> str | None:
        entity = request.path_params.get("entity")
        where, values = ("WHERE entity = ?", [entity]) if entity else ("", [])
        query = (
            "SELECT p.*, (SELECT count(*) FROM runs WHERE project = p.id) AS runs, (SELECT max(beat) FROM runs WHERE "
            "project = p.id) AS last, (SELECT count(*) FROM sweeps WHERE project = p.id) AS sweeps FROM projects p "
            f"{where} ORDER BY last DESC"
        )
        projects = self.store.rows(query, *values)
        if entity and not projects and entity != ENTITY:
            return None
        running = "SELECT count(*) AS n FROM runs WHERE project = ? AND state = 'running' AND beat > ?"
        fresh = time.time() - 300
        rows = [
            {
                "name": row["name"] if row["entity"] == ENTITY else f"{row['entity']}/{row['name']}",
                "address": _address(row),
                "runs": row["runs"],
                "running": self.store.row(running, row["id"], fresh)["n"],
                "sweeps": row["sweeps"],
                "last": _moment(row["last"]),
            }
            for row in projects
        ]
        url, key = str(request.base_url).rstrip("/"), self.desk.root / ".server" / "key"
        return self._page("projects.html", nonce, projects=rows, folder=self.desk.root, url=url, key=key)

    def project(self, request: Any, nonce: str) -> str | None:
        words = request.path_params
        project = self.desk.known_project(words["entity"], words["project"])
        if project is None or words.get("kind", "runs") not in ("runs", "sweeps", "workspace", "table", "overview"):
            return None
        query = "SELECT * FROM runs WHERE project = ? ORDER BY created DESC, id DESC LIMIT ?"
        runs = self.store.rows(query, project["id"], RUNS)
        total = self.store.row("SELECT count(*) AS n FROM runs WHERE project = ?", project["id"])["n"]
        settings, configs = _columns([flat(config_values(json.loads(run["config"]))) for run in runs], differing=True)
        figures, summaries = _columns([flat(json.loads(run["summary"])) for run in runs], differing=False)
        left_out = [f"The latest {len(runs):,} of {total:,} runs."] if total > len(runs) else []
        rows = [
            self._row(project, run) | {"settings": s, "figures": f}
            for run, s, f in zip(runs, configs, summaries, strict=True)
        ]
        return self._page(
            "project.html",
            nonce,
            name=project["name"],
            folder=self.desk.root / project["folder"],
            rows=rows,
            settings=settings,
            figures=figures,
            sweeps=[self._sweep_row(project, row) for row in self._sweeps(project)],
            curves=self._overlay(runs[:LINES], figures),
            left_out=left_out,
        )

    def _sweeps(self, project: Row) -> list[dict[str, Any]]:
        return self.store.rows("SELECT * FROM sweeps WHERE project = ? ORDER BY created DESC", project["id"])

    def _row(self, project: Row, run: Row) -> dict[str, Any]:
        at = _address(project)
        return {
            "id": run["id"],
            "name": run["display"] or run["name"],
            "address": f"{at}/runs/{quote(run['name'], safe='')}",
            "state": self.desk.state(run),
            "begun": _moment(run["created"]),
            "sweep": run["sweep"],
            "sweep_address": f"{at}/sweeps/{run['sweep']}",
            "tags": json.loads(run["tags"]),
        }

    def _sweep_row(self, project: Row, row: Row) -> dict[str, Any]:
        led = self.desk.led_sweep(row["id"])
        runs = self.store.row("SELECT count(*) AS n FROM runs WHERE sweep = ?", row["id"])["n"]
        top = led.best
        return {
            "id": row["id"],
            "name": row["display"] or row["id"],
            "address": f"{_address(project)}/sweeps/{row['id']}",
            "state": row["state"].lower(),
            "method": led.sweep.method,
            "runs": runs,
            "metric": f"{led.metric.goal} {led.metric.name}" if led.metric else "",
            "best": top.value if top else None,
        }

    def _overlay(self, runs: Sequence[Row], keys: Sequence[str]) -> dict[str, Any]:
        """{metric: figure} of the latest runs, those metrics that have a curve."""
        logged = {run["id"]: self._log(run).numbers for run in runs}
        keys = [key for key in keys if any(len(numbers.get(key, ((),))[0]) > 1 for numbers in logged.values())][:CHARTS]
        return {key: self._lines(runs, logged, key) for key in keys}

    def _log(self, run: Row) -> LogReader:
        with self.lock:
            log = self.logs.pop(run["id"], None) or LogReader(self.desk.path(run) / "history.jsonl")
            self.logs[run["id"]] = log.update()
            while len(self.logs) > 4 * LINES:
                self.logs.pop(next(iter(self.logs)))
            return log

    def _lines(self, runs: Sequence[Row], numbers: dict[str, Any], key: str) -> dict[str, Any]:
        traces = []
        for at, run in enumerate(runs):
            if key in numbers[run["id"]]:
                steps, values = numbers[run["id"]][key]
                places = sampled(values, POINTS)
                line = {"color": charts.SERIES[at % len(charts.SERIES)], "dash": charts.DASHES[at % len(charts.DASHES)]}
                x, y = [steps[i] for i in places], [values[i] for i in places]
                name = escape(run["display"] or run["name"])
                traces.append({"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line})
        axis = {"title": {"text": "step"}}
        return charts.figure(traces, height=300, showlegend=True, xaxis=axis, yaxis={"hoverformat": ".5~g"})

    # A run

    def _run(self, request: Any) -> Live | None:
        words = request.path_params
        run = self.desk.run(words["entity"], words["project"], words["run"])
        if run is None:
            return None
        key = ("run", run["id"])
        with self.lock:
            if key not in self.kept:
                shown = ShownRun(self, run)
                self.kept[key] = Live(self.desk.path(run), lambda path: shown)
                self._forget()
            return self.kept[key]

    def run(self, request: Any, nonce: str) -> str | None:
        live = self._run(request)
        return self._answer(live, nonce) if live else None

    def run_news(self, request: Any, nonce: str) -> dict[str, Any] | None:
        live = self._run(request)
        return self._news(live, request) if live else None

    # A sweep

    def _sweep(self, request: Any) -> Live | None:
        id = request.path_params["sweep"]
        led = self.desk.sweep(id)
        if led is None:
            return None
        with self.lock:
            if ("sweep", id) not in self.kept:
                shown = ShownSweep(self, led)
                self.kept["sweep", id] = Live(led.directory.path, lambda path: shown)
                self._forget()
            return self.kept["sweep", id]

    def sweep(self, request: Any, nonce: str) -> str | None:
        live = self._sweep(request)
        return self._answer(live, nonce) if live else None

    def sweep_news(self, request: Any, nonce: str) -> dict[str, Any] | None:
        live = self._sweep(request)
        return self._news(live, request) if live else None

    def _forget(self, most: int = 24) -> None:
        while len(self.kept) > most:
            self.kept.pop(next(iter(self.kept)))

    def _answer(self, live: Live, nonce: str) -> str:
        return live.current()[1].replace(self.mark, nonce)

    def _news(self, live: Live, request: Any) -> dict[str, Any]:
        version, html = live.current()
        same = request.query_params.get("version") == version
        changed = {} if same else {"page": html[: html.index("</main>")]}
        return {"version": version, "status": live.status(), **changed}


def _nonce(nonce: str) -> Any:
    from markupsafe import Markup

    return Markup(' nonce="{}"').format(nonce)


def _address(project: Row) -> str:
    return f"/{quote(project['entity'], safe='')}/{quote(project['name'], safe='')}"


def _moment(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else ""


def _columns(rows: Sequence[dict[str, Any]], differing: bool) -> tuple[list[str], list[list[Any]]]:
    """(keys, the cells of each row): the settings that differ, or the figures that most of them have."""
    counts: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            if key.startswith("_") or not (
                is_number(value) if not differing else isinstance(value, str | int | float | bool)
            ):
                continue
            counts.setdefault(key, []).append(value)
    keys = [key for key, values in counts.items() if not differing or len(set(values)) > 1 or len(values) < len(rows)]
    keys = sorted(keys or ([*counts] if differing else []), key=lambda key: (-len(counts[key]), key))[:COLUMNS]
    return keys, [
        [row.get(key) if isinstance(row.get(key), str | int | float | bool) else None for key in keys] for row in rows
    ]


class ShownRun(LoggedRun):
    def __init__(self, pages: Pages, run: Row):
        super().__init__(pages.desk.path(run))
        self.pages, self.id = pages, run["id"]
        for name in STREAMS.values():
            pages.desk.lines(self.path / name).lines()  # or it raises: damage is seen

    @property
    def row(self) -> Row:
        return self.pages.store.get("runs", id=self.id)

    @property
    def finished(self) -> bool:
        return self.row["ended"] is not None

    @property
    def summary(self) -> dict[str, Any]:
        row = self.row
        figures = flat(json.loads(row["summary"]))
        seconds = figures.pop("_wandb.runtime", None) or (row["ended"] or time.time()) - row["created"]
        facts = {"state": self.pages.desk.state(row), "exitcode": row["exitcode"], "seconds": seconds}
        return {key: value for key, value in figures.items() if not key.startswith("_wandb")} | facts

    def status(self) -> str:
        row = self.row
        state, logged = self.pages.desk.state(row), f"{self.log.rows:,} steps"
        return (
            f"{state}, {logged}"
            if state != "running"
            else f"running for {duration(time.time() - row['created'])}, {logged}"
        )

    def page(self, live: Any, **context: Any) -> str:
        row = self.row
        project = self.pages.store.get("projects", id=row["project"])
        at, name = _address(project), quote(row["name"], safe="")
        up = [(project["name"], at)] + ([("Sweep", f"{at}/sweeps/{row['sweep']}")] if row["sweep"] else [])
        if not Run(self.pages.desk.path(row)).begun:
            raise InputError(f"The run {row['name']} has not begun yet.")
        context |= {"up": up, "news": f"{at}/runs/{name}/live", "plotly_at": PLOTLY, "nonce": _nonce(self.pages.mark)}
        return super().page(live, files=f"{at}/runs/{name}/files/", **context)


class ShownSweep(WatchedSweep):
    def __init__(self, pages: Pages, led: LedSweep):
        super().__init__(led.directory.path)
        self.pages, self.led = pages, led
        self.known: dict[str, Any] = {}

    @cached_property
    def study(self) -> TrialStore:
        return self.led.study

    def page(self, live: Any) -> str:
        led, store = self.led, self.pages.store
        project = store.get("projects", id=led.row["project"])
        at = _address(project)
        analysis, old = self._findings()
        facts = contents(led.directory, led.study, led.directory.path, analysis)
        facts["left_out"] += old
        names = {row["name"]: row["display"] for row in store.rows("SELECT * FROM runs WHERE sweep = ?", led.id)}
        for row in facts["table"]:
            row["link"] = f"{at}/runs/{row['run']}" if row["run"] in names else None
            row["run"] = names.get(row["run"], row["run"])
        context = {"up": at, "project": project["name"], "path": f"{project['entity']}/{project['name']}/{led.id}"}
        context |= {"state": led.row["state"], "reason": led.row["reason"], "agents": self._agents()}
        news = {"news": f"{at}/sweeps/{led.id}/live", "plotly_at": PLOTLY, "nonce": _nonce(self.pages.mark)}
        return page("served_sweep.html", **facts | context | news, live=live)

    def _findings(self) -> tuple[dict[str, Any] | None, list[str]]:
        """(what the charts show, sentences). Of many trials the importance takes seconds: it waits for a fifth more."""
        directory, trials = self.led.directory, measured(self.study)
        if len(trials) <= MANY:
            return None, []
        if len(trials) >= GROWTH * self.known.get("trials", 0):
            self.known = findings(directory, self.study, trials)
            return self.known, []
        costly = {key: self.known[key] for key in ("importance", "correlation") if key in self.known}
        of = f"Importance and correlation are of the first {self.known['trials']:,} trials that had a value."
        return findings(directory, self.study, trials, costly=False) | costly, [of]

    def _agents(self) -> list[dict[str, Any]]:
        rows = self.pages.store.rows("SELECT * FROM agents WHERE sweep = ? ORDER BY created", self.led.id)
        now = time.time()
        return [
            {
                "id": agent["id"],
                "host": agent["host"],
                "state": "works" if now - agent["seen"] < UNBEGUN else "gone",
                "runs": agent["runs"],
                "run": agent["run"] or "",
                "seen": _moment(agent["seen"]),
            }
            for agent in rows
        ]

    def status(self) -> str:
        with self.led.lock:
            trials = [*self.led.trials.values()]
        limit = "" if math.isinf(self.led.limit) else f" of {self.led.limit}"
        done = sum(trial.state in ("finished", "stopped_early") for trial in trials)
        running = sum(trial.state == "running" for trial in trials)
        metric = self.led.metric
        top = best(trials, metric) if metric else None
        words = f", best {metric.name} {top.value:.6g}" if metric and top else ""
        return f"{self.led.row['state'].lower()}: {done}{limit} trials done, {running} running{words}"
