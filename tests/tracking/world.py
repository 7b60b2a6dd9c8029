"""A user's machine that talks to the stub of W&B's server, or to none. Every command runs in a process of its own."""

import json
import os
import subprocess
import sys

import matplotlib
import yaml

from muslin import runs

TINY = {"dataset": "digits", "engine": "numpy", "epochs": 3, "hidden_layers": 1, "hidden_size": 8, "batch_size": 128}
SWEEP = {
    "method": "random",
    "project": "course",
    "metric": {"name": "validation_accuracy", "goal": "maximize"},
    "parameters": {key: {"value": value} for key, value in TINY.items() if key not in ("epochs", "batch_size")}
    | {"max_epochs": {"values": [2, 3]}, "batch_size": {"values": [128, 5000]}, "lr": {"min": 0.001, "max": 0.1}},
}
#: `muslin …`, the agent asking more often and giving up sooner than usual
MUSLIN = """
import sys
from muslin.tracking import wandb_run
wandb_run.BEGIN = 1
if "--engine" in sys.argv:
    from wandb.agents.pyagent import Agent
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.1
from muslin.cli import main
main()
"""


class World:
    """A folder that stands for a user's machine, with W&B's server at ``url`` and with or without a key."""

    def __init__(self, path, url, key="k" * 40):
        self.path = path
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "MUSLIN"))}
        self.env |= {"HOME": str(path / "home"), "WANDB_BASE_URL": url, "WANDB_ERROR_REPORTING": "false"}
        self.env["MPLCONFIGDIR"] = matplotlib.get_configdir()  # else each process looks for all fonts anew
        self.env |= {"WANDB_API_KEY": key} if key else {}
        for name in ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
            self.env[f"WANDB_{name}"] = str(path / name)
            (path / name).mkdir(exist_ok=True)
        (path / "home").mkdir(exist_ok=True)

    def call(self, *words, code=0):
        """(output, errors) of a command, which must end with that exit code."""
        done = subprocess.run(
            [sys.executable, *map(str, words)], env=self.env, cwd=self.path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def muslin(self, *words, code=0):
        return self.call("-c", MUSLIN, *words, code=code)

    def train(self, *words):
        flags = (f"--{key.replace('_', '-')}={value}" for key, value in TINY.items())
        out, err = self.muslin("train", *flags, "--tracker", "wandb", "--json", *words)
        return runs.Run(self.path / json.loads(out)["run"]), err

    def sweep(self, **changes):
        path = self.path / "tiny.yaml"
        path.write_text(yaml.safe_dump(SWEEP | changes))
        return path
