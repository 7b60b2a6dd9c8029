"""Sweeps on a cluster of Dask's. Here the cluster is in this process, its workers are processes as everywhere; the real
one, with PostgreSQL and kills, is in test_sweep_cluster_kills.py."""

import os
import signal
import subprocess
import time
from types import SimpleNamespace as Made

import pytest

pytest.importorskip("distributed")

from muslin import executors, runs, sweep
from muslin.cli import sweep as command
from muslin.errors import InputError
from muslin.executors import cluster, node, places
from muslin.executors.jobs import Jobs
from muslin.runs import Run
from muslin.sweeps import directory
from muslin.sweeps.file import schema
from muslin.sweeps.scheduler import Scheduler

EARLY = {"early_terminate": {"type": "hyperband", "min_iter": 2}}
LONG = {"epochs": {"value": 9}}


@pytest.fixture(scope="module")
def address():
    """Of a scheduler with two threads, which outlives its sweeps; so do its processes, for the sake of time."""
    place = places.Place("local:2")
    client = place.client(10)
    client.register_plugin(node.Watch("all of them"))
    yield place.cluster.scheduler_address
    client.close()
    place.close()


@pytest.fixture
def begin(tmp_path, tiny, address):
    """A function: (directory, study, executor) of a tiny sweep on a cluster."""
    begun = []

    def begin(where=address, parameters=None, asks=False, **changes):
        raw = tiny | changes | {"parameters": tiny["parameters"] | (parameters or {})}
        found, study = directory.begin(schema.parse(raw), "s", tmp_path)
        begun.append(executors.executor(100, found.path / "workers.log", cluster=where, asks=asks))
        return found, study, begun[-1]

    yield begin
    for executor in begun:
        executor.stop()


