"""The server's desk: what happens to projects, runs and sweeps, whoever asks. graph.py and application.py speak to it.

RUNS_DIR/.server/   state.db, the key, where the server listens
RUNS_DIR/PROJECT/RUN/            config.json, history.jsonl, events.jsonl, log.txt, summary.json at its end, files/
RUNS_DIR/PROJECT/SWEEP/RUN/      the same, beside sweep.json and study.db
"""

from __future__ import annotations

import json
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from muslin.errors import InputError, visible
from muslin.files import finite, write_json
from muslin.sweeps.server import trials
from muslin.sweeps.server.logs import LineFile, rows
from muslin.sweeps.server.store import Book, Row, Store, folder_name, fresh_id

ENTITY = "local"
PROJECT = "uncategorized"
#: seconds without a word after which a run counts as crashed
CRASHED = 300
#: lines of a file that can be meant
LINES = 10**9
#: a client's file → ours
STREAMS = {"wandb-history.jsonl": "history.jsonl", "wandb-events.jsonl": "events.jsonl", "output.log": "log.txt"}
#: a GraphQL input's field → the column
FIELDS = {
    "displayName": "display", "groupName": "grp", "jobType": "job_type", "notes": "notes", "description": "description",
    "tags": "tags", "jobProgram": "program", "host": "host", "commit": "revision", "jobRepo": "repo",
}  # fmt: skip
ADJECTIVES = "amber bold brisk calm clever crisp dapper deft early fair fine fresh glad grand keen light neat quick"
NOUNS = "bobbin button cloth collar cuff dart fold hem lace loom needle pattern pleat pocket seam sleeve spool thread"


#: (run, number of the first line, rows)
Listener: TypeAlias = Callable[[Row, int, list[dict[str, Any]]], Any]


class Part(BaseModel):
    content: list[str] | None = None
    offset: int | None = Field(None, ge=0, le=LINES)


class Piece(BaseModel):
    """What a client sends of a run's files."""

    files: dict[str, Part] | None = None
    complete: bool | None = None
    exitcode: int | None = Field(None, ge=-(2**31), lt=2**31)


