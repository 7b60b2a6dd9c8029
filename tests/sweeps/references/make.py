"""What W&B's own code makes of the same sweeps: ``python make.py`` writes sweeps.json and wandb.json.

    python3 -m venv old && old/bin/pip install sweeps==0.2.0 'numpy<2' 'pydantic<2' && old/bin/python make.py
    python3 -m venv new && new/bin/pip install wandb==0.31.0 optuna==5.0.0 && new/bin/python make.py

Each writes the file of the package that it finds. The tests compare muslin with the records.
"""

import json
import random
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from sweep_files import FILES, load  # noqa: E402

#: every distribution, with its defaults and without, the parameter of a file
PARAMETERS = {
    "categorical": {"values": [1, "x", None, [2, 3]]},
    "categorical, scalars": {"values": [0.1, "x", None, True]},
    "weighted": {"values": ["a", "b", "c", "d"], "probabilities": [0.1, 0.0, 0.6, 0.3]},
    "int_uniform": {"min": -3, "max": 7},
    "uniform": {"min": -0.5, "max": 2.5},
    "uniform, named": {"distribution": "uniform", "min": 0, "max": 4},
    "q_uniform": {"distribution": "q_uniform", "min": 0.3, "max": 9.7},
    "q_uniform, whole": {"distribution": "q_uniform", "min": 1, "max": 22, "q": 4},
    "q_uniform, multiples": {"distribution": "q_uniform", "min": 4, "max": 20, "q": 4},
    "q_uniform, multiples of 0.1": {"distribution": "q_uniform", "min": -0.3, "max": 0.7, "q": 0.1},
    "q_uniform, q": {"distribution": "q_uniform", "min": -0.4, "max": 1.3, "q": 0.25},
    "log_uniform": {"distribution": "log_uniform", "min": -5, "max": -1},
    "log_uniform_values": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
    "q_log_uniform": {"distribution": "q_log_uniform", "min": 0, "max": 5, "q": 3},
    "q_log_uniform_values": {"distribution": "q_log_uniform_values", "min": 32, "max": 256, "q": 8},
    "q_log_uniform_values, q": {"distribution": "q_log_uniform_values", "min": 0.1, "max": 9, "q": 0.5},
    "q_log_uniform_values, 1": {"distribution": "q_log_uniform_values", "min": 1, "max": 100},
    "inv_log_uniform": {"distribution": "inv_log_uniform", "min": 1, "max": 4},
    "inv_log_uniform_values": {"distribution": "inv_log_uniform_values", "min": 0.001, "max": 0.5},
    "normal": {"distribution": "normal"},
    "normal, moved": {"distribution": "normal", "mu": -3, "sigma": 0.25},
    "q_normal": {"distribution": "q_normal", "mu": 1.5, "sigma": 4, "q": 2},
    "q_normal, q": {"distribution": "q_normal", "q": 0.3},
    "log_normal": {"distribution": "log_normal", "mu": 0.5, "sigma": 0.8},
    "q_log_normal": {"distribution": "q_log_normal", "mu": 2, "sigma": 1, "q": 5},
    "beta": {"distribution": "beta", "a": 2, "b": 5},
    "beta, default": {"distribution": "beta"},
    "q_beta": {"distribution": "q_beta", "a": 0.5, "b": 0.7, "q": 0.1},
}
POINTS = [(2 * i + 1) / 74 for i in range(37)]  # none is where a distribution above jumps
SAMPLES = 300

GRIDS = {
    "two": {"b": {"values": [1, 2, 3]}, "a": {"values": ["x", "y"]}},
    "all kinds": {
        "c": {"min": -1, "max": 1},
        "a": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.3},
        "b": {"value": 7},
        "d": {"distribution": "q_uniform", "min": 1, "max": 10, "q": 4},
    },
    "nested": {
        "a-b": {"values": [1, 2]},
        "a": {"parameters": {"z": {"values": [3, 4]}, "B": {"parameters": {"y": {"values": [5, 6]}}}}},
        "B": {"values": [7, 8]},
    },
    "repeated": {"a": {"values": [0, 1, 0, True]}, "b": {"values": [2, 2]}},
    "constant": {"a": {"value": 1}},
}

