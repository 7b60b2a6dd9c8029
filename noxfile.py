"""``nox``: the built package in empty environments: alone, with each extra, with the oldest NumPy.

``nox -s everything``: with all extras on each Python; ``nox -s system``: on the system's own NumPy and BLAS.

An interpreter that is not on this machine is skipped, and said to be. What an environment took is a line of
``build/environments.jsonl``: Python, NumPy and BLAS, seconds of the installation, megabytes of what it brought.
"""

import json
import shlex
import time
import tomllib
from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["core", "extra", "oldest_numpy"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
RECORD = Path(__file__).parent.resolve() / "build" / "environments.jsonl"

FILES = {
    "sweep.yaml": """{"method": "grid", "metric": {"name": "val_accuracy", "goal": "maximize"}, "parameters": {
        "dataset": {"value": "digits"}, "epochs": {"value": 1}, "hidden_size": {"values": [8, 16]}}}""",
    "table.csv": "size,kind,good\n" + "".join(f"{i},{'ab'[i % 3 > 0]},{'ny'[i > 50]}\n" for i in range(100)),
    "program.py": "import os; assert os.environ['WANDB_BASE_URL'] and os.environ['WANDB_API_KEY']\n",
}
TRAIN = "muslin train --dataset digits --epochs 2 --name run"

NAMES = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

#: extra → the commands that show that it works
EXTRAS = {name: [TRAIN] for name in NAMES} | {
    "fast": [f"{TRAIN} --engine numba"],
    "sweep": ["muslin sweep sweep.yaml --workers 1", "muslin best runs/sweep"],
    "wandb": [f"{TRAIN} --tracker wandb"],
    "report": [TRAIN, "muslin report runs/run", "muslin playground --toy", "muslin blackboard"],
    "server": ["muslin offline python program.py"],
    "cluster": ["muslin sweep sweep.yaml --cluster local:2"],
    "tables": ["muslin data table.csv", "muslin train -d table.csv --target good --epochs 2"],
    "onnx": [TRAIN, "muslin export runs/run --to onnx"],
    "all": [f"{TRAIN} --engine numba", "muslin report runs/run", "muslin export runs/run --to onnx"],
}

ABOUT = """
import json, platform, numpy
blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
print(json.dumps({"python": platform.python_version(), "numpy": numpy.__version__,
                  "blas": f"{blas.get('name')} {blas.get('version')}"}))
"""


def tried(session, commands, *requirements):
    """Installs, runs the commands in an empty folder, and records what that took."""
    folder = Path(session.create_tmp()).resolve()
    session.run("rm", "-rf", str(folder / "runs"), external=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    empty, began = size(session), time.monotonic()
    session.install(*requirements)
    took, brought = time.monotonic() - began, size(session) - empty
    session.cd(folder)
    session.run("muslin", "doctor", success_codes=[0, 1])  # 1: a fault of this machine, which it names
    for command in commands:
        session.run(*shlex.split(command), env={"WANDB_MODE": "offline"})
    about = json.loads(session.run("python", "-c", ABOUT, silent=True).splitlines()[-1])
    row = {"environment": session.name, **about, "seconds": round(took, 1), "MB": round(brought / 1e6)}
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as record:
        record.write(json.dumps(row) + "\n")
    session.log(str(row))


def size(session):
    """Bytes of the session's environment."""
    return sum(path.stat().st_size for path in Path(session.virtualenv.location).rglob("*") if path.is_file())


@nox.session(python=PYTHONS)
def core(session):
    tried(session, [TRAIN], ".")


@nox.session(python="3.11")
@nox.parametrize("name", list(EXTRAS), ids=list(EXTRAS))
def extra(session, name):
    tried(session, EXTRAS[name], f".[{name}]")


@nox.session(python=PYTHONS)
def everything(session):
    """With all extras, on each Python."""
    tried(session, EXTRAS["all"], ".[all]")


@nox.session(python="3.11")
def oldest_numpy(session):
    tried(session, [TRAIN], ".", "numpy==2.0.*")


@nox.session(venv_params=["--system-site-packages"])
def system(session):
    """On the NumPy and BLAS of the system, such as Debian's python3-numpy."""
    tried(session, [TRAIN], ".")
