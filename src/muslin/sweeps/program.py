"""A trial that is a program of the user's own, in any language: its command, its environment, what it logs."""

import ctypes
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from muslin.errors import InputError
from muslin.files import write_json, write_json_lines, write_text
from muslin.sweeps import wandb_file

DEFAULT = ["${env}", "${interpreter}", "${program}", "${args}"]
ENVIRONMENT = re.compile(r"\$\{envvar:([A-Za-z0-9_]*)\}")

#: macro that stands for several arguments → those of one parameter
ARGUMENTS = {
    "${args}": lambda name, value: [f"--{name}={value}"],
    "${args_no_hyphens}": lambda name, value: [f"{name}={value}"],
    "${args_no_equals}": lambda name, value: [f"--{name}", str(value)],
    "${args_no_boolean_flags}": lambda name, value: (
        [f"--{name}"] * value if isinstance(value, bool) else [f"--{name}={value}"]
    ),
}


def command(template, program, config, file=None):
    """The command line of one trial, W&B's macros filled in. A variable that is not set stays as its name.

    file: where the JSON file of ``${args_json_file}`` is
    """
    filled = []
    for word in map(str, template or DEFAULT):
        if word in ARGUMENTS:
            filled += [argument for pair in config.items() for argument in ARGUMENTS[word](*pair)]
        elif word == "${env}":
            filled += ["/usr/bin/env"] if os.name == "posix" else []
        else:
            filled.append(_filled(word, program, config, file))
    return filled


def _filled(word, program, config, file):
    single = {"${interpreter}": "python", "${program}": program or "", "${args_json_file}": str(file)}
    single["${args_json}"] = json.dumps(config)
    word = ENVIRONMENT.sub(lambda match: os.environ.get(match[1], match[1]), word)
    return single.get(word, word)


def environment(sweep, run):
    """What the program sees: W&B's variables, offline unless said otherwise, and first on PATH our Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    number = run.name.replace(",", "_")  # W&B takes no comma in a run's id
    ours = {"WANDB_SWEEP_ID": sweep, "WANDB_RUN_ID": number, "WANDB_DIR": str(run.absolute())}
    return {"WANDB_MODE": "offline", **os.environ, **ours, "PATH": path, "PYTHONUNBUFFERED": "1"}


def train(task, report):
    """Run the program of a task; returns (summary, why it was stopped early, or None).

    ``report(row)`` is called with each line of its output that is a JSON object holding the metric, and with the rows
    of the W&B run that it may have left; where it returns a reason, the program is ended. The program is begun anew
    if it was broken off before. Raises InputError with its last words if it fails.
    """
    run, metric = Path(task["run"]), task["metric"]
    run.mkdir(parents=True, exist_ok=True)
    words = command(task["command"], task["program"], task["config"], (run / "args.json").absolute())
    write_text(run / "args.json", json.dumps(task["config"], indent=2))  # for the program: no digest in it
    write_json(run / "config.json", {"name": run.name, "config": task["config"], "command": words})
    rows, stopped = [], None
    with open(run / "log.txt", "w", encoding="utf-8") as log:
        with _start(words, environment(task["sweep"], run)) as process:
            for line in process.stdout:
                log.write(line)
                log.flush()
                row = _logged(line, metric)
                if row is None or stopped:
                    continue
                rows.append(row)
                write_json_lines(run / "history.jsonl", rows)
                stopped = report(row)
                if stopped:
                    _stop(process)
        code = process.returncode
    if code and not stopped:
        raise InputError(f"The program ended with {_ending(code)}: {_last_words(run / 'log.txt')}")
    if not rows:
        rows = _wandb_rows(run, metric)
        for row in rows:
            report(row)
        write_json_lines(run / "history.jsonl", rows)
    values = [row[metric] for row in rows if metric and isinstance(row.get(metric), int | float)]
    summary = {"iterations": len(rows), **({metric: values[-1]} if values else {})}
    write_json(run / "summary.json", summary)
    return summary, stopped


def _start(words, variables):
    try:
        return subprocess.Popen(
            words,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    except OSError as error:
        raise InputError(f"Cannot run {words[0]!r}: {error.strerror}.") from error


def _die_with_parent():
    """On Linux a program does not outlive a worker that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def _logged(line, metric):
    """The JSON object in a line of output if it holds the metric, or where there is no metric any JSON object."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and (metric is None or metric in row) else None


def _ending(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(log):
    lines = log.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1][:300] if lines else "it printed nothing."


def _wandb_rows(run, metric):
    """The rows of the offline run that the program left with W&B's client."""
    files = sorted(run.glob("wandb/*run-*/*.wandb"))[-1:]  # an earlier one was broken off
    found = [row for file in files for row in wandb_file.rows(file)]
    return [row for row in found if metric is None or _number(row.get(metric))]


def _number(value):
    return isinstance(value, int | float) and math.isfinite(value)
