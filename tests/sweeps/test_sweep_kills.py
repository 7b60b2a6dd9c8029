"""Killed at any moment: each index is there once, nothing finished is lost, a run ends in the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muslin import runs
from muslin.runs.settings import Settings
from muslin.sweeps.directory import SweepDirectory

#: long enough to be hit
SLOW = {"epochs": {"value": 5}, "hidden_size": {"values": [24, 32]}, "batch_size": {"value": 16}}


class Sweep:
    """``muslin sweep`` as a process of its own."""

    def __init__(self, file, runs_dir, count, workers=2):
        self.words = ["sweep", str(file), "--count", str(count), "--workers", str(workers), "--runs-dir", str(runs_dir)]
        self.path = Path(runs_dir) / Path(file).stem
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "muslin", *self.words, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, timeout=120):
        """(exit code, standard output, standard error)"""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def workers(self):
        """The process ids of its workers that run."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == self.process.pid and state != "Z":
                found.append(int(stat.parent.name))
        return found

    def wait_for(self, pattern, n=1):
        """Until n files in its directory fit the pattern, or it has ended."""
        for _ in range(700):
            if len(list(self.path.glob(pattern))) >= n or self.process.poll() is not None:
                return
            time.sleep(0.03)
        raise AssertionError(f"no {pattern} in {self.path}")

    def trials(self):
        return SweepDirectory(self.path).study().trials()


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")


def check_whole(sweep, count, seed=0):
    """Every index once, with the configuration and the run directory of its own; the count is right."""
    where = SweepDirectory(sweep.path)
    study = where.study()
    stored = [t for t in study.storage.get_all_trials(study.id) if "trial" in t.user_attrs]
    assert sorted(t.user_attrs["trial"]["index"] for t in stored) == [*range(len(stored))]
    trials = study.trials()
    done = [t for t in trials.values() if t.state in ("finished", "stopped_early")]
    assert len(done) == count
    assert {t.state for t in trials.values()} <= {"finished", "stopped_early", "failed"}
    from muslin.sweeps.file.space import draw

    assert {n: t.config for n, t in trials.items()} == {n: draw(where.sweep.space, seed, n) for n in trials}
    assert len({t.run for t in trials.values()}) == len(trials)
    directories = {path.name for path in sweep.path.iterdir() if path.is_dir()}
    assert directories == {t.run for t in trials.values()}
    for trial in done:
        assert runs.Run(sweep.path / trial.run).finished


def check_same_bits(sweep, trial, tmp_path):
    """The trial's model is that of the same run alone, undisturbed. In a process with a worker's number of threads."""
    settings = runs.Run(sweep.path / trial.run).settings.model_dump()
    script = (
        "import json, sys; from muslin import datasets, runs; from muslin.runs.settings import Settings\n"
        "settings = Settings.read(json.loads(sys.argv[1])); data = datasets.load(settings.dataset)\n"
        "runs.train(runs.create(settings, data, sys.argv[2], 'alone'), data)"
    )
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    place = tmp_path / f"alone-{trial.number}"
    subprocess.run(
        [sys.executable, "-c", script, json.dumps(settings), str(place)], env=os.environ | threads, check=True
    )
    ours, alone = (path / "model.safetensors" for path in (sweep.path / trial.run, place / "alone"))
    assert ours.read_bytes() == alone.read_bytes()


@pytest.fixture
def begin(sweep_file, tmp_path):
    begun = []

    def begin(count, workers=2, parameters=SLOW, **changes):
        begun.append(Sweep(sweep_file(parameters=parameters, **changes), tmp_path / "runs", count, workers))
        return begun[-1]

    yield begin
    for sweep in begun:
        sweep.kill()


@pytest.mark.slow
def test_a_killed_worker_gives_its_trial_back(begin, tmp_path):
    cores = len(os.sched_getaffinity(0))
    sweep = begin(count=3, workers=cores)
    sweep.wait_for("*/checkpoint.safetensors")
    os.kill(sweep.workers()[0], signal.SIGKILL)
    code, out, err = sweep.end()
    assert (code, err) == (0, "")
    assert json.loads(out)["trials"] == {"finished": 3, "stopped_early": 0, "failed": 0}
    check_whole(sweep, 3)
    check_same_bits(sweep, sweep.trials()[0], tmp_path)