#: rule → the runs of the sweep in `histories`
RULES = {
    "min_iter": {"min_iter": 2, "eta": 2},
    "min_iter, eta 3": {"min_iter": 1},
    "max_iter": {"max_iter": 27, "s": 3},
    "max_iter, eta 2.5": {"max_iter": 20, "s": 2, "eta": 2.5},
}


def histories(seed):
    """Histories of about ten runs, of values with ties."""
    rng = random.Random(seed)
    return [[rng.randint(0, 9) / 10 for _ in range(rng.randint(1, 16))] for _ in range(rng.randint(1, 12))]


SEEDS = range(25)


ENDLESS = "parameter: grid without end"

# sweeps 0.2.0


def verdicts():
    """file → [whether its schema takes the file, whether its search and stopping rule then do]."""
    import sweeps

    def works(function, *arguments):
        try:
            function(*arguments)
        except Exception:  # whatever it is: it has many
            return False
        return True

    def search(config):
        sweeps.next_run(config, [])
        if "early_terminate" in config:
            sweeps.stop_runs(
                config, [sweeps.SweepRun(state="running", sampledHistory=[{config["metric"]["name"]: 1.0}])]
            )

    configs = {name: load(text) for name, text in FILES.items() if name != ENDLESS}
    takes = sweeps.config.SweepConfig
    found = {name: [taken := works(takes, c), taken and works(search, c)] for name, c in configs.items()}
    return found | {ENDLESS: [works(takes, load(FILES[ENDLESS])), False]}  # its search would take all memory


def _parameter(spec):
    from sweeps.params import HyperParameter

    return HyperParameter("x", spec)


def _plain(value):
    return value.item() if hasattr(value, "item") else value


def quantiles():
    """parameter → its value at each of `POINTS`."""
    return {name: [_plain(_parameter(spec).ppf(u)) for u in POINTS] for name, spec in PARAMETERS.items()}


def samples():
    """parameter → values drawn at random."""
    random.seed(0)
    found = {}
    for name, spec in PARAMETERS.items():
        drawn = [_plain(_parameter(spec).sample()) for _ in range(SAMPLES)]
        found[name] = [float(f"{v:.6g}") if isinstance(v, float) else v for v in drawn]
    return found


def grids():
    """grid → its configurations in order."""
    from sweeps import next_runs

    found = {}
    for name, parameters in GRIDS.items():
        *runs, end = next_runs({"method": "grid", "parameters": parameters}, [], n=1000)
        assert end is None
        found[name] = [{key: v["value"] for key, v in run.config.items()} for run in runs]
    return found


def stopped():
    """rule → for each seed, the runs that its rule stops; a value put before each history undoes its being off by one.

    This version has no strict: it compares a run by the best that it had so far.
    """
    from sweeps import SweepRun, stop_runs

    def stop(rule, goal, seed):
        worst = 1e9 if goal == "minimize" else -1e9
        runs = [
            SweepRun(name=str(i), state="running", sampledHistory=[{"m": v} for v in (worst, *history)])
            for i, history in enumerate(histories(seed))
        ]
        rule = {"type": "hyperband", **rule}
        config = {"method": "random", "metric": {"name": "m", "goal": goal}, "early_terminate": rule}
        return [int(run.name) for run in stop_runs(config | {"parameters": {"a": {"value": 1}}}, runs)]

    return {
        f"{name}, {goal}": [stop(rule, goal, seed) for seed in SEEDS]
        for name, rule in RULES.items()
        for goal in ("minimize", "maximize")
    }


# wandb 0.31


def distributions():
    """parameter → Optuna's distribution as wandb makes it, written out; None where it refuses."""
    from wandb.sdk.sweeps.scheduler.optuna import sweep_parameter_to_distribution

    found = {}
    for name, spec in PARAMETERS.items():
        try:
            found[name] = repr(sweep_parameter_to_distribution(spec))
        except ValueError:
            found[name] = None
    return found


def installed(package):
    """Whether it is; a folder of the name where one stands, as sweeps or wandb may be, is no package."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


SECTIONS = {"sweeps": (quantiles, samples, grids, stopped, verdicts), "wandb": (distributions,)}

if __name__ == "__main__":
    for package in filter(installed, SECTIONS):
        record = {"version": version(package)} | {f.__name__: f() for f in SECTIONS[package]}
        lines = [f'"version": "{record.pop("version")}"']
        for section, rows in record.items():
            body = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items())
            lines.append(f'"{section}": {{\n{body}\n}}')
        (HERE / f"{package}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
