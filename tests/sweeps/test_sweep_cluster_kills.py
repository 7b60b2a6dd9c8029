"""A real scheduler, real workers and PostgreSQL; whatever is killed, each trial is there once."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import cached_property

import pytest

pytest.importorskip("distributed")
pytest.importorskip("psycopg")

import dask_processes
from dask_processes import cluster, postgresql

from muslin import runs
from muslin.sweeps.directory import SweepDirectory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dask_processes.postgresql_programs(), reason="PostgreSQL is not installed"),
]
TRIALS, EPOCHS = 200, 20


class Parent:
    """``muslin sweep --cluster`` as a process."""

    def __init__(self, file, address, url, folder):
        self.words = ["sweep", file, "--count", TRIALS, "--cluster", address, "--storage", url, "--json"]
        self.folder, self.url, self.path = folder, url, folder / "runs" / "tiny"
        self.begin()

    def begin(self):
        self.log = open(self.folder / "parent.log", "ab")  # noqa: SIM115 (closed by end)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "muslin", *map(str, self.words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def signal(self, number):
        self.process.send_signal(number)
        self.end()

    def end(self):
        out, _ = self.process.communicate(timeout=60)
        self.log.close()
        return self.process.returncode, out

    @cached_property
    def study(self):
        return SweepDirectory(self.path).study_to_read(self.url)

    def trials(self):
        return self.study.trials()

    def done(self):
        return Counter(trial.state for trial in self.trials().values())["finished"]


def test_200_trials_survive_the_death_of_each(tmp_path, sweep_file):
    """Of a worker, the scheduler, and the parent, by SIGKILL and by Ctrl-C; one more worker joins late."""
    with postgresql(tmp_path) as url, cluster(tmp_path, 4) as there:
        parent = Parent(sweep_file(parameters={"epochs": {"value": EPOCHS}}), there.address, url, tmp_path)
        try:
            finished = conduct(parent, there)
        finally:
            if parent.process.poll() is None:
                parent.signal(signal.SIGKILL)
        check(parent, finished)
        parent.study.storage._backend.engine.dispose()
        assert "secret" not in (tmp_path / "parent.log").read_text()
        assert "secret" not in (parent.path / "sweep.json").read_text()


def conduct(parent, there):
    """Until the end; what had finished when the parent was killed."""
    events = [
        (20, lambda: there.kill("w1")),
        (50, lambda: there.worker("late")),
        (80, lambda: (there.kill("scheduler"), there.scheduler())),
        (120, lambda: (parent.signal(signal.SIGKILL), parent.begin())),
        (160, lambda: (parent.signal(signal.SIGINT), parent.begin())),
    ]
    kept, end = {}, time.monotonic() + 500
    while parent.process.poll() is None:
        assert time.monotonic() < end, (parent.folder / "parent.log").read_text()
        there.keep_up()
        time.sleep(0.05)
        if not (parent.path / "sweep.json").exists():
            continue
        done = parent.done()
        if events and done >= events[0][0]:
            events.pop(0)[1]()
            trials = parent.trials().items()
            kept |= {number: (trial.value, trial.ended) for number, trial in trials if trial.state == "finished"}
    code, out = parent.end()
    assert code == 0, (parent.folder / "parent.log").read_text()
    assert not events
    assert json.loads(out)["trials"]["failed"] == 0
    return kept


def check(parent, finished):
    """Every index once, with the configuration of its own and a whole run directory; what was finished stays so."""
    from muslin.sweeps.file.space import draw

    where, study = SweepDirectory(parent.path), parent.study
    stored = [t for t in study.storage.get_all_trials(study.id) if "trial" in t.user_attrs]
    assert sorted(t.user_attrs["trial"]["index"] for t in stored) == [*range(len(stored))]
    trials = study.trials()
    assert {trial.state for trial in trials.values()} == {"finished"}
    assert TRIALS <= len(trials) <= TRIALS + 5
    assert {n: t.config for n, t in trials.items()} == {n: draw(where.sweep.space, 0, n) for n in trials}
    assert finished.items() <= {n: (t.value, t.ended) for n, t in trials.items()}.items()
    assert len({trial.run for trial in trials.values()}) == len(trials)
    assert {path.name for path in parent.path.iterdir() if path.is_dir()} == {t.run for t in trials.values()}
    for trial in trials.values():
        history = runs.Run(parent.path / trial.run).history
        assert [row["epoch"] for row in history] == [*range(1, EPOCHS + 1)]
        assert trial.value == max(row["val_accuracy"] for row in history)
