"""A trial that is a program of the user's own, in any language: its command, its environment, what it logs.

It sees what W&B's agent gives (wandb/wandb_agent.py, MIT), so that a script for W&B's sweeps needs no change.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from muslin.errors import InputError
from muslin.executors.processes import kill_group
from muslin.files import write_json, write_json_lines, write_text
from muslin.sweeps import wandb_file
from muslin.sweeps.file.space import Config

DEFAULT = ["${env}", "${interpreter}", "${program}", "${args}"]
MACRO = re.compile(r"\$\{.*\}")
ENVIRONMENT = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")

#: macro that stands for several arguments → those of one parameter
ARGUMENTS = {
    "${args}": lambda name, value: [f"--{name}={value}"],
    "${args_no_hyphens}": lambda name, value: [f"{name}={value}"],
    "${args_no_equals}": lambda name, value: [f"--{name}", str(value)],
    "${args_no_boolean_flags}": lambda name, value: (
        [f"--{name}"] * value if isinstance(value, bool) else [f"--{name}={value}"]
    ),
    "${args_append_hydra}": lambda name, value: [f"+{name}={value}"],
    "${args_override_hydra}": lambda name, value: [f"++{name}={value}"],
}
#: seconds that a program has to end by itself once it is told to
GRACE = 10


def command(template: Sequence[Any] | None, program: str | None, config: Config, file: Path | None = None) -> list[str]:
    """The command line of one trial, W&B's macros filled in. A variable that is not set stays as its name, a macro
    that W&B does not know vanishes.

    file: where the JSON file of ``${args_json_file}`` is
    """
    single = {
        "${env}": ["/usr/bin/env"] if os.name == "posix" else [],
        "${interpreter}": ["python"],
        "${program}": [program] if program else [],
        "${args_json}": [json.dumps(config)],
        "${args_json_file}": [str(file)],
    }
    words = []
    for word in map(str, template or DEFAULT):
        word = ENVIRONMENT.sub(lambda match: os.environ.get(match[1], match[1]), word)
        if word in ARGUMENTS:
            words += [argument for pair in config.items() for argument in ARGUMENTS[word](*pair)]
        else:
            words += single.get(word, [] if MACRO.fullmatch(word) else [word])
    return words


def environment(task: dict[str, Any], run: Path) -> dict[str, str]:
    """What the program sees: W&B's variables, offline unless said otherwise. ``python`` is the first on the user's
    PATH; ours is behind it, for systems that have none of that name."""
    ours = {"WANDB_SWEEP_ID": task["sweep"], "WANDB_RUN_ID": run_id(run.name)}
    ours["WANDB_SWEEP_PARAM_PATH"] = str((run / "parameters.yaml").absolute())
    ours |= {f"WANDB_{key.upper()}": task[key] for key in ("entity", "project") if task.get(key)}
    ours["PATH"] = os.environ.get("PATH", os.defpath)
    if shutil.which("python", path=ours["PATH"]) is None:
        ours["PATH"] += os.pathsep + str(Path(sys.executable).parent)
    mode = "online" if task.get("live") else "offline"
    usual = {"WANDB_MODE": mode, "WANDB_DIR": str(run.absolute()), "PYTHONUNBUFFERED": "1"}
    return usual | os.environ | ours | (task.get("live") or {})


def run_id(name: str) -> str:
    """W&B takes no comma in a run's id."""
    return name.replace(",", "_")


def parameters(config: Config) -> str:
    """The text of the file in which W&B's client finds a run's configuration, which wins over ``config=``."""
    import yaml

    values = {name: {"value": value} for name, value in config.items()}
    return "wandb_version: 1\n\n" + (yaml.safe_dump(values, sort_keys=False, allow_unicode=True) if values else "")


def run_program(
    task: dict[str, Any],
    report: Callable[[dict[str, Any]], str | None],
    begun: Callable[[Program], Any] = lambda program: None,
) -> tuple[dict[str, Any], str | None]:
    """Run the program of a task; returns (summary, why it was stopped early, or None).

    ``report(row)`` is called with each line of its output that is a JSON object holding the metric, and with the rows
    of the W&B run that it may have left, unless those are heard ``live``; where it returns a reason, the program is
    ended. ``begun`` is called with the `Program`. One that was broken off before is begun anew. Raises InputError with
    its last words if it fails, or if it takes longer than the task's ``timeout``.
    """
    run, metric = Path(task["run"]), task["metric"]
    run.mkdir(parents=True, exist_ok=True)
    words = command(task["command"], task["program"], task["config"], (run / "args.json").absolute())
    write_text(run / "args.json", json.dumps(task["config"], indent=2))  # for the program: no digest in it
    write_text(run / "parameters.yaml", parameters(task["config"]))
    write_json(run / "config.json", {"name": run.name, "config": task["config"], "command": words})
    variables, start = environment(task, run), time.time()
    rows, written = [], 0.0
    process = Program(words, variables, task.get("timeout"))
    with open(run / "log.txt", "w", encoding="utf-8") as log, process as program:
        begun(program)
        for line in program.output:
            log.write(line)
            log.flush()
            row = _logged(line, metric)
            if row is None or program.stopped:
                continue
            rows.append(row)
            if time.monotonic() > written + 1:  # the whole file each time: for those who watch
                write_json_lines(run / "history.jsonl", rows)
                written = time.monotonic()
            if reason := report(row):
                program.stop(reason)
    stopped = program.stopped
    if program.late and not stopped:
        raise InputError(f"It took longer than {task['timeout']:g} seconds, and was ended.")
    if program.process.returncode and not stopped:
        raise InputError(_failure(program.process.returncode, last_words(run / "log.txt"), variables))
    summary: dict[str, Any] = {}
    if not rows:
        rows, summary = _wandb_run(run, variables, metric, start)
        for row in () if task.get("live") else rows:
            report(row)
    write_json_lines(run / "history.jsonl", rows)
    values = [row[metric] for row in rows if metric and isinstance(row.get(metric), int | float)]
    if metric in summary or values:
        summary = {metric: summary.get(metric, values[-1] if values else None)}
    summary = {"iterations": len(rows), **summary}
    write_json(run / "summary.json", summary)
    return summary, stopped