def ends(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_a_sweep_on_a_cluster_trains_what_it_does_here(begin, tmp_path):
    """The same values and models, and nothing is left behind."""
    where, study, executor = begin()
    found = Scheduler(where, study, executor, count=4).run()
    done = [trial for trial in found.trials.values() if trial.state == "finished"]
    assert len(done) >= 4
    assert not [*where.path.glob(".muslin-*")]
    for trial in done[:2]:
        there = Run(where.path / trial.run)
        data = there.dataset()
        here = runs.create(there.settings, data, tmp_path / "here")
        runs.train(here, data)
        assert trial.history == [row["val_accuracy"] for row in here.history]
        assert (here.path / "model.safetensors").read_bytes() == (there.path / "model.safetensors").read_bytes()


def test_early_termination_reaches_a_running_trial(begin):
    where, study, executor = begin(asks=True, parameters=LONG, **EARLY)
    scheduler = Scheduler(where, study, executor, count=10).run()
    stopped = [trial for trial in scheduler.trials.values() if trial.state == "stopped_early"]
    assert stopped
    for trial in stopped:
        assert len(trial.history) < 9
        assert len(trial.history) == len(Run(where.path / trial.run).history)


def test_from_python(tiny, address, tmp_path):
    found = sweep(tiny, cluster=address, count=1, runs_dir=tmp_path, name="s")
    assert [trial.state for trial in found.trials[:1]] == ["finished"]
    own = {"method": "random", "metric": {"name": "x"}, "parameters": {"a": {"value": 1}}}
    with pytest.raises(InputError, match="A function is called in this process"):
        sweep(own, lambda config: 1, cluster=address, count=1, runs_dir=tmp_path)


def test_programs_that_are_not_stopped_early_elsewhere_are_told_of(capsys):
    plan = Made(runs_program=True, early_terminate=True)
    with command._heard(Made(sweep=plan), {"cluster": "tcp://a:1"}) as (live, _):
        assert live is None
    assert "only call wandb.log are not stopped early elsewhere" in capsys.readouterr().err


def test_without_a_shared_disk_the_run_directory_comes_back(begin, monkeypatch):
    monkeypatch.setattr(node.os.path, "exists", lambda path: False)
    where, study, executor = begin()
    scheduler = Scheduler(where, study, executor, count=2).run()
    for trial in [trial for trial in scheduler.trials.values() if trial.state == "finished"]:
        run = Run(where.path / trial.run)
        assert run.finished
        assert len(run.history) == 2
        assert run.model.sizes[-1] == 10
        assert not run.checkpoint.exists()


def test_a_connection_that_is_lost_is_made_again(begin, capsys):
    where, study, executor = begin()
    executor.client.close()
    scheduler = Scheduler(where, study, executor, count=2).run()
    assert scheduler.done == 2
    assert "was gone for 0 s, and is there again." in capsys.readouterr().err


class Heard:
    """Shows nothing; does something once, when a trial has had an epoch."""

    def __init__(self, does):
        self.does = does

    def __call__(self, scheduler):
        if self.does and any(trial.history for trial in scheduler.pool.busy.values()):
            does, self.does = self.does, None
            does(scheduler)


def kill_one(scheduler):
    next(iter(node.RUNNING.values()))[1].process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_process_that_is_killed_gives_its_trial_back(begin):
    where, study, executor = begin(parameters={"epochs": {"value": 60}})
    scheduler = Scheduler(where, study, executor, count=2, show=Heard(kill_one)).run()
    assert scheduler.done == 2
    assert sum(deaths for _, _, deaths in study.claims.all().values()) == 1
    for trial in scheduler.trials.values():
        assert len(trial.history) in (0, 60)


@pytest.mark.slow
def test_a_trial_that_is_late_is_ended_there(begin):
    where, study, executor = begin(parameters={"epochs": {"value": 10**6}})
    with pytest.raises(InputError, match=r"failed, the last one: It took longer than 0\.5 seconds"):
        Scheduler(where, study, executor, count=2, timeout=0.5).run()
    assert ends(lambda: not node.RUNNING)


@pytest.mark.slow
def test_what_a_parent_leaves_is_ended(begin):
    def interrupt(scheduler):
        raise KeyboardInterrupt

    where, study, executor = begin(parameters={"epochs": {"value": 10**6}})
    with pytest.raises(KeyboardInterrupt):
        Scheduler(where, study, executor, count=2, show=Heard(interrupt)).run()
    assert ends(lambda: not node.RUNNING)


def test_tasks_that_fail_say_why_and_others_go_on(tmp_path, address):
    settings = {"dataset": "digits", "epochs": 1, "hidden_layers": 1, "hidden_size": 4, "engine": "numpy"}
    task = {"function": "muslin.executors.training:train"}
    tasks = {
        "good": task | {"run": str(tmp_path / "good"), "settings": settings},
        "bad": task | {"run": str(tmp_path / "bad"), "settings": settings | {"optimizer": "none such"}},
    }
    heard = []
    executor = executors.executor(2, tmp_path / "workers.log", cluster=address)
    ended = Jobs(tasks, executor, epochs=lambda key, n: heard.append((key, n))).run()
    assert "Unknown optimizer" in ended["bad"]["failed"]
    assert ended["good"]["done"]["epochs"] == 1
    assert sum(n for key, n in heard if key == "good") == 1


GROWS = """
n_workers: 0
threads_per_worker: 1
processes: false
protocol: tcp://
host: 127.0.0.1
dashboard_address: 127.0.0.1:0
"""


@pytest.fixture
def queue(monkeypatch, tmp_path):
    """A cluster file of one that starts its nodes in this process, as many as there is work for, three at most."""
    engine = places.ENGINES["slurm"]
    local = {"module": "distributed", "name": "LocalCluster", "options": {}}
    adapt = engine.adapt | {"interval": "50ms"}
    monkeypatch.setitem(places.ENGINES, "slurm", engine._replace(**local, adapt=adapt))
    (tmp_path / "queue.yaml").write_text(GROWS + "maximum: 3\n")
    return tmp_path / "queue.yaml"


def test_nodes_come_with_the_work_and_go_when_it_is_done(queue, tmp_path):
    """All at once: how long a training takes nobody knows before the first has ended."""
    settings = {"dataset": "digits", "epochs": 10**6, "hidden_layers": 1, "hidden_size": 4, "engine": "numpy"}
    executor = executors.executor(9, tmp_path / "workers.log", cluster="slurm", file=queue)
    nodes = executor.place.cluster.workers
    try:
        assert (len(nodes), executor.size) == (0, 3)
        for n in range(3):
            task = {"function": "muslin.executors.training:train", "run": str(tmp_path / f"{n}"), "settings": settings}
            executor.give(n, task)
        assert ends(lambda: len(nodes) == len(node.RUNNING) == 3)
        executor.next(0.1)
        assert ends(lambda: executor._look() or executor.nodes()["127.0.0.1"][1] == 3)
        for task in [*executor.busy]:
            task.kill()
            executor.done(task)
        assert ends(lambda: not nodes)
    finally:
        executor.stop()


def test_no_process_outlives_the_last_parent(address, tmp_path):
    executor = executors.executor(1, tmp_path / "workers.log", cluster=address)
    (there,) = executor.client.scheduler_info(n_workers=-1)["workers"]
    asleep = subprocess.Popen(["sleep", "60"])
    asleep.stop = asleep.kill
    node.IDLE[there, "folder"] = [asleep]
    node.PARENTS[there].remove("all of them")
    try:
        assert asleep.poll() is None
        executor.stop()
        assert asleep.wait(10)
        assert (there, "folder") not in node.IDLE
    finally:
        node.PARENTS[there].add("all of them")
        asleep.kill()


def test_ctrl_c_stays_as_it_was(queue, tmp_path, monkeypatch):
    """dask_jobqueue takes it when it is imported, and ends the program without a word."""
    (tmp_path / "takes.py").write_text(
        "import signal, sys; from distributed import LocalCluster; signal.signal(signal.SIGINT, lambda *_: sys.exit())"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(places.ENGINES, "slurm", places.ENGINES["slurm"]._replace(module="takes"))
    before = signal.getsignal(signal.SIGINT)
    places.Place("slurm", queue).close()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("now", "tasks"),
    [((0, 0), 16), ((1, 2), 16), ((3, 24), 64), ((9, 72), 72)],
    ids=["nobody yet", "one of a size", "some", "more than it started"],
)
def test_what_there_is_room_for(now, tasks, queue):
    """The file says how many nodes there can be, and a node, when it is there, how many trainings it has room for."""
    place = places.Place("slurm", queue)
    place.maximum, place.threads = 8, 2
    assert place.room(*now) == tasks
    place.close()


def test_what_the_file_has_outranks_what_is_ours():
    ours = {"processes": 1, "env": {"A": "1", "B": "2"}}
    both = places.with_ours({"cores": 8, "processes": 2, "env": {"B": "3"}}, ours)
    assert both == {"cores": 8, "processes": 2, "env": {"A": "1", "B": "3"}}
    assert places.with_ours({"env": [{"name": "B", "value": "3"}]}, ours)["env"] == [{"name": "B", "value": "3"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores: [", "line 1: not valid YAML or JSON"),
        ("- 1", "must hold the arguments of a cluster by their names"),
        ("cores: 1", "maximum must be the most nodes"),
        ("maximum: 2\nminimum: 3", "minimum not above it"),
        (GROWS.replace("tcp", "smoke") + "maximum: 1", r"LocalCluster cannot be started: .*smoke"),
    ],
)
def test_a_cluster_file_that_is_wrong_is_said(text, message, queue):
    queue.write_text(text)
    with pytest.raises(InputError, match=message):
        places.Place("slurm", queue)


def test_the_command(sweep_file, muslin_json, muslin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = muslin_json("sweep", sweep_file(), "--count", 2, "--cluster", "local:1")
    assert found["trials"]["finished"] == 2
    code, _, err = muslin("sweep", sweep_file(), "--count", 2, "--cluster", "local:1")
    assert (code, err.count("\n")) == (0, 1)
    assert "muslin: cluster local:1: 1 at 127.0.0.1; dashboard http://127.0.0.1:" in err


def test_what_a_node_lacks_is_said_with_its_name(address, tmp_path, monkeypatch):
    """A table is a file of the parent's, which without a shared disk is not there."""
    monkeypatch.setattr(node.os.path, "exists", lambda path: False)
    task = {"function": "muslin.executors.training:train", "run": str(tmp_path / "run")}
    executor = executors.executor(1, tmp_path / "workers.log", cluster=address)
    ended = Jobs({"run": task | {"settings": {"dataset": "none.csv"}}}, executor).run()
    assert ended["run"]["failed"].startswith("tcp://127.0.0.1:")
    assert f", which does not see {os.getcwd()}: " in ended["run"]["failed"]


@pytest.mark.parametrize(
    ("address", "file", "message"),
    [
        ("local", None, "must be local:N"),
        ("local:0", None, "must be local:N"),
        ("localhost:8786", None, "Unknown cluster 'localhost:8786'; choose from"),
        (
            "slurm",
            None,
            "--cluster-file FILE: the arguments of dask_jobqueue.SLURMCluster|needs a package: pip install",
        ),
        ("k8s", None, "needs a package: pip install dask-kubernetes|--cluster-file FILE"),
        ("local:1", "x.yaml", "--cluster-file goes with"),
    ],
)
def test_an_address_that_is_none_is_said(address, file, message, tmp_path):
    with pytest.raises(InputError, match=message):
        executors.executor(1, tmp_path / "workers.log", cluster=address, file=file)


def test_a_scheduler_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 0.3)
    with pytest.raises(InputError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:1 "):
        executors.executor(1, tmp_path / "workers.log", cluster="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://", "must have a host and a port, such as tcp://HOST:8786"),
        ("tcp://127.0.0.1", "must have a host and a port"),
        ("tcp://127.0.0.1:x", "must have a host and a port"),
        ("tcp://127.0.0.1:87860", "must have a host and a port"),
        ("tls://127.0.0.1:8786", "needs certificates: name them in Dask's configuration"),
    ],
)
def test_an_address_for_which_there_can_be_no_client_is_said(address, message, tmp_path):
    with pytest.raises(InputError, match=message):
        executors.executor(1, tmp_path / "workers.log", cluster=address)


def test_certificates_that_are_not_there_are_said(tmp_path):
    import dask

    none = tmp_path / "none.pem"
    with (
        dask.config.set({"distributed.comm.tls.ca-file": str(none), "distributed.comm.tls.client.cert": str(none)}),
        pytest.raises(InputError, match="Dask's certificates cannot be read"),
    ):
        executors.executor(1, tmp_path / "workers.log", cluster="tls://127.0.0.1:8786")


def test_a_node_with_another_muslin_is_said(address, tmp_path, monkeypatch):
    monkeypatch.setattr(node, "__version__", "0.1.9")
    executor = executors.executor(1, tmp_path / "workers.log", cluster=address)
    with pytest.raises(InputError, match=r"The worker tcp://127\.0\.0\.1:\d+ has muslin 0\.1\.9, not "):
        Jobs({"run": {"run": str(tmp_path / "run")}}, executor).run()


def test_a_node_without_muslin_is_said(address, tmp_path, monkeypatch):
    def setup(self, worker):
        raise ModuleNotFoundError("No module named 'muslin'")

    monkeypatch.setattr(node.Watch, "setup", setup)
    with pytest.raises(InputError, match=r"A node of tcp://127\.0\.0\.1:\d+ cannot run muslin: .*No module named"):
        executors.executor(1, tmp_path / "workers.log", cluster=address)


def test_a_cluster_that_has_lost_all_its_nodes_is_said(address, tmp_path, capsys):
    executor = executors.executor(1, tmp_path / "workers.log", cluster=address)
    executor.client.scheduler_info = lambda n_workers: {"workers": {}, "services": {}}
    executor._look()
    executor._look()
    assert capsys.readouterr().err == f"muslin: every node of {address} is gone; waiting for one.\n"
    assert str(executor) == "nobody yet"
    executor.stop()


def test_a_node_cannot_write_elsewhere(tmp_path):
    assert cluster.inside(tmp_path, "a/b.json") == tmp_path / "a/b.json"
    for name in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(InputError, match="not in the run directory"):
            cluster.inside(tmp_path, name)
