"""The nodes of the graph: projects, runs with their histories and files, sweeps, agents. See graph.py.

A node is a class with the fields of its type, in snake case: a value, or a method that takes the field's arguments.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from muslin.documents import flat
from muslin.sweeps.server import trials
from muslin.sweeps.server.desk import ENTITY, Desk, config_values
from muslin.sweeps.server.filters import ordered, passes
from muslin.sweeps.server.logs import LineFile, rows
from muslin.sweeps.server.store import Row
from muslin.sweeps.server.trials import LedSweep

if TYPE_CHECKING:
    from muslin.sweeps.server.graph import Graph

#: arguments of a field, which a query may leave out
Words: TypeAlias = str | None
Number: TypeAlias = int | None

#: rows that one answer of history holds at most; points of a sampled history where none are asked for
PAGE, SAMPLES = 10_000, 500
OUTPUTS = (
    "SELECT artifacts.* FROM artifacts JOIN outputs ON outputs.artifact = artifacts.id "
    "WHERE outputs.run = ? AND state = 'COMMITTED' ORDER BY artifacts.id"
)


@cache
def snake(name: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"{name}_" if name in ("from", "id_") else name


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as W&B writes them: 2026-11-26T01:02:03Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def page(nodes: Sequence[Any], after: Words = None, first: Number = None, **more: Any) -> dict[str, Any]:
    """A connection: some of the nodes, with cursors, which are their places."""
    begin = int(after) if after and after.isdigit() else 0
    end = len(nodes) if first is None else min(len(nodes), begin + max(0, first))
    edges = [{"node": node, "cursor": str(at)} for at, node in enumerate(nodes[begin:end], begin + 1)]
    for edge in edges:
        if hasattr(edge["node"], "version_index"):  # an artifact's place in its collection
            edge["version"] = f"v{edge['node'].version_index}"
    info = {"endCursor": str(end), "hasNextPage": end < len(nodes)}
    return {"edges": edges, "pageInfo": info, "totalCount": len(nodes), **more}


class User:
    id, name, username, entity = "User:1", ENTITY, ENTITY, ENTITY
    email, admin, flags, deleted_at = "", False, "{}", None

    def api_keys(self) -> dict[str, Any]:
        return {"edges": []}

    def teams(self) -> dict[str, Any]:
        return {"edges": [{"node": Entity(ENTITY)}]}

    def default_entity(self) -> Entity:
        return Entity(ENTITY)


class Entity:
    is_team, organization = True, None

    def __init__(self, name: str):
        self.name, self.id = name, f"Entity:{name}"


class Project:
    is_benchmark = read_only = False
    access, views, repo, docker_image = "USER_WRITE", "{}", None, None

    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.name, self.entity_name = graph, row, row["name"], row["entity"]
        self.id, self.internal_id = f"Project:{row['id']}", str(row["id"])
        self.description, self.created_at = row["description"] or "", moment(row["created"])

    def entity(self) -> Entity:
        return Entity(self.entity_name)

    def user(self) -> User:
        return User()

    def run(self, name: str | None = None, desc: str | None = None) -> Run | None:
        row = self.graph.store.get("runs", project=self.row["id"], name=name)
        return row and Run(self.graph, row)

    def bucket(self, name: str | None = None, missing_ok: bool | None = None, desc: str | None = None) -> Run | None:
        return self.run(name)

    def _rows(self, filters: Words = None, order: Words = None, names: Sequence[str] | None = None) -> list[Row]:
        runs = self.graph.store.rows("SELECT * FROM runs WHERE project = ? ORDER BY created, id", self.row["id"])
        if names:
            runs = [row for row in runs if row["name"] in names]
        views = [(row, RunView(self.graph.desk, row)) for row in runs]
        wanted = json.loads(filters or "{}") or {}
        return [
            row for row, view in ordered([pair for pair in views if passes(wanted, pair[1])], order or "-created_at")
        ]

    def runs(
        self,
        filters: Words = None,
        order: Words = None,
        after: Words = None,
        first: Number = None,
        names: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        return page([Run(self.graph, row) for row in self._rows(filters, order, names)], after, first)

    buckets = runs

    def run_count(self, filters: Words = None) -> int:
        return len(self._rows(filters))

    def sweep(self, sweep_name: str | None = None) -> Sweep | None:
        row = self.graph.store.get("sweeps", id=str(sweep_name).rpartition(":")[2])
        return row and Sweep(self.graph, row)

    def _sweeps(self) -> list[Row]:
        return self.graph.store.rows("SELECT * FROM sweeps WHERE project = ? ORDER BY created DESC", self.row["id"])

    def sweeps(self, after: Words = None, first: Number = None, filters: Words = None) -> dict[str, Any]:
        return page([Sweep(self.graph, row) for row in self._sweeps()], after, first)

    def total_sweeps(self) -> int:
        return len(self._sweeps())

    def artifact(self, name: str, enable_tracking: bool | None = None) -> Any:
        row = self.graph.artifacts.find(self.graph, self.row, name)
        return row and self.graph.artifacts.Artifact(self.graph, row)

    def artifact_collection_membership(self, name: str) -> Any:
        row = self.graph.artifacts.find(self.graph, self.row, name)
        return row and self.graph.artifacts.Membership(self.graph, row)

    def artifact_collection(self, name: str) -> Any:
        row = self.graph.store.get("collections", project=self.row["id"], name=name)
        return row and self.graph.artifacts.Collection(self.graph, row)

    def artifact_collections(
        self, after: Words = None, first: Number = None, filters: Words = None, order: Words = None
    ) -> dict[str, Any]:
        rows = self.graph.store.rows("SELECT * FROM collections WHERE project = ? ORDER BY id", self.row["id"])
        return page([self.graph.artifacts.Collection(self.graph, row) for row in rows], after, first)

    def artifact_type(self, name: str) -> Any:
        return self.graph.artifacts.type_named(self.graph, self.row, name)

    def artifact_types(self, after: Words = None, first: Number = None) -> dict[str, Any]:
        rows = self.graph.store.rows("SELECT * FROM artifact_types WHERE project = ? ORDER BY name", self.row["id"])
        return page([self.graph.artifacts.Type(self.graph, self.row, row) for row in rows], after, first)


class RunView:
    """A run as the filters and orders of the public API name its parts."""

    def __init__(self, desk: Desk, row: Row):
        self.desk, self.row = desk, row

    @cached_property
    def summary(self) -> dict[str, Any]:
        return flat(json.loads(self.row["summary"]))

    @cached_property
    def config(self) -> dict[str, Any]:
        return config_values(json.loads(self.row["config"]))

    def __getitem__(self, path: str) -> Any:
        group, _, rest = path.partition(".")
        if group in ("config", "summary_metrics", "summaryMetrics"):
            if group != "config":
                return self.summary.get(rest)
            rest = rest.removesuffix(".value")
            return self.config[rest] if rest in self.config else flat(self.config).get(rest)
        key = snake(group)
        row = self.row
        known = {
            "name": row["name"], "display_name": row["display"], "state": self.desk.state(row), "sweep": row["sweep"],
            "group": row["grp"], "job_type": row["job_type"], "tags": json.loads(row["tags"]),
            "created_at": moment(row["created"]), "updated_at": moment(row["beat"]),
            "heartbeat_at": moment(row["beat"]),
            "username": ENTITY, "user": ENTITY, "host": row["host"], "notes": row["notes"], "commit": row["revision"],
        }  # fmt: skip
        return known.get(key)


class Run:
    read_only = False
    system_metrics = "{}"

    def __init__(self, graph: Graph, row: Row):
        self.graph, self.desk, self.row, self.name = graph, graph.desk, row, row["name"]
        self.id, self.internal_id, self.project_id = f"Run:{row['id']}", str(row["id"]), str(row["project"])
        self.display_name, self.description, self.notes = row["display"], row["description"], row["notes"]
        self.tags, self.group, self.group_name, self.job_type = (
            json.loads(row["tags"]),
            row["grp"],
            row["grp"],
            row["job_type"],
        )
        self.commit, self.program, self.host, self.exitcode = (
            row["revision"],
            row["program"],
            row["host"],
            row["exitcode"],
        )
        self.created_at, self.updated_at = moment(row["created"]), moment(row["beat"])
        self.heartbeat_at, self.sweep_name, self.config = moment(row["beat"]), row["sweep"], row["config"]

    @cached_property
    def state(self) -> str:
        return self.desk.state(self.row)

    @property
    def failed(self) -> bool:
        return self.state in ("failed", "crashed")

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def stopped(self) -> bool:
        return bool(self.row["stop"])

    should_stop = stopped

    def user(self) -> User:
        return User()

    def project(self) -> Project:
        return Project(self.graph, self.graph.store.get("projects", id=self.row["project"]))

    def sweep(self) -> Sweep | None:
        row = self.row["sweep"] and self.graph.store.get("sweeps", id=self.row["sweep"])
        return row and Sweep(self.graph, row)

    def agent(self) -> Agent | None:
        row = self.row["agent"] and self.graph.store.get("agents", id=self.row["agent"])
        return row and Agent(self.graph, row)

    def wandb_config(self, keys: Sequence[str] | None = None) -> str:
        hidden = json.loads(self.row["config"]).get("_wandb") or {}
        client = hidden.get("value", hidden) if isinstance(hidden, dict) else {}
        return json.dumps({key: client[key] for key in keys if key in client} if keys else client)

    def summary_metrics(self, keys: Sequence[str] | None = None) -> str:
        if not keys:
            return self.row["summary"]
        figures = json.loads(self.row["summary"])
        return json.dumps({key: figures[key] for key in keys if key in figures})

    def _lines(self, name: str) -> LineFile:
        return self.desk.lines(self.desk.path(self.row) / name)

    def history_line_count(self) -> int:
        return self._lines("history.jsonl").lines()

    def events_line_count(self) -> int:
        return self._lines("events.jsonl").lines()

    def log_line_count(self) -> int:
        return self._lines("log.txt").lines()

    def history_tail(self) -> str:
        return json.dumps(self._lines("history.jsonl").tail(1))

    def events_tail(self) -> str:
        return json.dumps(self._lines("events.jsonl").tail(1))

    def _history(self) -> list[tuple[Any, dict[str, Any]]]:
        """(step, row): clients that send no _step count the rows."""
        return [(row.get("_step", at), row) for at, row in enumerate(self.desk.history_rows(self.row))]

    def history_keys(self) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {}
        last: float = -1
        for step, row in self._history():
            last = max(last, step) if isinstance(step, int | float) else last
            for key, value in flat(row).items():
                counts = kinds.setdefault(key, {"typeCounts": [], "monotonic": False, "previousValue": None})
                kind = (
                    "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
                )
                names = {"str": "string", "dict": "map", "bool": "boolean", "NoneType": "nil"}
                counts.setdefault("kinds", {}).setdefault(names.get(kind, kind), 0)
                counts["kinds"][names.get(kind, kind)] += 1
        for counts in kinds.values():
            counts["typeCounts"] = [{"type": kind, "count": n} for kind, n in counts.pop("kinds").items()]
        return {"sets": [], "keys": kinds, "lastStep": last}

    def history(
        self, min_step: float | None = None, max_step: float | None = None, samples: Number = None
    ) -> list[str]:
        low, high = int(min_step or 0), math.inf if max_step is None else int(max_step)
        logged = [row for step, row in self._history() if low <= step < high]
        paged = min_step is not None or max_step is not None
        logged = logged[:PAGE] if paged else _sampled(logged, samples or SAMPLES)
        return [json.dumps(row) for row in logged]

    def events(self, samples: Number = None) -> list[str]:
        self.events_line_count()
        logged = list(rows(self.desk.path(self.row) / "events.jsonl"))
        return [json.dumps(row) for row in _sampled(logged, samples or SAMPLES)]

    def sampled_history(self, specs: Sequence[str]) -> list[list[dict[str, Any]]]:
        return [self._sample(json.loads(spec)) for spec in specs]

    def _sample(self, spec: dict[str, Any]) -> list[dict[str, Any]]:
        keys = spec.get("keys") or []
        low, high = spec.get("minStep") or 0, spec.get("maxStep")
        high = math.inf if high is None else high
        logged = [flat(row) | {"_step": step} for step, row in self._history() if low <= step < high]
        if keys:
            logged = [{key: row[key] for key in keys} for row in logged if all(key in row for key in keys)]
        return _sampled(logged, spec.get("samples") or SAMPLES)

    def parquet_history(self, live_keys: Any) -> dict[str, Any]:
        return {"parquetUrls": [], "liveData": []}

    def log_lines(
        self,
        first: Number = None,
        last: Number = None,
        after: Words = None,
        use_improved_pagination: bool | None = None,
    ) -> dict[str, Any]:
        path = self.desk.path(self.row) / "log.txt"
        texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        lines = [_log_line(at, text) for at, text in enumerate(texts)]
        return page(lines, str(max(0, len(lines) - last)) if last else after, first)

    def file_count(self) -> int:
        return len(self.graph.links.files(self.row))

    def files(
        self, names: Sequence[str] | None = None, after: Words = None, first: Number = None, pattern: str | None = None
    ) -> dict[str, Any]:
        """With names: those, whether they are there or not, as clients ask so where to upload."""
        links = self.graph.links
        if names:
            listed = [File(self.graph, self.row, name) for name in names]
        else:
            like = re.compile(".*".join(map(re.escape, (pattern or "%").split("%"))))
            listed = [File(self.graph, self.row, name) for name in links.files(self.row) if like.fullmatch(name)]
        return page(listed, after, first, uploadHeaders=[])

    def output_artifacts(self, after: Words = None, first: Number = None) -> dict[str, Any]:
        rows = self.graph.store.rows(OUTPUTS, self.row["id"])
        return page([self.graph.artifacts.Artifact(self.graph, row) for row in rows], after, first)

    def input_artifacts(self, after: Words = None, first: Number = None) -> dict[str, Any]:
        query = "SELECT artifacts.* FROM artifacts JOIN uses ON uses.artifact = artifacts.id WHERE uses.run = ?"
        return page(
            [self.graph.artifacts.Artifact(self.graph, row) for row in self.graph.store.rows(query, self.row["id"])],
            after,
            first,
        )

    def run_info(self) -> dict[str, Any] | None:
        path = self.graph.links.place(self.row, "wandb-metadata.json")
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        keys = ("program", "args", "os", "python", "colab", "executable", "codeSaved")
        counts = {"cpuCount": metadata.get("cpu_count"), "gpuCount": metadata.get("gpu_count")}
        return {key: metadata.get(key) for key in (*keys, "gpu", "git")} | counts


def _log_line(at: int, text: str) -> dict[str, Any]:
    level, text = ("error", text[6:]) if text.startswith("ERROR ") else ("", text)
    stamp, _, rest = text.partition(" ")
    known = len(stamp) > 18 and stamp[:4].isdigit()
    return {
        "number": at,
        "timestamp": stamp if known else None,
        "level": level,
        "label": "",
        "line": rest if known else text,
    }


T = TypeVar("T")


def _sampled(items: list[T], most: int) -> list[T]:
    """At most so many of them, at equal distances, the last one among them."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / max(1, most - 1))] for i in range(most)]


