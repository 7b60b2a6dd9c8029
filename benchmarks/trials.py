"""Trials an hour: the course's random sweep by two workers with a thread each, `muslin sweep` beside Optuna with
PyTorch, JAX and scikit-learn. The peers train the very configurations that muslin drew; nothing is stopped early.

A time is that of the whole command, from the start of its first process to the end of its last.
"""

import json
import subprocess
import sys
import tempfile
import time
from statistics import median

from benchmarks.contest import CORES, ROOT, Samples, arguments, environment, machine, note, parser, save, table
from muslin.documents import read_document
from muslin.sweeps import search
from muslin.sweeps.file import schema

PEERS = ("muslin", "torch", "jax", "sklearn")
SWEEP = ROOT / "sweeps" / "course_random.yaml"
WORKERS = min(2, CORES)
#: makes the study, and tells it the configurations
BEGIN = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(storage=sys.argv[1], study_name="trials", direction="maximize")
for configuration in json.loads(sys.argv[2]):
    study.enqueue_trial(configuration)
"""
#: says how many ended well, and the best
END = """
import json, sys, optuna
study = optuna.load_study(storage=sys.argv[1], study_name="trials")
values = [trial.value for trial in study.trials if trial.value is not None]
print(json.dumps({"trials": len(values), "best": max(values)}))
"""


def main():
    made = parser(__doc__, PEERS, rounds=1)
    made.add_argument("--count", type=int, default=60, help="trials (60)")
    given = arguments(made)
    about, data, results = machine(given.peers_python), Samples(), {peer: [] for peer in given.peers}
    drawn = search.SEARCHES["random"](schema.parse(read_document(SWEEP, "sweep")), 0, "tpe")
    configurations = [drawn.ask(number).params for number in range(given.count)]
    for number in range(given.rounds):
        for peer, found in results.items():
            with tempfile.TemporaryDirectory() as folder:
                if peer == "muslin":
                    found.append(ours(folder, given.count))
                else:
                    found.append(theirs(peer, folder, data, configurations, given.peers_python))
            note(f"round {number + 1}, {peer}: {found[-1]['seconds']:.0f} s")
    about |= {"data": data.name, "rounds": given.rounds, "trials": given.count, "workers": WORKERS}
    save("trials", about, results, report(results, given.count))


def ours(folder, count):
    command = [sys.executable, "-m", "muslin", "sweep", SWEEP, "--count", count, "--workers", WORKERS, "--json"]
    started = time.perf_counter()
    done = subprocess.run(
        [*map(str, command), "--runs-dir", folder],
        check=True,
        env=environment(1),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    seconds, told = time.perf_counter() - started, json.loads(done.stdout)
    return {"seconds": seconds, "trials": sum(told["trials"].values()), "best": told["best"]["value"]}


def theirs(peer, folder, data, configurations, python):
    storage, began = f"sqlite:///{folder}/study.db", time.perf_counter()
    subprocess.run([python, "-c", BEGIN, storage, json.dumps(configurations)], check=True)
    space = {name: sorted({c[name] for c in configurations}, key=str) for name in configurations[0]}
    work = json.dumps({"peer": peer, "storage": storage, "folder": data.folder, "space": space})
    command = [python, "-m", "benchmarks.peers.trials", work]
    with open(f"{folder}/log", "w") as log:
        workers = [
            subprocess.Popen(command, cwd=ROOT, env=environment(1), stderr=log, stdout=log) for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.wait()
    seconds = time.perf_counter() - began
    told = subprocess.run([python, "-c", END, storage], check=True, stdout=subprocess.PIPE).stdout
    return {"seconds": seconds, **json.loads(told)}


def report(results, count):
    middle = {peer: median(turn["seconds"] for turn in turns) for peer, turns in results.items()}
    rows = [
        [
            peer,
            turns[-1]["trials"],
            f"{middle[peer]:.0f}",
            f"{3600 * turns[-1]['trials'] / middle[peer]:,.0f}",
            f"{middle[peer] / middle['muslin']:.1f}" if "muslin" in middle else "",
            f"{turns[-1]['best']:.2%}",
        ]
        for peer, turns in results.items()
    ]
    heading = ["", "trials", "seconds", "trials an hour", "× the time of muslin", "best, validation"]
    return f"# A sweep of {count} trials\n\n" + table(heading, *rows)


if __name__ == "__main__":
    main()
