"""Runs commands whose n-th file operation goes wrong, each in a fork of one process that has everything imported.

python driver.py, with shim.so (and SQLite) preloaded: reads {"folder", "data", "cases": [[action, how, n], …]} from
standard input; writes a JSON object a case. An n of 0 counts: {"operations", "seconds"}. See `attempt` for the others.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from actions import ACTIONS, unnumbered

from muslin import files

SHIM = ctypes.CDLL(None)
#: killed from outside, after n microseconds
KILL_LATER = -6
#: seconds after which a command hangs
PATIENCE = 300


def forked(function, *arguments, said=os.devnull, kill_after=None):
    """The exit code of the function in a fork; minus the signal that ended it, such as the SIGKILL that is sent after
    so many seconds. What it says goes into a file."""
    if (pid := os.fork()) == 0:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        signal.alarm(PATIENCE)
        files.remove_litter.cache_clear()  # as in a new process
        code = 70
        try:
            function(*arguments)
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else 0)
    if kill_after is not None:
        time.sleep(kill_after)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def begun(folder, data, prepare):
    """What is there before: made once, and copied."""
    shutil.rmtree(folder, ignore_errors=True)
    Path(f"{folder}.said.json").unlink(missing_ok=True)
    kept = folder.with_name(f"{prepare.__name__}.{folder.name}")
    if not kept.exists():
        forked(prepare, folder, data, said=f"{folder}.prepared")
        shutil.copytree(folder, kept) if folder.exists() else kept.mkdir()
    shutil.rmtree(folder, ignore_errors=True)
    if any(kept.iterdir()):
        shutil.copytree(kept, folder)


def attempt(folder, data, action, how, n):
    """{"code", "said"} of the action whose n-th operation goes wrong; {"again", "told"} of the same once more, with
    nothing wrong; the "files" that are there then, and what the action's `look` "found" in them."""
    action = ACTIONS[action]
    begun(folder, data, action.prepare)
    told = Path(f"{folder}.said")

    def wrong():
        SHIM.arm(str(folder).encode(), n, how)
        action.act(folder, data)

    def counting():
        SHIM.arm(str(folder).encode(), -1, how)
        try:
            action.act(folder, data)
        finally:
            Path(f"{folder}.count").write_text(str(SHIM.counted()))

    if n == 0:
        start = time.monotonic()
        forked(counting, said=told)
        return {"operations": int(Path(f"{folder}.count").read_text()), "seconds": time.monotonic() - start}
    if how == KILL_LATER:
        code, said = forked(action.act, folder, data, said=told, kill_after=n / 1e6), told.read_text()
    else:
        code, said = forked(wrong, said=told), told.read_text()
    result = {"code": code, "said": said, "again": forked(action.again, folder, data, said=told)}
    result["told"] = told.read_text()
    found = Path(f"{folder}.found")
    found.unlink(missing_ok=True)
    forked(lambda: found.write_text(json.dumps(action.look(folder))), said=f"{found}.said")
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    result["files"] = sorted(unnumbered(name) for name in there if not name.endswith(action.ignored))
    result["found"] = json.loads(found.read_text()) if found.exists() else Path(f"{found}.said").read_text()
    return result


def warm(folder, data, actions):
    """Do each once in this process: what is imported on the way is imported for all forks. The server has threads."""
    for name in actions:
        begun(folder, data, ACTIONS[name].prepare)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), suppress(SystemExit):
            if name != "serve":
                ACTIONS[name].act(folder, data)


if __name__ == "__main__":
    task = json.loads(sys.stdin.readline())
    warm(Path(task["folder"]), task["data"], dict.fromkeys(case[0] for case in task["cases"]))
    for case in task["cases"]:
        print(json.dumps(attempt(Path(task["folder"]), task["data"], *case)), flush=True)