class Stored:
    """What is told of a file of a run or of an artifact, from its ``facts``."""

    facts: Any  # see `muslin.sweeps.server.links.facts`

    @property
    def size_bytes(self) -> int:
        return self.facts["size"]

    @property
    def mimetype(self) -> str:
        return self.facts["type"]

    @property
    def md5(self) -> str | None:
        return self.facts["md5"]

    digest = md5

    @property
    def updated_at(self) -> str | None:
        return moment(self.facts["changed"])


class File(Stored):
    def __init__(self, graph: Graph, run: Row, name: str):
        self.graph, self.run, self.name, self.display_name = graph, run, name, name
        self.id = f"File:{run['id']}:{name}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        return self.graph.links.facts(self.run, self.name)

    def url(self, upload: bool | None = False) -> str | None:
        """Null for a download of what is not there."""
        if upload:
            return self.graph.links.upload(self.run, self.name)
        return self.graph.links.download(self.run, self.name) if self.facts["changed"] else None

    def direct_url(self) -> str | None:
        return self.url()


class Sweep:
    early_stop_job_running, controller, scheduler, description = False, None, None, None

    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.name, self.state, self.config = graph, row, row["id"], row["state"], row["config"]
        self.id, self.display_name = row["id"], row["display"]
        self.created_at, self.updated_at = moment(row["created"]), moment(row["updated"])

    @cached_property
    def led(self) -> LedSweep:
        return self.graph.desk.led_sweep(self.row["id"])

    @property
    def method(self) -> str:
        return self.led.sweep.method

    @property
    def heartbeat_at(self) -> str | None:
        seen = self.graph.store.row("SELECT max(seen) AS t FROM agents WHERE sweep = ?", self.name)["t"]
        return moment(seen or self.row["created"])

    @property
    def best_loss(self) -> float | None:
        return self.led.best.value if self.led.best else None

    def project(self) -> Project:
        return Project(self.graph, self.graph.store.get("projects", id=self.row["project"]))

    def user(self) -> User:
        return User()

    def _rows(self) -> list[Row]:
        return self.graph.store.rows("SELECT * FROM runs WHERE sweep = ? ORDER BY created, id", self.name)

    def run_count(self) -> int:
        return len(self._rows())

    def run_count_expected(self) -> float | None:
        size = self.led.search.size
        return None if math.isinf(size) else size

    def runs(self, after: Words = None, first: Number = None, order: Words = None) -> dict[str, Any]:
        return page([Run(self.graph, row) for row in self._rows()], after, first)

    def agent(self, agent_name: str) -> Agent | None:
        row = self.graph.store.get("agents", id=agent_name, sweep=self.name)
        return row and Agent(self.graph, row)

    def agents(self) -> dict[str, Any]:
        rows = self.graph.store.rows("SELECT * FROM agents WHERE sweep = ? ORDER BY created", self.name)
        return page([Agent(self.graph, row) for row in rows])


class Agent:
    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.id, self.name, self.host = graph, row, row["id"], row["id"], row["host"]
        self.total_runs, self.created_at, self.heartbeat_at = row["runs"], moment(row["created"]), moment(row["seen"])

    @property
    def state(self) -> str:
        return "RUNNING" if time.time() - self.row["seen"] < trials.UNBEGUN else "FINISHED"

    def runs(
        self, after: Words = None, before: Words = None, first: Number = None, last: Number = None, order: Words = None
    ) -> dict[str, Any]:
        rows = self.graph.store.rows("SELECT * FROM runs WHERE agent = ? ORDER BY created, id", self.id)
        return page([Run(self.graph, row) for row in rows], after, first)