def test_a_killed_parent_goes_on_and_its_workers_end(begin):
    sweep = begin(count=4)
    sweep.wait_for("*/checkpoint.safetensors")
    orphans = sweep.workers()
    sweep.kill()
    for _ in range(500):
        if not any(Path(f"/proc/{pid}").exists() for pid in orphans):
            break
        time.sleep(0.01)
    else:
        raise AssertionError("a worker outlives its parent")
    finished = {n: t.ended for n, t in sweep.trials().items() if t.state == "finished"}
    sweep.begin()
    code, out, _ = sweep.end()
    assert code == 0
    assert json.loads(out)["trials"]["finished"] == 4
    check_whole(sweep, 4)
    assert finished.items() <= {n: t.ended for n, t in sweep.trials().items()}.items()


def test_ctrl_c_prints_the_line_that_resumes(begin):
    sweep = begin(count=2, workers=1)
    sweep.wait_for("*/checkpoint.safetensors")
    sweep.process.send_signal(signal.SIGINT)
    code, out, err = sweep.end()
    assert (code, out) == (130, "")
    assert "Go on with: muslin sweep" in err
    assert "Traceback" not in err
    sweep.begin()
    assert sweep.end()[0] == 0
    check_whole(sweep, 2)


@pytest.mark.slow
def test_settings_of_a_trial_can_be_read(begin):
    """A trial is a run like any other."""
    sweep = begin(count=1, parameters={"epochs": {"value": 1}})
    assert sweep.end()[0] == 0
    trial = sweep.trials()[0]
    run = runs.Run(sweep.path / trial.run)
    assert isinstance(run.settings, Settings)
    assert run.name == runs.default_name(run.settings)
    assert not run.checkpoint.exists()


@pytest.mark.slow
def test_25_kills_at_random_moments(begin, tmp_path):
    rng = random.Random(0)
    sweep = begin(count=40, parameters=SLOW | {"epochs": {"value": 60}})
    finished, kills = {}, 0
    while kills < 25:
        time.sleep(rng.uniform(0.3, 2))
        if sweep.process.poll() is not None:
            break
        workers = sweep.workers()
        if workers and rng.random() < 0.4:
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            sweep.kill()
            if (sweep.path / "sweep.json").exists():
                now = {n: (t.state, t.value, t.ended) for n, t in sweep.trials().items() if t.ended}
                assert finished.items() <= now.items()
                finished = now
            sweep.begin()
        kills += 1
    code, _, err = sweep.end()
    if code == -signal.SIGKILL:
        sweep.begin()
        code, _, err = sweep.end()
    assert (code, err) == (0, "")
    print(f"{kills} kills")
    assert kills >= 15
    check_whole(sweep, 40)
    trials = sweep.trials()
    assert finished.items() <= {n: (t.state, t.value, t.ended) for n, t in trials.items()}.items()
    for number in rng.sample(range(40), 2):
        check_same_bits(sweep, trials[number], tmp_path)


@pytest.mark.slow
def test_1000_quick_trials(sweep_file, tmp_path):
    """No "database is locked"; what a trial costs beyond its training is printed."""
    quick = {"epochs": {"value": 1}, "hidden_size": {"value": 4}}
    started = time.perf_counter()
    sweep = Sweep(sweep_file(parameters=quick), tmp_path / "runs", 1000)
    code, out, err = sweep.end(1500)
    seconds = time.perf_counter() - started
    assert (code, err) == (0, "")
    assert json.loads(out)["trials"] == {"finished": 1000, "stopped_early": 0, "failed": 0}
    training = sum(runs.Run(path.parent).summary["seconds"] for path in sweep.path.glob("*/summary.json"))
    print(
        f"{seconds:.0f} s for 1000 trials; per trial {training:.1f} ms training, {2 * seconds - training:.1f} ms beyond"
    )
    check_whole(sweep, 1000)
