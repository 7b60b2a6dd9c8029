"""A sweep as the server leads it: what to try next, when to stop, what came of it.

It is a sweep directory as `muslin sweep` makes it, with the same search and the same rule for stopping early. The
order of writes makes any moment of a kill harmless: claim → trial → told to an agent → … → trial ended. What is claimed
but not told, or told but never begun, is given out again.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from muslin.documents import flat
from muslin.errors import InputError
from muslin.executors.jobs import TRIES
from muslin.sweeps.directory import SweepDirectory, begin
from muslin.sweeps.file import schema
from muslin.sweeps.file.hyperband import stops
from muslin.sweeps.scheduler import best
from muslin.sweeps.search import SEARCHES, Exhausted
from muslin.sweeps.server.logs import rows
from muslin.sweeps.server.store import Row, fresh_id
from muslin.sweeps.trial_store import ENDED, Trial, storage_errors

if TYPE_CHECKING:
    from muslin.sweeps.server.desk import Desk

#: seconds without a word after which an agent's trial is given to another: one that never began, one that did
UNBEGUN, SILENT = 60, 300
#: an answer that did not arrive is asked for again after this many seconds, or after a restart of the server
LATE = 15
#: seconds that a run which its agent no longer names may still take to say how it ended
GRACE = 20
#: iterations of a trial that Optuna's storage is told of; hyperband itself reads them all
INTERMEDIATE = 1000
#: seconds between two signs of life of our claims in a study
BEAT = 30

#: states of a sweep in which it gives out trials; in which its agents may go
OPEN, CLOSED = ("PENDING", "RUNNING"), ("FINISHED", "CANCELED", "STOPPED", "CRASHED", "FAILED")
RUN, STOP, EXIT = "run", "stop", "exit"
#: an agent has not got our answer
UNHEARD = "unheard"


def create(
    server: Desk, project: Row, config: dict[str, Any], storage: str | None = None, name: str | None = None
) -> tuple[str, list[str]]:
    """(id, warnings) of a new sweep. Raises InputError: every problem of its file."""
    sweep = schema.parse(config, where="The sweep")
    id = fresh_id()
    while server.store.get("sweeps", id=id):
        id = fresh_id()
    folder = f"{project['folder']}/{id}"
    begin(sweep, id, server.root / project["folder"], storage=storage)
    now = time.time()
    server.store.add(
        "sweeps",
        id=id,
        project=project["id"],
        folder=folder,
        config=_text(config),
        display=name,
        created=now,
        updated=now,
    )
    return id, list(sweep.warnings)


def _text(config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


class LedSweep:
    """One sweep of the server. Its methods are called under ``lock``."""

    def __init__(self, server: Desk, row: Row):
        self.server, self.store, self.id = server, server.store, row["id"]
        self.lock = threading.RLock()
        self.directory = SweepDirectory(server.root / row["folder"])
        self.sweep = self.directory.sweep
        self.study = self.directory.study(server.storage)
        agreed = self.directory.facts["definition"]
        self.metric = self.sweep.metric
        self.search = SEARCHES[self.sweep.method](self.sweep, agreed["seed"], agreed.get("sampler"))
        self.trials = self.study.trials()
        self.by_run = {trial.run: trial for trial in self.trials.values()}
        self.lines: dict[str, int] = {}  # run → lines of its history that are counted
        self.beaten = 0.0
        for trial in self.trials.values():
            if trial.state == "running" or not trial.history:
                self._read(trial)
            self.search.tell(trial)
        ended = {number for number, trial in self.trials.items() if trial.state in ENDED}
        self.waiting = [n for n in self.study.orphans(ended)[0] if not self._told(self.trials.get(n))]
        self.stopping = {
            row["run"]: row["reason"] for row in self.store.rows("SELECT * FROM stops WHERE sweep = ?", self.id)
        }

    @property
    def row(self) -> Row:
        return self.store.get("sweeps", id=self.id)

    @property
    def limit(self) -> float:
        return min(n for n in (self.sweep.run_cap, self.search.size, math.inf) if n is not None)

    @property
    def best(self) -> Trial | None:
        return best(self.trials.values(), self.metric) if self.metric else None

    def _told(self, trial: Trial | None) -> bool:
        """Whether an agent has the trial."""
        return trial is not None and self.store.get("agents", sweep=self.id, run=trial.run) is not None

    # What agents ask

    def heartbeat(self, agent: Row, named: Any) -> list[dict[str, Any]]:
        """The commands for an agent that says which runs it has: at most one, as function agents obey no second."""
        now, state = time.time(), self.row["state"]
        lapse = now - max(agent["seen"], self.server.started)
        self.store.change("agents", {"id": agent["id"]}, seen=now)
        self._beat(now)
        self._reclaim(now)
        held = agent["run"]
        if held:
            trial = self.by_run[held]
            if held in named:
                if not agent["begun"]:
                    self.store.change("agents", {"id": agent["id"]}, begun=1)
                unwanted = held in self.stopping or state == "CANCELED"
                return [{"type": STOP, "run_id": held}] if unwanted and trial.state == "running" else []
            if trial.state == "running":
                became = self._left(agent, trial, lapse, now)
                if became is None:
                    return []
                if became == UNHEARD:
                    return self._give(agent, trial, now)
            self._release(trial)
        if named or state == "PAUSED":
            return [{"type": EXIT}] if named and state == "CANCELED" else []
        if state in CLOSED:
            return [{"type": EXIT}]
        following = self._next()
        if following is None:
            self._finish_if_done()
            return [{"type": EXIT}]
        if state == "PENDING":
            self._set("RUNNING")
        return self._give(agent, following, now)

    def _give(self, agent: Row, trial: Trial, now: float) -> list[dict[str, Any]]:
        runs = agent["runs"] + (agent["run"] != trial.run)
        facts = {"run": trial.run, "given": now, "start": self.server.start, "begun": 0, "runs": runs}
        self.store.change("agents", {"id": agent["id"]}, **facts)
        args = {key: {"value": value} for key, value in trial.config.items()}
        return [{"type": RUN, "run_id": trial.run, "program": self.sweep.program or "", "args": args}]

    def _left(self, agent: Row, trial: Trial, lapse: float, now: float) -> str | None:
        """What became of a trial that its agent does not name, though it never said how it ended: "ended", UNHEARD
        where the agent seems not to have got our answer, None where that is not clear yet."""
        run = self._run(trial)
        if trial.run in self.stopping:
            if run:
                self.server.end_run(run, "killed")
            self.ended(trial.run, "stopped")
        elif run is None:
            late = agent["start"] != self.server.start or lapse > LATE
            if late and not agent["begun"]:
                return UNHEARD
            self._end(trial, "failed", "It ended without having called wandb.init; see the agent's output.")
        elif now - max(run["beat"], self.server.started) < GRACE and self.row["state"] != "CANCELED":
            return None
        else:
            self.server.end_run(run, "failed")
            self._end(trial, "failed", self._last_words(run) or "It was killed: it ended without finishing its run.")
        return "ended"

    def _next(self) -> Trial | None:
        """A trial to be told: one that waits, or a new one; None if there are no more."""
        while self.waiting:
            number = self.waiting[0]
            trial = self.trials.get(number) or self._new(number)
            self.waiting.pop(0)  # now: where it cannot be stored, it waits on
            if trial is None or trial.state == "running":
                return trial
        with storage_errors(self.study.url):
            taken = self.study.take(self._allowed)
        if taken is None:
            return None
        self.waiting.append(taken)
        return self._next()

    def _allowed(self, number: int) -> bool:
        failed = sum(trial.state == "failed" for trial in self.trials.values())
        return number - failed < self.limit and number < self.search.size

    def _new(self, number: int) -> Trial | None:
        """The trial of a number; None, and the sweep ends, if there is nothing left to try."""
        try:
            asked = self.search.ask(number)
        except Exhausted as error:
            self._close(str(error))
            return None
        run = fresh_id()
        while run in self.by_run or (self.directory.path / run).exists():
            run = fresh_id()
        trial = self.study.start(number, asked, run)
        self.trials[number] = self.by_run[run] = trial
        self.search.tell(trial)
        return trial

    def _beat(self, now: float) -> None:
        if now - self.beaten > BEAT:
            self.beaten = now
            self.study.beat()

    def _reclaim(self, now: float) -> None:
        """Take back the trials of agents that fell silent."""
        silent = self.store.rows(
            "SELECT * FROM agents WHERE sweep = ? AND run IS NOT NULL AND seen < ?", self.id, now - UNBEGUN
        )
        for agent in silent:
            trial = self.by_run.get(agent["run"])
            if trial is None or trial.state != "running":
                self.store.change("agents", {"id": agent["id"]}, run=None)
                continue
            run = self._run(trial)
            heard = max(agent["seen"], self.server.started, run["beat"] if run else 0)
            if now - heard < (SILENT if run else UNBEGUN):
                continue
            self._release(trial)
            deaths = self.study.deaths(trial.number) if run else 0
            if run:
                self.server.end_run(run, "crashed")
            if trial.run in self.stopping:
                self.ended(trial.run, "stopped")
            elif deaths >= TRIES:
                self._end(trial, "failed", f"It fell silent {deaths} times.")
            else:
                self.waiting.append(trial.number)

    def _release(self, trial: Trial) -> None:
        """No agent has it any more."""
        self.store.change("agents", {"sweep": self.id, "run": trial.run}, run=None, begun=0)

    # What runs tell

    def logged(self, run: str, offset: int, new: list[dict[str, Any]]) -> None:
        """Rows that a run has logged, from that line on."""
        trial = self.by_run.get(run)
        if trial is None or self.metric is None:
            return
        before = len(trial.history)
        if offset == self.lines.get(run):
            trial.history += self._values(new)
            self.lines[run] += len(new)
        else:
            self._read(trial)
        if trial.state == "running" and len(trial.history) != before:
            self._judge(trial, min(before, len(trial.history)))

    def _read(self, trial: Trial) -> None:
        """Its values as its file has them."""
        path = self.directory.path / trial.run / "history.jsonl"
        self.lines[trial.run] = self.server.lines(path).lines()  # first: damage is seen
        logged = list(rows(path))
        trial.history = self._values(logged) or ([] if trial.state == "running" else trial.history)

    def _values(self, logged: Sequence[dict[str, Any]]) -> list[float]:
        if self.metric is None:
            return []
        name = self.metric.name
        values = (row[name] if name in row else flat(row).get(name) for row in logged)
        numbers = (_number(value) for value in values if value is not None)
        return [number for number in numbers if number is not None]

    def _judge(self, trial: Trial, before: int) -> None:
        """After new values: has the target been reached, should the run stop?"""
        if self.metric is None:
            return
        if any(math.isfinite(v) and self.metric.reached(v) for v in trial.history[before:]):
            self._close(f"target {self.metric.target} of {self.metric.name} reached")
        rule = self.sweep.early_terminate
        if rule is None or trial.run in self.stopping:
            return
        for n in range(before + 1, min(len(trial.history), INTERMEDIATE) + 1):
            if math.isfinite(trial.history[n - 1]):
                self.study.log(trial, n, trial.history[n - 1])
        histories = [other.history for other in self.trials.values() if other.history]
        reason = stops(trial.history, histories, rule, self.metric.goal)
        if reason:
            self.stop(trial.run, reason)

    def stop(self, run: str, reason: str) -> None:
        """Have a run stopped early."""
        if run not in self.stopping:
            self.store.add("stops", sweep=self.id, run=run, reason=reason)
            self.stopping[run] = reason

    def ended(self, run: str, state: str, exitcode: int | None = None) -> None:
        """A run has ended: "finished", "failed", or "stopped" because we wanted it to."""
        trial = self.by_run.get(run)
        if trial is None or trial.state != "running":
            return
        row = self._run(trial)
        if self.metric:
            self._read(trial)
            summary = flat(json.loads(row["summary"])) if row else {}
            last = summary.get(self.metric.name)
            trial.value = self.metric.best([*trial.history, *([_number(last)] if last is not None else [])])
        if run in self.stopping:
            valued = trial.value is not None or self.metric is None
            self._end(trial, "stopped_early" if valued else "failed", self.stopping[run])
        elif state != "finished":
            self._end(trial, "failed", self._last_words(row) or f"It ended with exit code {exitcode}.")
        elif self.metric and trial.value is None:
            logged = "was never finite" if trial.history else "was never logged"
            self._end(trial, "failed", f"The metric {self.metric.name} {logged}.")
        else:
            self._end(trial, "finished", None)
        if self.metric and trial.state != "failed" and self.metric.reached(trial.value):
            self._close(f"target {self.metric.target} of {self.metric.name} reached")
        self._finish_if_done()

    def _end(self, trial: Trial, state: str, reason: str | None) -> None:
        before = trial.state, trial.reason
        trial.state, trial.reason = state, reason
        try:
            self.study.end(trial)
        except BaseException:
            trial.state, trial.reason = before  # it is not stored: it has not ended, and its client says so again
            raise
        self.search.tell(trial)

    def _finish_if_done(self) -> None:
        if any(trial.state == "running" for trial in self.trials.values()) or self.waiting:
            return
        if not self._allowed(max(self.trials, default=-1) + 1):
            self._close("every configuration has been run" if self.limit == self.search.size else "run_cap is reached")

    def _close(self, reason: str) -> None:
        if self.row["state"] not in CLOSED:
            self.store.change("sweeps", {"id": self.id}, state="FINISHED", reason=reason, updated=time.time())

    def _set(self, state: str) -> None:
        self.store.change("sweeps", {"id": self.id}, state=state, reason=None, updated=time.time())

    def set_state(self, state: str) -> None:
        """What a person asks for: PAUSED, RUNNING, FINISHED, CANCELED. Raises InputError for another word."""
        if state not in (*OPEN, *CLOSED, "PAUSED"):
            raise InputError(f"A sweep cannot be {state!r}; it can be RUNNING, PAUSED, FINISHED or CANCELED.")
        self._set(state)
        if state == "CANCELED":
            for trial in [t for t in self.trials.values() if t.state == "running"]:
                self.stop(trial.run, "the sweep was canceled")
                if not self._told(trial):
                    self.ended(trial.run, "stopped")

    def update(self, config: dict[str, Any]) -> list[str]:
        """Another file for a sweep that goes on: what may change in it, such as run_cap. Raises InputError."""
        sweep = schema.parse(config, where="The sweep")
        path = self.directory.path
        agreed = self.directory.facts["definition"]
        begin(sweep, path.name, path.parent, agreed["seed"], agreed.get("sampler", "tpe"), self.server.storage)
        self.directory, self.sweep = SweepDirectory(path), sweep
        self.store.change("sweeps", {"id": self.id}, config=_text(config), updated=time.time())
        return list(sweep.warnings)

    def _run(self, trial: Trial) -> Row | None:
        return self.store.get("runs", project=self.row["project"], name=trial.run)

    def _last_words(self, run: Row | None) -> str | None:
        """The exception that ended a run, as its console has it."""
        if run is None:
            return None
        lines = self.server.lines(self.server.root / run["folder"] / "log.txt").tail(200)
        return exception(lines)


def exception(lines: Sequence[str]) -> str | None:
    """The last line of the last traceback in a console's lines, or None."""
    texts = [line.removeprefix("ERROR ") for line in lines]
    texts = [text.split(" ", 1)[1] if _stamped(text) else text for text in texts]
    begun = max(
        (i for i, text in enumerate(texts) if text.startswith("Traceback (most recent call last)")), default=None
    )
    if begun is None:
        return None
    for text in texts[begun + 1 :]:
        if text and not text[0].isspace():
            return text[:300]
    return None


def _stamped(text: str) -> bool:
    return len(text) > 20 and text[:4].isdigit() and text[10] == "T" and " " in text


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return math.nan
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