class Program:
    """A program that runs in a process group of its own; when it ends, or is late, so does all that it began."""

    def __init__(self, words: list[str], variables: Mapping[str, str], timeout: float | None = None):
        if not words:
            raise InputError("The command of the sweep file is empty once its macros are filled in.")
        self.late = False
        self.stopped: str | None = None
        try:
            self.process = subprocess.Popen(
                words,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except (OSError, ValueError) as error:  # ValueError: a zero byte in an argument
            raise InputError(f"Cannot run {words[0]!r}: {getattr(error, 'strerror', None) or error}.") from error
        assert self.process.stdout
        self.output = self.process.stdout
        self.timer = threading.Timer(timeout, self._be_late) if timeout else None
        self.waiter = threading.Thread(target=self._wait, daemon=True)

    def __enter__(self) -> Self:
        self.waiter.start()
        if self.timer:
            self.timer.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.timer:
            self.timer.cancel()
        if error[0]:
            self.kill()
        self.waiter.join()
        self.output.close()

    def _wait(self) -> None:
        """What the program leaves behind holds its output open: only once that is gone, its last line has come."""
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)  # its number stays taken until wait()
        self.kill()
        self.process.wait()

    def _be_late(self) -> None:
        self.late = True
        self.end()

    @property
    def group(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        kill_group(self.group)

    def stop(self, reason: str) -> None:
        """End it, for this reason; its output is read on meanwhile."""
        if not self.stopped:
            self.stopped = reason
            threading.Thread(target=self.end, daemon=True).start()

    def end(self) -> None:
        """Ask it to end, and after a while make it."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGTERM)
        self.waiter.join(GRACE)
        if self.waiter.is_alive():
            self.kill()


def _die_with_parent() -> None:
    """On Linux a program does not outlive a worker that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _logged(line: str, metric: str | None) -> dict[str, Any] | None:
    """The JSON object in a line of output if it holds the metric, or where there is no metric any JSON object."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and (metric is None or metric in row) else None


def _failure(code: int, words: str, variables: Mapping[str, str]) -> str:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    which = f" (python is {shutil.which('python', path=variables['PATH'])})" if "ModuleNotFoundError" in words else ""
    return f"The program ended with {how}: {words}{which}"


def last_words(log: Path) -> str:
    """Why a program failed, as its log has it: the exception of the last traceback, else the last line. What W&B's
    client says at the end of every run is not it."""
    lines = [COLOR.sub("", line.rstrip()) for line in log.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line.strip() and not line.startswith("wandb:")]
    tracebacks = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    after = lines[tracebacks[-1] + 1 :] if tracebacks else []
    words = next((line for line in after if not line[0].isspace()), lines[-1] if lines else "it printed nothing.")
    return words.strip()[:300]


COLOR = re.compile(r"\x1b\[[0-9;]*m")


def _wandb_run(
    run: Path, variables: Mapping[str, str], metric: str | None, start: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(rows that have the metric, summary) of the offline run that the program left with W&B's client, wherever that
    is: in the folder of WANDB_DIR, or as ``wandb.init(dir=…)`` said and the client printed."""
    said = re.findall(r"(?:locally in|wandb sync) (\S+run-\S+)", (run / "log.txt").read_text(encoding="utf-8"))
    folders = {*map(Path, said)}
    for place in (run, Path(variables["WANDB_DIR"]), Path.cwd()):
        folders |= {*place.glob(f"wandb/*run-*-{variables['WANDB_RUN_ID']}")}
    files = {file.resolve() for folder in folders for file in folder.glob("*.wandb")}
    written = sorted((file.stat().st_mtime, file) for file in files)
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    for file in (file for at, file in written if at >= start - 2):
        more, last = wandb_file.read(file)
        rows, summary = rows + more, summary | last
    return [row for row in rows if metric is None or _is_number(row.get(metric))], summary


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