def _piece(sent: Any) -> Piece:
    try:
        return Piece.model_validate(sent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise InputError(f"A piece of a stream has the wrong form: {visible(where)[:200]}: {first['msg']}.") from None


class Desk:
    """``listener(run, offset, rows)``, if there is one, is told what each run logs, from that line on."""

    def __init__(self, root: str | PathLike[str], storage: str | None = None, listener: Listener | None = None):
        self.root, self.storage, self.listener = Path(root), storage, listener
        self.store = Store(self.root / ".server" / "state.db")
        self.book = Book(self.store, self.root)
        self.start, self.started = secrets.token_hex(8), time.time()
        self.files: dict[Path, LineFile] = {}
        self.led: dict[str, trials.LedSweep] = {}
        self.locks: dict[int, threading.RLock] = {}
        self.lock = threading.RLock()

    def lines(self, path: Path) -> LineFile:
        """The line file at the path, one object a path, so that it knows where its lines are."""
        with self.lock:
            return self.files.setdefault(Path(path), LineFile(path, self.book))

    def lock_of(self, run: Row) -> threading.RLock:
        with self.lock:
            return self.locks.setdefault(run["id"], threading.RLock())

    # Projects, runs

    def project(self, entity: str | None, name: str | None) -> Row:
        """It is begun if it is not there, as at W&B."""
        return self.store.project(entity or ENTITY, name or PROJECT)

    def known_project(self, entity: str | None, name: str | None) -> Row | None:
        return self.store.get("projects", entity=entity or ENTITY, name=name or PROJECT)

    def run(self, entity: str | None, project: str | None, name: str | None) -> Row | None:
        known = self.known_project(entity, project)
        return self.store.get("runs", project=known["id"], name=name) if known else None

    def run_by_id(self, id: Any) -> Row | None:
        return self.store.get("runs", id=_number(id))

    def path(self, run: Row) -> Path:
        return self.root / run["folder"]

    def upsert_run(self, fields: dict[str, Any]) -> tuple[Row, bool]:
        """(run, whether it is new). Fields of null stay as they are. Raises InputError where an id names no run."""
        known = self.run_by_id(fields["id"]) if fields.get("id") and not fields.get("name") else None
        if fields.get("id") and not fields.get("name") and known is None:
            raise InputError(f"There is no run with the id {fields['id']!r}.")
        with self.store.transaction():
            inserted = False
            if known is None:
                project = self.project(fields.get("entityName"), fields.get("modelName"))
                name = fields.get("name") or fresh_id()
                known = self.store.get("runs", project=project["id"], name=name)
                inserted = known is None
                known = known or self._begin(project, name, fields.get("sweep"))
            self.store.change("runs", {"id": known["id"]}, **self._changes(known, fields, inserted))
            run = self.store.get("runs", id=known["id"])
        if inserted or fields.get("config") is not None or any(fields.get(key) is not None for key in FIELDS):
            self.write_config(run)
        if fields.get("summaryMetrics") is not None and run["ended"]:
            self.write_summary(run)
        return run, inserted

    def _begin(self, project: Row, name: str, sweep: str | None) -> Row:
        folder = project["folder"]
        known = self.store.get("sweeps", id=sweep) if sweep else None
        folder = self.store.free_folder("runs", f"{known['folder'] if known else folder}/{folder_name(name)}")
        while not known and (self.root / folder / "sweep.json").exists():
            folder = f"{folder}-run"
        now, number = (
            time.time(),
            self.store.row("SELECT count(*) AS n FROM runs WHERE project = ?", project["id"])["n"] + 1,
        )
        facts = {"project": project["id"], "name": name, "folder": folder, "sweep": sweep, "created": now, "beat": now}
        agent = self.store.get("agents", sweep=sweep, run=name) if sweep else None
        facts["agent"] = agent and agent["id"]
        id = self.store.add("runs", **facts, display=display_name(number))
        return self.store.get("runs", id=id)

    def _changes(self, run: Row, fields: dict[str, Any], inserted: bool) -> dict[str, Any]:
        sent = {column: fields[key] for key, column in FIELDS.items() if fields.get(key) is not None}
        changes = sent | {"beat": time.time()}
        if fields.get("sweep") and not run["sweep"]:
            changes["sweep"] = fields["sweep"]
        if fields.get("config") is not None:
            changes["config"] = json.dumps(object_of(fields["config"], "config"))
        if fields.get("summaryMetrics") is not None:
            changes["summary"] = json.dumps(object_of(fields["summaryMetrics"], "summaryMetrics"))
        if run["ended"] and not inserted and fields.get("name") and fields.get("config") is not None:  # it goes on
            changes |= {"state": "running", "ended": None, "exitcode": None, "stop": 0}
        if fields.get("state") and fields["state"] != "running":
            changes |= {"state": fields["state"]}
        return changes

    def sent_by(self, run: Row) -> dict[str, Any]:
        """What a run is, in words for its config.json."""
        project = self.store.get("projects", id=run["project"])
        words = {"id": run["name"], "project": project["name"], "entity": project["entity"], "sweep": run["sweep"]}
        words |= {
            "group": run["grp"],
            "job_type": run["job_type"],
            "tags": json.loads(run["tags"]),
            "notes": run["notes"],
        }
        return words | {"program": run["program"], "host": run["host"], "revision": run["revision"]}

    def write_config(self, run: Row) -> None:
        config = json.loads(run["config"])
        hidden = config.get("_wandb", {})
        hidden = hidden.get("value") if isinstance(hidden, dict) else hidden
        about = self.sent_by(run) | {"created": run["created"]}
        name = run["display"] or run["name"]
        facts = {"name": name, "config": config_values(config), "wandb": about, "client": hidden}
        write_json(self.path(run) / "config.json", facts)

    def write_summary(self, run: Row) -> None:
        known = json.loads(run["summary"])
        summary = {key: value for key, value in known.items() if not key.startswith("_")}  # what the client adds
        facts = {"state": run["state"], "exitcode": run["exitcode"], "iterations": self.history(run).lines()}
        seconds = known.get("_runtime") or (run["ended"] or run["beat"]) - run["created"]
        write_json(self.path(run) / "summary.json", facts | {"seconds": seconds} | summary)

    def history(self, run: Row) -> LineFile:
        return self.lines(self.path(run) / "history.jsonl")

    def history_rows(self, run: Row, start: int = 0) -> Iterator[dict[str, Any]]:
        self.history(run).lines()  # or it raises: damage is seen
        return rows(self.path(run) / "history.jsonl", start)

    def state(self, run: Row) -> str:
        """Of a run: running, finished, failed, crashed, killed."""
        silent = time.time() - max(run["beat"], self.started)
        return "crashed" if run["state"] == "running" and silent > CRASHED else run["state"]

    def end_run(self, run: Row, state: str, exitcode: int | None = None) -> None:
        with self.lock_of(run):
            self.store.change("runs", {"id": run["id"]}, state=state, exitcode=exitcode, ended=time.time())
            run = self.store.get("runs", id=run["id"])
            self.write_config(run)
            self.write_summary(run)
            for name in ("history.jsonl", "events.jsonl"):
                self.lines(self.path(run) / name).seal()

    def delete_run(self, run: Row) -> None:
        import shutil

        with self.store.transaction():
            self.store.remove("runs", id=run["id"])
            self.store.remove("uses", run=run["id"])
            self.store.remove("outputs", run=run["id"])
        for name in ("history.jsonl", "events.jsonl", "log.txt"):
            self.files.pop(self.path(run) / name, None)
        shutil.rmtree(self.path(run), ignore_errors=True)

    # What a run streams

    def stream(self, entity: str, project: str, name: str, sent: Any) -> dict[str, Any]:
        """A piece of a run's file stream; returns the answer. A run that is not known is begun: better than lost.

        Raises InputError where it is none."""
        piece = _piece(sent)
        run = (
            self.run(entity, project, name)
            or self.upsert_run({"entityName": entity, "modelName": project, "name": name})[0]
        )
        changes: dict[str, Any] = {"beat": time.time()}
        logged = None
        with self.lock_of(run):
            if run["state"] == "crashed":
                changes |= {"state": "running", "ended": None}
            for file, part in (piece.files or {}).items():
                content, offset = part.content or [], part.offset or 0
                if file == "wandb-summary.json" and content:
                    changes["summary"] = json.dumps(object_of(content[-1], "summary"))
                elif file in STREAMS:
                    rows = self._write(run, file, offset, content)
                    logged = (offset, rows) if file == "wandb-history.jsonl" else logged
            self.store.change("runs", {"id": run["id"]}, **changes)
        if logged:  # without the lock: a sweep has one of its own, under which it may want the run's
            self._logged(run, *logged)
        if piece.complete:
            self._complete(run, piece.exitcode or 0)
        return {"stopped": True} if run["stop"] and not piece.complete else {}

    def _write(self, run: Row, file: str, offset: int, content: list[str]) -> list[dict[str, Any]]:
        """Keep the lines of one file; returns its rows."""
        if file == "output.log":
            rows, lines = [], [_one_line(line) for line in content]
        else:
            rows = [_row(line) for line in content]
            lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
        self.lines(self.path(run) / STREAMS[file]).write(offset, lines)
        return rows

    def _logged(self, run: Row, offset: int, new: list[dict[str, Any]]) -> None:
        led = self.sweep_of(run)
        if led:
            with led.lock:
                led.logged(run["name"], offset, new)
        if self.listener:
            self.listener(run, offset, new)

    def _complete(self, run: Row, exitcode: int) -> None:
        run = self.store.get("runs", id=run["id"])
        led = self.sweep_of(run)
        stopped = run["stop"] or (led and run["name"] in led.stopping)
        state = "finished" if exitcode == 0 else "killed" if stopped else "failed"
        self.end_run(run, state, exitcode)
        if led:
            with led.lock:
                led.ended(run["name"], "finished" if exitcode == 0 else "failed", exitcode)

    def alert(self, run: Row, title: str | None, text: str | None, severity: str | None) -> None:
        alerts = [*json.loads(run["alerts"]), {"title": title, "text": text, "severity": severity, "time": time.time()}]
        self.store.change("runs", {"id": run["id"]}, alerts=alerts)

    # Sweeps

    def sweep_of(self, run: Row) -> trials.LedSweep | None:
        return self.sweep(run["sweep"]) if run["sweep"] else None

    def led_sweep(self, id: Any) -> trials.LedSweep:
        """The sweep with this id, which there is."""
        led = self.sweep(id)
        assert led
        return led

    def sweep(self, id: Any) -> trials.LedSweep | None:
        """The sweep with this id, led by us; None if there is none."""
        with self.lock:
            if id not in self.led:
                row = self.store.get("sweeps", id=id)
                if row is None:
                    return None
                self.led[id] = trials.LedSweep(self, row)
            return self.led[id]

    def create_sweep(
        self, entity: str | None, project: str | None, config: dict[str, Any], display: str | None = None
    ) -> tuple[str, list[str]]:
        at = self.project(config.get("entity") or entity, config.get("project") or project)
        return trials.create(self, at, config, self.storage, display or config.get("name"))

    def create_agent(self, sweep: str, host: str | None) -> Row:
        id = fresh_id(12)
        now = time.time()
        self.store.add("agents", id=id, sweep=sweep, host=host, created=now, seen=now)
        return self.store.get("agents", id=id)

    def heartbeat(self, id: Any, named: Any) -> tuple[Row | None, list[dict[str, Any]]]:
        """(agent or None, commands)"""
        agent = self.store.get("agents", id=id)
        led = agent and self.sweep(agent["sweep"])
        if led is None:
            return agent, [{"type": trials.EXIT}]
        with led.lock:
            commands = led.heartbeat(self.store.get("agents", id=id), named)
        return self.store.get("agents", id=id), commands

    def close(self) -> None:
        for led in self.led.values():
            led.study.release()
        self.store.close()


def display_name(number: int) -> str:
    """A name such as brisk-bobbin-3: another one for each number, the same for the same."""
    adjectives, nouns = ADJECTIVES.split(), NOUNS.split()
    return f"{adjectives[number * 7 % len(adjectives)]}-{nouns[number * 3 % len(nouns)]}-{number}"


def _number(id: Any) -> int:
    try:
        return int(str(id).rpartition(":")[2])
    except ValueError:
        return -1


def _row(line: str) -> dict[str, Any]:
    """A line of history as strict JSON: clients send bare NaN and Infinity, which become null."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return finite(row) if isinstance(row, dict) else {}


def config_values(config: dict[str, Any]) -> dict[str, Any]:
    """A run's configuration as its program set it; a client sends {name: {"value": …}}, and words of its own."""
    return {k: v.get("value") if isinstance(v, dict) else v for k, v in config.items() if k != "_wandb"}


def object_of(text: Any, what: str) -> dict[str, Any]:
    """The JSON object in a text. NaN and infinities stay, as W&B's words for them."""
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError(f"{what} must be a JSON object.")
    return worded(value)


def worded(value: Any) -> Any:
    """The value with each NaN or infinity in it as a text, "NaN" or "Infinity", as W&B's server gives them."""
    if isinstance(value, dict):
        return {key: worded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [worded(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _one_line(line: str) -> str:
    return line.rstrip("\n").replace("\n", " ").replace("\r", " ")
